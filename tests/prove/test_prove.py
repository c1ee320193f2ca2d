"""Whole proofs over the stand-ins: one in which every step passes, and one for each of many injected faults.

The processes of the steps are real ones; `tests/standins/site` puts the stand-ins into them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List

import pytest

from edge_runtime.prove import Proof, prove, reading
from edge_runtime.prove.steps import FAILED
from tests.native import kernels

REPOSITORY = Path(__file__).resolve().parents[2]
BOARD = "agx-xavier_l4t35"


@pytest.fixture(scope="session")
def host_kernels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The kernels compiled for the host, once for all processes."""
    return str(kernels.compiled(tmp_path_factory.mktemp("kernels") / "kernels.so"))


@pytest.fixture
def machine(
    board_tree: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, host_kernels: str
) -> Callable[..., Path]:
    """A board with a camera, whose processes find a GPU and TensorRT, or faults."""

    def lay(*faults: str, board: str = "orin-nano_l4t36") -> Path:
        root = board_tree(board)
        (root / "dev").mkdir()
        (root / "dev/video0").write_text("")
        monkeypatch.syspath_prepend(str(REPOSITORY))
        monkeypatch.syspath_prepend(str(REPOSITORY / "tests/standins/site"))
        monkeypatch.setenv("EDGE_STANDINS", ",".join(["on", *faults]))
        monkeypatch.setenv("EDGE_HOST_KERNELS", host_kernels)
        return root

    return lay


def states(proof: Proof) -> Dict[str, str]:
    return {step.name: step.state for step in proof.steps}


def of(proof: Proof, state: str) -> List[str]:
    return [step.name for step in proof.steps if step.state == state]


def test_every_step_passes(machine):
    proof = prove(machine())
    assert of(proof, FAILED) == [] and proof.ok, reading.text(proof.to_dict())
