from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from edge_runtime import doctor as room
from edge_runtime.cli import doctor
from edge_runtime.doctor import libraries, machine, missing_parts
from edge_runtime.doctor.check import Check
from edge_runtime.jetson import board

Tree = Callable[[str], Path]


def report(capsys: pytest.CaptureFixture[str], root: Path) -> Dict[str, Dict[str, Any]]:
    """The doctor's JSON for a tree, by name of check."""
    doctor.main(["--json", "--sysroot", str(root)])
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}


@pytest.mark.parametrize(
    ("name", "model", "jetpack", "sensors"),
    [
        ("orin-nano_l4t36", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super (tegra234)",
         "6 (Jetson Linux 36.4.3)", "ina3221"),
        ("xavier-nx_l4t35", "NVIDIA Jetson Xavier NX Developer Kit (tegra194)", "5 (Jetson Linux 35.3.1)", "ina3221"),
        ("agx-thor_l4t38", "NVIDIA Jetson AGX Thor Developer Kit (tegra264)", "7 (Jetson Linux 38.4.0)",
         "ina238, ina3221"),
        ("agx-xavier_l4t35", "NVIDIA Jetson AGX Xavier Developer Kit (tegra194)", "5 (Jetson Linux 35.3.1)",
         "ina3221"),
    ],
)  # fmt: skip
def test_boards(
    board_tree: Tree, capsys: pytest.CaptureFixture[str], name: str, model: str, jetpack: str, sensors: str
) -> None:
    found = report(capsys, board_tree(name))
    assert [found[key]["detail"] for key in ("board", "JetPack", "power sensors")] == [model, jetpack, sensors]
    assert all(found[key]["ok"] for key in ("board", "JetPack", "power sensors"))
    assert "no aarch64 wheel" in found["onnxruntime"]["fix"]


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
        "Version: 36.4.7-20250918154033\n\nPackage: zlib\nVersion: 9.9\n"
    )
    assert board.l4t(tmp_path) == "36.4.7" and board.is_jetson(tmp_path)
    assert machine.jetpack(tmp_path).detail == "6 (Jetson Linux 36.4.7)"


def test_an_empty_machine_is_no_jetson(tmp_path: Path) -> None:
    assert (board.model(tmp_path), board.soc(tmp_path), board.l4t(tmp_path)) == ("", "", "")
    assert not board.is_jetson(tmp_path)
    for check in (machine.jetson_board, machine.jetpack, machine.power_sensors):
        assert not check(tmp_path).ok


def test_cameras_by_number_with_names(tmp_path: Path) -> None:
    for number in (10, 0, 2):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / f"dev/video{number}").write_text("")
    name = tmp_path / "sys/class/video4linux/video2/name"
    name.parent.mkdir(parents=True)
    name.write_text("HD Pro Webcam C920\n")
    assert machine.cameras(tmp_path) == Check(
        "cameras", True, "/dev/video0, /dev/video2 (HD Pro Webcam C920), /dev/video10"
    )


def test_closed_devices_name_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, to whom everything is open: so the question itself is answered with no."""
    for path in ("dev/video0", "sys/class/powercap/intel-rapl:0/energy_uj"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "usermod -aG video" in str(machine.cameras(tmp_path).fix)
    assert "chmod a+r" in str(machine.power_sensors(tmp_path).fix)


@pytest.mark.skipif(libraries.tensorrt(Path("/nowhere")).ok, reason="TensorRT is visible here")
def test_a_hidden_tensorrt_is_found(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/python3.10/dist-packages/tensorrt").mkdir(parents=True)
    found = libraries.tensorrt(tmp_path)
    assert not found.ok and "/usr/bin/python3.10" in found.detail
    assert str(found.fix).startswith("/usr/bin/python3.10 -m venv --system-site-packages")


def test_build_information_is_read_by_line() -> None:
    text = "  Video I/O:\n    FFMPEG:          YES\n    GStreamer:       NO\n"
    assert libraries._has(text, "FFMPEG") and not libraries._has(text, "GStreamer")
    assert libraries._has("    GStreamer:                   YES (1.20.3)\n", "GStreamer")


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


def test_no_kernel_compiler_and_no_gstreamer_have_ways_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries.kernels.shutil, "which", lambda name: None)
    monkeypatch.setattr(libraries.kernels, "NVCC_PLACES", ())
    monkeypatch.setattr(libraries.kernels, "load_nvrtc", lambda: None)
    check = libraries.kernel_compiler(Path("/"))
    assert not check.ok and "nvrtc" in str(check.fix)
    monkeypatch.setattr(libraries, "_probe", lambda name: (None, "not installed"))
    assert "stream" in str(libraries.gstreamer(Path("/")).fix)


def test_this_machine_can_detect(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"ok  Python         {platform.python_version()}" in out
    assert "ok  native core" in out and "portable" in out


def test_without_numpy_it_still_answers() -> None:
    """The package must not need what the doctor is there to find missing."""
    code = "import sys; sys.modules['numpy'] = None; from edge_runtime.cli.doctor import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: detection cannot run here without numpy" in done.stderr
    assert "-> pip install numpy" in done.stdout and "Traceback" not in done.stderr


def test_a_check_that_breaks_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def jetson_board(root: Path) -> Check:
        raise RuntimeError("bad sector")

    monkeypatch.setattr(room, "ALL", (jetson_board,))
    assert doctor.main(["--sysroot", str(tmp_path)]) == 1
    assert "--  jetson board  the check broke: RuntimeError('bad sector')" in capsys.readouterr().out
    doctor.main(["-v", "--sysroot", str(tmp_path)])
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_sysroot_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        doctor.main(["--sysroot", str(tmp_path / "none")])
    assert caught.value.code == 2 and "no such directory" in capsys.readouterr().err


def test_it_is_the_module_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_runtime", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0.1.0"
