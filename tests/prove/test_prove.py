"""Whole proofs over the stand-ins: one in which every step passes, and one for each of many injected faults.

The processes of the steps are real ones; `tests/standins/site` puts the stand-ins into them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, List

import onnxruntime
import pytest

from edge_runtime.cli import doctor
from edge_runtime.prove import Proof, prove, reading
from edge_runtime.prove import steps as rooms
from edge_runtime.prove.steps import FAILED, PASSED, SKIPPED, Step
from tests.native import kernels
from tests.standins import driver

REPOSITORY = Path(__file__).resolve().parents[2]
BOARD = "orin-nano_l4t36"


@pytest.fixture(scope="session")
def host_kernels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The kernels compiled for the host, once for all processes."""
    return str(kernels.compiled(tmp_path_factory.mktemp("kernels") / "kernels.so"))


@pytest.fixture
def standins(monkeypatch: pytest.MonkeyPatch, host_kernels: str) -> Callable[..., None]:
    """From now on processes that are started find a GPU and TensorRT, or faults."""

    def put(*faults: str) -> None:
        monkeypatch.syspath_prepend(str(REPOSITORY))
        monkeypatch.syspath_prepend(str(REPOSITORY / "tests/standins/site"))
        monkeypatch.setenv("EDGE_STANDINS", ",".join(["on", *faults]))
        monkeypatch.setenv("EDGE_HOST_KERNELS", host_kernels)
        monkeypatch.setenv("EDGE_HOST_DRIVER", driver.path())

    return put


@pytest.fixture
def machine(board_tree: Callable[[str], Path], standins: Callable[..., None]) -> Callable[..., Path]:
    """A board with a camera, and the stand-ins."""

    def lay(*faults: str) -> Path:
        standins(*faults)
        root = board_tree(BOARD)
        (root / "dev").mkdir()
        (root / "dev/video0").write_text("", encoding="utf-8")
        return root

    return lay


def of(proof: Proof, state: str) -> List[str]:
    return [step.name for step in proof.steps if step.state == state]


MODELS = ["fp16", "graph"]
NEEDED = ("numpy", "native core", "OpenCV", "ONNX Runtime", "TensorRT", "pycuda")
TRIED = (  # the second precision aside, which takes as long again
    *(f"import {name}" for name in NEEDED), "GPU", "compiler", "kernels", "one layer", "fp16", "graph",
    "camera /dev/video0", "rails", "caps",
)  # fmt: skip
OLD = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 20)
FAULTS = {  # what is broken -> the step that fails, the cause that it gives, and the steps that need it
    "bit": ("kernels", "letterbox float32: values that differ: 2, expected 0", []),
    "compiler": (
        "compiler",
        "nvcc 12.6 does not compile the kernels for sm_87: nvcc fatal",
        ["kernels", "one layer", *MODELS],
    ),
    "builder": ("one layer", "TensorRT cannot build the network", MODELS),
    "abort": ("import TensorRT", "its process was ended by SIGABRT", ["one layer", *MODELS]),
    "pycuda": ("import pycuda", "pycuda is not installed", ["kernels", "one layer", *MODELS]),
    "graph": ("graph", "cuStreamBeginCapture_v2 failed: CUresult 900", []),
    "boxes": ("fp16", "boxes differ from ONNX Runtime's", []),
    "camera": ("camera /dev/video0", "camera /dev/video0 stopped giving frames", []),
    "rail": ("rails", "VDD_IN cannot be read: EACCES of /sys/devices/platform/bus@0/c240000.i2c", []),
    "crash": ("kernels", "its process was ended by SIGSEGV", []),
}


def broken_nvcc(folder: Path) -> Path:
    program = folder / "nvcc"
    program.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo release 12.6 || { echo nvcc fatal error 1 >&2; exit 1; }\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return folder


def test_every_step_passes_and_a_person_reads_it(machine, tmp_path, capsys, monkeypatch):
    root, file = machine(), tmp_path / "proof.json"
    if OLD:  # as the stand-in of TensorRT it rounds float16 between Q and DQ otherwise: see tests/graph/test_half.py
        only(monkeypatch, *TRIED, "import OpenVINO", "import GStreamer")
    before = sorted(root.rglob("*"))
    code = doctor.main(["--prove", "-o", str(file), "--sysroot", str(root)])
    shown = capsys.readouterr().out
    content = json.loads(file.read_text(encoding="utf-8"))
    assert code == 0 and content["ok"] and content["complete"], shown
    assert {step["state"] for step in content["steps"]} <= {PASSED, SKIPPED}
    assert [step["name"] for step in content["steps"] if step["state"] == SKIPPED] in ([], ["import GStreamer"])
    fp16 = next(step["figures"] for step in content["steps"] if step["name"] == "fp16")
    assert fp16["model"] == "yolo_nano_voc" and fp16["copied"]["boxes"] == fp16["mapped"]["boxes"] >= 10
    assert set(fp16["us"]) == {"fill", "copy", "letterbox", "network", "decode_nms", "all"} and fp16["copied_us"] > 0
    rails = next(step["figures"] for step in content["steps"] if step["name"] == "rails")
    assert (
        rails["idle"]["rails_w"]["VDD_IN"] == rails["under_load"]["rails_w"]["VDD_IN"] == pytest.approx(4.654, abs=2e-3)
    )
    assert sorted(root.rglob("*")) == before, "it changes nothing"
    assert "Everything is proved." in shown and "MAXN_SUPER: all 15 caps" in shown and "Orin Nano" in shown
    assert doctor.main(["--read", str(file)]) == 0
    again = capsys.readouterr().out
    assert again.splitlines() == [line for line in shown.splitlines() if not line.startswith("Send back")]
    assert doctor.main(["--json", "--sysroot", str(file), "--record", str(tmp_path / "board.json")]) == 0
    assert json.loads((tmp_path / "board.json").read_text(encoding="utf-8"))["files"] == content["tree"]["files"]


@pytest.mark.parametrize("fault", FAULTS)
def test_exactly_the_step_of_a_fault_fails(machine, tmp_path, monkeypatch, fault):
    name, cause, needing = FAULTS[fault]
    root = machine("tiny", fault)
    if fault == "compiler":
        monkeypatch.setenv("PATH", f"{broken_nvcc(tmp_path)}:/usr/bin:/bin")
    only(monkeypatch, *TRIED)
    proof = prove(root)
    found = {step.name: step for step in proof.steps}
    assert of(proof, FAILED) == [name] and not proof.ok, [(step.name, step.said) for step in proof.steps]
    assert cause in found[name].said and found[name].hint
    assert of(proof, SKIPPED) == needing and all("it needs the step" in found[step].said for step in needing)
    assert f"Not proved: {name} failed." in reading.verdict(proof.to_dict())


def test_caps_that_differ_from_the_mode(machine, monkeypatch):
    root = machine()
    next(root.glob("sys/class/devfreq/*/max_freq")).write_text("612000000\n", encoding="utf-8")
    only(monkeypatch, "caps")
    proof = prove(root)
    assert of(proof, FAILED) == ["caps"] and "GPU MAX_FREQ is 612000000" in proof.steps[-1].said


@pytest.mark.parametrize("misbehave", ["", "half", "eacces", "reboot"])
def test_a_power_mode_is_set_read_back_and_put_back_or_did_not_take(live_board, standins, monkeypatch, misbehave):
    root = live_board(BOARD, misbehave)
    standins()
    only(monkeypatch, "power mode")
    proof = prove(root, "15W")
    step = proof.steps[-1]
    if misbehave:
        assert of(proof, FAILED) == ["power mode"] and step.hint
    else:
        assert step.state == PASSED and "15W was set" in step.said and "MAXN_SUPER is back" in step.said
    assert (root / "var/lib/nvpmodel/status").read_text(encoding="utf-8") == "pmode:0002\n"


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leaves other steps out, where they are of no interest."""

    def chosen(*arguments: object) -> List[Step]:
        return [step for step in rooms.listed(*arguments) if step.name in names]

    monkeypatch.setattr("edge_runtime.prove.listed", chosen)


def test_without_a_gpu_it_is_said_on_a_computer_and_a_failure_on_a_board(machine, board_tree, monkeypatch):
    root = machine("gpu")
    only(monkeypatch, "GPU", "compiler")
    proof = prove(root)
    assert of(proof, FAILED)[0] == "GPU" and proof.steps[1].said.startswith("no GPU: ") and not proof.ok
    proof = prove(board_tree("x86-rapl"))
    assert of(proof, FAILED) == [] and not proof.ok and proof.missing.startswith("no GPU: ")
    assert "Not proved: no GPU: libcuda.so.1 does not load." in reading.verdict(proof.to_dict())


@pytest.mark.parametrize("version", ["8.5", "11", "rtx"])
def test_one_layer_is_built_and_run_by_every_kind_of_tensorrt(machine, monkeypatch, version):
    needed = ("numpy", "native core", "TensorRT", "pycuda")
    only(monkeypatch, "GPU", "compiler", "one layer", *(f"import {name}" for name in needed))
    proof = prove(machine(version))
    assert {step.state for step in proof.steps} == {PASSED} and "rt" in proof.steps[-1].said
