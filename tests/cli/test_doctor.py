from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from edge_runtime import doctor as room
from edge_runtime.cli import doctor
from edge_runtime.doctor import machine, missing_parts
from edge_runtime.doctor.check import Check
from edge_runtime.gpu import cuda_driver
from edge_runtime.jetson import board

Tree = Callable[[str], Path]


def report(capsys: pytest.CaptureFixture[str], root: Path) -> Dict[str, Dict[str, Any]]:
    """The doctor's JSON for a tree, by name of check."""
    doctor.main(["--json", "--quick", "--sysroot", str(root)])
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}


@pytest.mark.parametrize(
    ("name", "model", "jetpack", "sensors"),
    [
        ("orin-nano_l4t36",
         "Jetson Orin Nano 8GB (NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super, tegra234)",
         "6.2 (Jetson Linux 36.4.3)", "ina3221"),
        ("xavier-nx_l4t35", "Jetson Xavier NX 8GB (NVIDIA Jetson Xavier NX Developer Kit, tegra194)",
         "5.1.1 (Jetson Linux 35.3.1)", "ina3221"),
        ("agx-thor_l4t38", "Jetson AGX Thor T5000 128GB (NVIDIA Jetson AGX Thor Developer Kit, tegra264)",
         "7.1 (Jetson Linux 38.4.0)", "ina238, ina3221"),
        ("agx-xavier_l4t35", "Jetson AGX Xavier (NVIDIA Jetson AGX Xavier Developer Kit, tegra194)",
         "5.1.1 (Jetson Linux 35.3.1)", "ina3221"),
    ],
)  # fmt: skip
def test_boards(
    board_tree: Tree, capsys: pytest.CaptureFixture[str], name: str, model: str, jetpack: str, sensors: str
) -> None:
    found = report(capsys, board_tree(name))
    assert [found[key]["detail"] for key in ("board", "JetPack", "power sensors")] == [model, jetpack, sensors]
    assert all(found[key]["ok"] for key in ("board", "JetPack", "power sensors"))


@pytest.mark.parametrize("name", ["nano_l4t32", "agx-xavier_l4t32"])
def test_jetpack_4_is_refused_in_one_sentence(board_tree: Tree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    found = report(capsys, board_tree(name))
    assert not found["JetPack"]["ok"] and "is not supported: its Python 3.6" in found["JetPack"]["detail"]
    assert found["power sensors"]["detail"] == "ina3221"


def test_a_computer_with_rapl(board_tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, board_tree("x86-rapl"))
    assert found["power sensors"]["detail"] == "rapl"
    assert found["board"]["detail"] == f"not a Jetson ({platform.machine()})"


def test_l4t_falls_back_to_the_installed_package(tmp_path: Path) -> None:
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: nvidia-l4t-apt-source\nVersion: 1.0\n\nPackage: nvidia-l4t-core\nStatus: install ok installed\n"
        "Version: 36.4.7-20250918154033\n\nPackage: zlib\nVersion: 9.9\n",
        encoding="utf-8",
    )
    assert board.l4t(tmp_path) == "36.4.7" and board.is_jetson(tmp_path)
    assert machine.jetpack(tmp_path).detail == "6.2.1 (Jetson Linux 36.4.7)"


def test_an_empty_machine_is_no_jetson(tmp_path: Path) -> None:
    assert (board.model(tmp_path), board.soc(tmp_path), board.l4t(tmp_path)) == ("", "", "")
    assert not board.is_jetson(tmp_path)
    for check in (machine.jetson_board, machine.jetpack, machine.power_sensors):
        assert not check(tmp_path).ok


@pytest.mark.parametrize(
    ("absent", "expected"),
    [
        ([], []),
        (["openvino"], []),
        (["onnxruntime"], []),
        (["onnxruntime", "openvino"], ["a backend"]),
        (["numpy", "native core"], ["numpy", "native core"]),
        (["OpenCV"], ["OpenCV"]),
    ],
)
def test_what_detection_needs(absent: List[str], expected: List[str]) -> None:
    names = ("numpy", "native core", "OpenCV", "onnxruntime", "openvino", "board")
    checks = [Check(name, name not in absent, "") for name in names]
    assert missing_parts(checks) == expected


def test_tensorrt_alone_builds_plans_but_does_not_detect() -> None:
    names = ["numpy", "native core", "OpenCV", "TensorRT", "pycuda", "CUDA driver"]
    assert missing_parts([Check(name, True, "") for name in names]) == []
    assert missing_parts([Check(name, True, "") for name in names[:-1]]) == ["a backend"]
    checks = [*(Check(name, True, "") for name in names), Check("kernels", False, "")]
    assert missing_parts(checks) == ["a backend"], "a plan opens only where kernels can be compiled"


def test_this_machine_can_detect(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"ok  Python         {platform.python_version()}" in out
    assert "ok  native core" in out and "portable" in out
    assert "reads pictures, writes and reads video\n" in out and ", runs on " in out
    assert "\ndetection can run here, with " in out


def test_a_first_screen_without_noise(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a laptop: one line for all that is not there and not needed; `-v` says it one by one."""
    monkeypatch.setattr(cuda_driver, "driver", lambda: None)
    assert doctor.main(["--quick", "--sysroot", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("--  not here       ") and lines[-2].endswith(" (-v says more)")
    for name in ("CUDA driver", "board", "JetPack", "cameras", "power sensors"):
        assert name in lines[-2] and not any(line[4:].startswith(name) for line in lines)
    assert not any(line.startswith("--") for line in lines[:-2])
    doctor.main(["-v", "--quick", "--sysroot", str(tmp_path)])
    told = capsys.readouterr().out
    assert "--  cameras        no /dev/video*\n" in told and "not here" not in told


def test_json_has_every_check_with_the_same_keys(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    doctor.main(["--json", "--quick", "--sysroot", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["version", "ok", "checks"] and len(told["checks"]) == len(room.ALL)
    assert {tuple(check) for check in told["checks"]} == {("name", "ok", "detail", "fix", "absent")}


def test_without_numpy_it_still_answers() -> None:
    """The package must not need what the doctor is there to find missing."""
    code = "import sys; sys.modules['numpy'] = None; from edge_runtime.cli.doctor import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "error: detection cannot run here without numpy" in done.stderr
    assert "-> pip install numpy" in done.stdout and "Traceback" not in done.stderr


def test_a_library_that_crashes_is_a_line_of_the_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cv2.py").write_text("import os\nos.abort()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert doctor.main([]) == 1
    out, err = capsys.readouterr()
    assert "--  OpenCV         it ended by SIGABRT\n" in out and "without OpenCV\n" in err


def test_a_check_that_breaks_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def jetson_board(root: Path) -> Check:
        raise RuntimeError("bad sector")

    monkeypatch.setattr(room, "ALL", (jetson_board,))
    assert doctor.main(["--sysroot", str(tmp_path)]) == 1
    assert "--  jetson board   the check broke: RuntimeError('bad sector')" in capsys.readouterr().out
    doctor.main(["-v", "--sysroot", str(tmp_path)])
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_and_a_reader_that_leaves_are_no_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(root: Path) -> Check:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "ALL", (interrupted,))
    assert doctor.main([]) == 130
    command = f"{sys.executable} -m edge_runtime.cli.doctor --quick | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("ok  Python") and done.stderr == ""


def test_a_missing_sysroot_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        doctor.main(["--sysroot", str(tmp_path / "none")])
    assert caught.value.code == 2 and "no such directory" in capsys.readouterr().err


def test_it_is_the_module_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_runtime", "--version"], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "0.1.0"
