"""docker/run.sh with an executable in docker's place that writes down how it is called."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest
from standins import nvpmodel as standin

from edge_runtime.jetson import nvpmodel

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

# Both append one line to `log`. The container takes as long, and ends as the environment says.
DOCKER = """
import json, os, sys, time
log = open(os.environ["LOG"], "a")
print(json.dumps(["docker", *sys.argv[1:]]), file=log, flush=True)
if sys.argv[1] == "run":
    time.sleep(float(os.environ.get("SLEEP_S", 0)))
    if "WRITES" in os.environ:
        open(sys.argv[sys.argv.index("--output") + 1], "w").write("rows")
    sys.exit(int(os.environ.get("CODE", 0)))
"""
HOST = """
import json, os, sys
print(json.dumps(["host", *sys.argv[1:]]), file=open(os.environ["LOG"], "a"))
if sys.argv[1:3] == ["set", "REFUSED"]:
    print("error: REFUSED needs a reboot", file=sys.stderr)
    sys.exit(1)
print("done")
"""


class Machine:
    """A folder that stands for `/`, and run.sh in it."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root, self.log = folder, root, folder / "log"
        self.log.touch()
        self.environment = {
            "DOCKER": executable(folder / "docker", DOCKER), "EDGE_HOST": executable(folder / "host", HOST),
            "EDGE_SYSROOT": str(root), "LOG": str(self.log), "HOME": str(folder), "PATH": os.environ["PATH"],
        }  # fmt: skip

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(REPOSITORY / "docker" / "run.sh"), *arguments], env={**self.environment, **environment},
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=heed_signals,
        )  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def calls(self) -> List[List[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def steps(self) -> List[str]:
        """What was called, in order: "set 15W", "run", "stop", "restore"."""
        return [" ".join(call[1:3] if call[1] == "set" else call[1:2]) for call in self.calls()]

    def container(self) -> List[str]:
        """How the only container was run."""
        (call,) = (call for call in self.calls() if call[1] == "run")
        return call


def heed_signals() -> None:
    """What runs in the background is started deaf to Ctrl-C, and no shell can undo that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def executable(path: Path, code: str) -> str:
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)
    return str(path)


def value(call: List[str], flag: str) -> List[str]:
    return [after for word, after in zip(call, call[1:]) if word == flag]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def orin(tmp_path: Path) -> Machine:
    """A board of JetPack 6 with one camera."""
    root = tmp_path / "root"
    write(root / "etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n")
    write(root / "proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0")
    write(root / "var/lib/nvpmodel/status", "pmode:0001\n")
    write(root / "dev/video0", "")
    return Machine(tmp_path, root)


def test_the_mode_is_set_before_and_put_back_after(orin):
    done = orin.run("--power-mode", "15W", "--jetson-clocks", "--", "edge-detect", "--camera", "0")
    assert (done.returncode, done.stdout) == (0, "") and orin.steps() == ["set 15W", "run", "restore"]
    (setting, container, _) = orin.calls()
    assert "--jetson-clocks" in setting and value(setting, "--owner")[0].isdigit()
    assert container[-4:] == ["edge-runtime:jetpack6", "edge-detect", "--camera", "0"]


def test_without_a_mode_the_host_is_left_alone(orin):
    assert orin.run("edge-doctor").returncode == 0 and orin.steps() == ["run"]


def test_the_command_s_exit_code_is_ours_and_the_mode_is_put_back(orin):
    assert orin.run("--power-mode", "15W", "detect", CODE="3").returncode == 3
    assert orin.steps() == ["set 15W", "run", "restore"] and orin.container()[-1] == "edge-detect"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_container_and_puts_the_mode_back(orin, number):
    started = time.monotonic()
    process = orin.start("--power-mode", "15W", "edge-detect", SLEEP_S="60")
    try:
        while orin.steps() != ["set 15W", "run"]:
            assert time.monotonic() < started + TIMEOUT_S and process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert process.returncode == 128 + number and orin.steps() == ["set 15W", "run", "stop", "restore"]
    assert orin.calls()[-2][-1] == value(orin.container(), "--name")[0]


def test_a_sweep_goes_on_where_rows_are_not_valid(orin):
    """edge-bench then ends with 1, and its file says why; without a file it is an error."""
    assert orin.run("--power-modes", "15W,30W", "bench", "--output", "b.json", CODE="1").returncode == 1
    assert orin.steps() == ["set 15W", "run", "restore"]
    orin.log.write_text("")
    done = orin.run("--power-modes", "15W,30W", "bench", "--output", "b.json", CODE="1", WRITES="1")
    assert done.returncode == 1 and orin.steps() == ["set 15W", "run", "set 30W", "run", "run", "restore"]


def test_a_refusal_ends_it_before_the_container(orin):
    done = orin.run("--power-mode", "REFUSED", "edge-detect")
    assert done.returncode == 1 and "needs a reboot" in done.stderr and orin.steps() == ["set REFUSED", "restore"]


def test_a_sweep_runs_once_per_mode_and_merges(orin):
    done = orin.run("--power-modes", "15W,30W", "bench", "--engine", "a.plan", "--output", "out/b.json", "--runs", "2")
    assert done.returncode == 0, done.stderr
    assert orin.steps() == ["set 15W", "run", "set 30W", "run", "run", "restore"]
    first, second, merge = (
        call[call.index("edge-runtime:jetpack6") + 1 :] for call in orin.calls() if call[1] == "run"
    )
    command = ["edge-bench", "--engine", "a.plan", "--runs", "2", "--output"]
    assert first == [*command, "out/b.15W.json"] and second == [*command, "out/b.30W.json"]
    assert merge == ["edge-bench", "merge", "out/b.15W.json", "out/b.30W.json", "--output", "out/b.json"]


def test_a_sweep_ends_at_a_refusal_and_keeps_the_rows_so_far(orin):
    done = orin.run("--power-modes", "15W,REFUSED,30W", "bench", "--output", "b.json")
    assert done.returncode == 1 and orin.steps() == ["set 15W", "run", "set REFUSED", "restore"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--image"], ["--speed", "edge-detect"], ["--jetson-clocks", "edge-detect"],
     ["--power-modes", "15W", "edge-detect"], ["--power-modes", "15W", "bench"],
     ["--power-modes", "15W", "bench", "--output", "/elsewhere/b.json"]],
)  # fmt: skip
def test_wrong_usage_changes_nothing(orin, arguments):
    done = orin.run(*arguments)
    assert done.returncode == 2 and "hint: " in done.stderr and orin.calls() == []


def test_a_camera_is_given_where_it_is_asked_for(orin):
    orin.run("--camera", "0", "edge-detect")
    assert value(orin.container(), "--device") == [f"{orin.root}/dev/video0:/dev/video0"]


def test_no_camera_is_given_unasked(orin):
    orin.run("edge-detect")
    assert "--device" not in orin.container()


def test_a_camera_that_is_not_there_ends_it_before_anything(orin):
    done = orin.run("--camera", "/dev/video7", "--power-mode", "15W", "edge-detect")
    assert done.returncode == 1 and "/dev/video7" in done.stderr and orin.calls() == []


def test_what_is_there_is_mounted(orin):
    (orin.root / "tmp").mkdir()
    (orin.root / "tmp/argus_socket").touch()
    orin.run("edge-detect")
    mounts = {mount.split(":")[1]: mount for mount in value(orin.container(), "--volume")}
    assert mounts["/tmp/argus_socket"] == f"{orin.root}/tmp/argus_socket:/tmp/argus_socket"
    assert mounts["/var/lib/nvpmodel"].endswith(":ro") and mounts["/etc/nv_tegra_release"].endswith(":ro")
    assert mounts["/work"] == f"{orin.folder}:/work" and value(orin.container(), "--runtime") == ["nvidia"]
    assert "/tmp/nv_jetson_model" in mounts and not Path(mounts["/tmp/nv_jetson_model"].split(":")[0]).exists()
    assert "/run/jtop.sock" not in mounts and "-t" not in orin.container()


@pytest.mark.parametrize(
    ("release", "image"),
    [("# R35 (release), REVISION: 4.1, x", "jetpack5"), ("# R38 (release), REVISION: 2.0, x", "jetpack7"),
     ("# R39 (release), REVISION: 2.0, x", "jetpack7"), ("", "x86")],
)  # fmt: skip
def test_the_machine_chooses_the_image(orin, release, image):
    write(orin.root / "etc/nv_tegra_release", f"{release}\n")
    orin.run("edge-doctor")
    assert orin.container()[-2:] == [f"edge-runtime:{image}", "edge-doctor"]


def test_a_board_too_old_and_an_image_of_one_s_own(orin):
    assert orin.run("--image", "mine:1", "edge-doctor").returncode == 0 and "mine:1" in orin.container()
    write(orin.root / "etc/nv_tegra_release", "# R32 (release), REVISION: 7.1, x\n")
    done = orin.run("edge-doctor")
    assert done.returncode == 1 and "not supported" in done.stderr and len(orin.calls()) == 1


def test_a_dry_run_prints_the_commands_only(orin):
    done = orin.run("--dry-run", "--power-modes", "15W,30W", "bench", "--output", "b.json")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and orin.calls() == [] and not (orin.folder / ".cache").exists()
    assert all(word in line for word, line in zip(("set 15W", "b.15W", "set 30W", "b.30W", "merge", "restore"), lines))
    assert len(lines) == 6


def test_with_the_board_s_own_python(board_tree: Any, tmp_path: Path):
    """No stand-in for the host's command: the mode of a laid-out board changes, and is back."""
    machine = Machine(tmp_path, board_tree("orin-nano_l4t36"))
    standin.install(machine.root, "")
    before = nvpmodel.current_name(machine.root)
    quick = "#!/bin/sh\n[ $1 = restore ] || settle='--settle 0'\n"
    write(tmp_path / "host", f'{quick}exec {sys.executable} -m edge_runtime.jetson "$@" $settle\n')
    seen = f'open({str(tmp_path / "seen")!r}, "w").write(open({str(machine.root / nvpmodel.STATUS)!r}).read())\n'
    executable(tmp_path / "docker", f"{seen}{DOCKER}")
    done = machine.run("--power-mode", "15W", "edge-detect", CODE="4")
    assert done.returncode == 4, done.stderr
    assert (tmp_path / "seen").read_text().strip() == "pmode:0000" and before != "15W"
    assert nvpmodel.current_name(machine.root) == before and machine.steps() == ["run"]
