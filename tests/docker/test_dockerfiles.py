"""What every Dockerfile must have, and what hadolint says about it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docker"
NAMES = ("jetpack5", "jetpack6", "jetpack7", "x86")
BOARDS = NAMES[:3]
BESIDE = str(Path(sys.executable).parent)


def lines(name: str, instruction: str) -> List[str]:
    text = (FOLDER / f"Dockerfile.{name}").read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{instruction} +(.*)$", text, re.M)


def tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=BESIDE)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install {name}-{'bin' if name == 'hadolint' else 'py'}")
    return found


def test_there_is_no_other():
    assert sorted(p.name for p in FOLDER.glob("Dockerfile.*[!e]")) == [f"Dockerfile.{name}" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_bases_are_pinned_and_stages_build_on_each_other(name):
    stages = [line.split() for line in lines(name, "FROM")]
    named = {words[2] for words in stages if len(words) == 3}
    assert len(stages) > 1 and named and "--from=builder" in lines(name, "COPY")[-1]
    for base in {words[0] for words in stages} - named:
        version = re.search(r":(\w[\w.-]*)$|@sha256:[0-9a-f]{64}$", base)
        assert version and version.group(1) != "latest" and re.search(r"\d+\.\d+", base)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_a_user_and_says_how_it_is(name):
    last = (FOLDER / f"Dockerfile.{name}").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.M)[-1] not in ("root", "0")
    (health,) = re.findall(r"^HEALTHCHECK .*CMD (.*)$", last, re.M)
    assert health == '["edge-doctor", "--quick", "--json"]' and re.search(r'^CMD \["edge-doctor"\]$', last, re.M)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_keeps_its_own_opencv_and_the_numpy_it_was_built_for(name):
    text = "".join(lines(name, "RUN"))
    assert "--system-site-packages" in text and text.count("'numpy<2'") == 2
    assert "libopencv-python" in text and not re.search(r"opencv-python-headless|pip install[^&]*opencv|\[cpu", text)


def test_the_opencv_of_pip_has_the_numpy_of_its_age():
    assert "".join(lines("x86", "RUN")).count("'numpy>=2'") == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_build_ends_where_the_libraries_do_not_work_together(name):
    check = [line for line in lines(name, "RUN") if "/opt/edge/bin/python /src/docker/check.py" in line]
    assert len(check) == 1 and not re.search(r"check\.py[^&]*(\|\||;)", check[0])
    assert name == "x86" or check[0].endswith("tensorrt pycuda")


@pytest.mark.parametrize("name", NAMES)
def test_edge_calibrate_has_its_onnxruntime(name):
    wanted = "[cpu" if name == "x86" else " onnxruntime "
    assert all(wanted in line for line in re.findall("pip (?:wheel|install).*?(?:&&|$)", "".join(lines(name, "RUN")))
               if "--wheel-dir" in line or "--find-links" in line)  # fmt: skip


@pytest.mark.parametrize("name", BOARDS)
def test_gstreamer_and_its_python_are_installed(name):
    text = "".join(lines(name, "RUN"))
    for package in ("python3-gi", "gstreamer1.0-tools", "gstreamer1.0-plugins-good", "gstreamer1.0-plugins-bad",
                    "gstreamer1.0-plugins-ugly", "gir1.2-gst-rtsp-server-1.0"):  # fmt: skip
        assert package in text


@pytest.mark.parametrize("name", BOARDS)
def test_the_environment_asks_the_runtime_for_cameras_and_decoders(name):
    last = (FOLDER / f"Dockerfile.{name}").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert "NVIDIA_VISIBLE_DEVICES=all" in last  # without it the runtime does nothing
    (capabilities,) = re.findall(r"NVIDIA_DRIVER_CAPABILITIES=(\S+)", last)
    assert capabilities.split(",") == ["compute", "video", "utility", "graphics"]


def test_jetpack_5_loads_what_wants_static_tls_first():
    preload = "LD_PRELOAD=libgomp.so.1:libGLdispatch.so.0"
    assert preload in lines("jetpack5", "ENV") and "libgomp1 libglvnd0" in "".join(lines("jetpack5", "RUN"))


def test_jetpack_6_has_the_library_that_tensorrt_links_to():
    assert any("nvidia-l4t-dla-compiler" in line for line in lines("jetpack6", "RUN"))


def test_jetpack_7_is_made_of_the_packages_of_its_release():
    assert lines("jetpack7", "FROM")[0] == "ubuntu:24.04 AS system"  # an image for ARM servers does not know Orin
    text = "".join(lines("jetpack7", "RUN"))
    assert "l4t_source.sh r39.2 common som" in text
    for package in ("cuda-toolkit-13-2", "nvidia-tensorrt-dev", "nvidia-opencv-dev", "nvidia-l4t-gstreamer"):
        assert f" {package} " in text


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_shell_that_parses(name):
    for step in lines(name, "RUN"):
        done = subprocess.run(["sh", "-n", "-c", step], capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, done.stderr) == (0, ""), step


def test_all_ignore_the_same_files():
    texts = {(FOLDER / f"Dockerfile.{name}.dockerignore").read_text(encoding="utf-8") for name in NAMES}
    (text,) = texts
    copied = {word for name in NAMES for line in lines(name, "COPY") for word in line.split()[:-1]}
    assert {word for word in copied if not word.startswith(("--from", "/"))} == set(re.findall("^!(.*)$", text, re.M))


@pytest.mark.parametrize("name", NAMES)
def test_hadolint_finds_nothing(name):
    command = [tool("hadolint"), "--no-color", str(FOLDER / f"Dockerfile.{name}")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_shellcheck_finds_nothing():
    scripts = [str(FOLDER / "run.sh"), str(FOLDER / "l4t_source.sh"), str(FOLDER.parent / "tools" / "docker_check.sh")]
    done = subprocess.run([tool("shellcheck"), *scripts], capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
