"""No command speaks to a network unasked, nor leaves anything in the user's home: each does real work under strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import cv2
import numpy as np
import pytest

from tests.tiny import boxes_v8, write_onnx

ENGINE = str(Path(__file__).resolve().parents[2] / "engines" / "yolo_nano_voc_int8.onnx")
CALLS = "connect,sendto,sendmsg,sendmmsg"
ALONE = ["unshare", "--map-root-user", "--net"]  # a namespace without a network: what tries, fails
LOOPBACK = re.compile(r'inet_addr\("127\.|AF_INET6, "::1"')
CACHES = (".cache/edge-runtime", ".cache/matplotlib", ".config/matplotlib", ".cache/gstreamer-1.0")
TINY = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1"]


def _cannot_look() -> str:
    if not (shutil.which("strace") and shutil.which("unshare")):
        return "needs strace and unshare"
    tried = subprocess.run([*ALONE, "strace", "-f", "-o", os.devnull, "true"], capture_output=True, encoding="utf-8")
    return f"strace cannot look here: {tried.stderr.strip()[:100]}" if tried.returncode else ""


REASON = _cannot_look()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "it can")


def calls(command: List[str], folder: Path, expected: Optional[int] = 0) -> List[str]:
    """The calls that reach, or try to reach, beyond the machine, a name server on it included."""
    trace, home = folder / "trace", folder / "home"
    home.mkdir(exist_ok=True)
    environment: Dict[str, str] = {key: value for key, value in os.environ.items() if key != "CI"}
    environment = {key: value for key, value in environment.items() if not key.startswith(("XDG_", "MPL"))}
    done = subprocess.run(
        [*ALONE, "strace", "-f", "-qq", "-s", "80", "-e", f"trace={CALLS}", "-o", str(trace), sys.executable, *command],
        env={**environment, "HOME": str(home)}, cwd=folder, capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert expected is None or done.returncode == expected, done.stderr
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if "AF_INET" in line and (not LOOPBACK.search(line) or "htons(53)" in line)]


def left_in(home: Path) -> List[str]:
    files = [str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()]
    return [file for file in files if not file.startswith(CACHES)]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    write_onnx(folder / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    for name in ("images", "labels"):
        (folder / "data" / name).mkdir(parents=True)
    (folder / "data" / "labels" / "0.txt").write_text("1 0.5 0.5 0.3125 0.3125\n", encoding="utf-8")
    (folder / "data" / "my.names").write_text("a\nb\nc\n", encoding="utf-8")
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for number in range(6):  # one is held out of calibration, for the verdict and its page
        cv2.imwrite(str(folder / "data" / "images" / f"{number}.png"), picture)
    return folder


@pytest.mark.parametrize(
    ("name", "flags", "code"),
    [
        ("detect", ["--engine", ENGINE, "--source", "demo", "--max-frames", "2", "--output", "o.mp4"], 0),
        ("detect", ["--engine", ENGINE, "--source", "synthetic://64x64@99?frames=2", "--backend", "onnxruntime"], 0),
        ("detect", ["--engine", ENGINE, "--source", "gst:videotestsrc num-buffers=2"], None),
        ("calibrate", ["tiny.onnx", "--images", "data/images", "-o", "int8.onnx", "--report", "r.html", *TINY], 0),
        ("eval", ["--engine", "tiny.onnx", "--data", "data", "--report", "report", *TINY], 0),
        ("identify", ["tiny.onnx", "--data", "data", "-o", "r.toml", "--report", "r.html", "--labels", "a,b,c"], 0),
        ("audit", ["tiny.onnx", "tiny.onnx", "--images", "data/images", "--report", "a.html", "--labels", "a,b,c"], 0),
        ("bench", ["--engine", "tiny.onnx", "--seconds", "0.3", "--repeats", "1", "--warmup", "0", "--idle", "0.1",
                   "--output", "b.html", *TINY], 1),
        ("doctor", [], 0),
        ("build", [ENGINE], None),
        ("power", [], 0),
        ("zoo", ["list"], 0),
        ("zoo", ["get", "yolox_nan"], 1),
        ("detect", ["--engine", "yolox_nano", "--source", "demo"], 1),
    ],
)  # fmt: skip
def test_a_command_reaches_nothing_and_leaves_nothing(name, flags, code, work, tmp_path) -> None:
    shutil.copytree(work, tmp_path / "work")
    folder = tmp_path / "work"
    assert calls(["-m", f"edge_runtime.cli.{name}", *flags], folder, code) == []
    assert left_in(folder / "home") == []


def test_the_test_would_see_a_lookup(tmp_path) -> None:
    code = "import socket, contextlib\nwith contextlib.suppress(OSError): socket.getaddrinfo('example.invalid', 80)"
    seen = calls(["-c", code], tmp_path)
    direct = calls(["-c", "import socket; socket.socket(2, 2).connect_ex(('192.0.2.1', 9))"], tmp_path)
    assert direct and (seen or not Path("/etc/resolv.conf").read_text(encoding="utf-8").strip())
    calls(["-c", "import pathlib; (pathlib.Path.home() / 'intel').write_text('')"], tmp_path)
    assert left_in(tmp_path / "home") == ["intel"]
