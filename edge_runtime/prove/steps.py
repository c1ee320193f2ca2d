"""The steps of a proof, in order: what each step does, how long it may take, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from edge_runtime.jetson import video_nodes

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
GPU = "GPU"
PLANS = ("fp16.plan", "int8+fp16.plan")  # in a proof's folder, once their steps have built them
NUMPY = ("import numpy",)


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: as it is shown.
        room: module of this package whose `prove(task)` runs the step.
        argument: for that module.
        limit_s: seconds after which it is ended.
        needs: steps that must have passed before.
        must: whether the proof is worth nothing without it.
        jetson: a Jetson has everything for this step, so a skip there counts as a failure.
    """

    name: str
    room: str
    argument: str = ""
    limit_s: float = 60.0
    needs: Tuple[str, ...] = ()
    must: bool = True
    jetson: bool = True


@dataclass(frozen=True)
class StepResult:
    """Result of a step.

    Attributes:
        state: PASSED, FAILED or SKIPPED.
        said: one sentence: what was found, why it failed, or why it was skipped.
        hint: the way out of a failure.
        figures: everything that was measured.
    """

    name: str
    state: str
    said: str
    hint: Optional[str] = None
    seconds: float = 0.0
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Task:
    """What the process of a step is told, and what it measures.

    Attributes:
        root: stands for `/`.
        folder: shared by all steps of a proof, and removed after it.
        figures: what was measured. The proof keeps it, also after a failure.
    """

    room: str
    argument: str
    root: str
    folder: str
    figures: Dict[str, Any] = field(default_factory=dict)

    @property
    def board(self) -> Path:
        """The root, as a path."""
        return Path(self.root)


class Skip(Exception):
    """Ends a step that has nothing to do. Gives the reason, and a hint how to change that."""

    def __init__(self, reason: str, hint: Optional[str] = None) -> None:
        super().__init__(reason)
        self.hint = hint


def listed(root: Path, power_mode: str = "") -> List[Step]:
    """All steps of a machine."""
    compares = ("import numpy", "import native core", "import OpenCV", "import ONNX Runtime")
    model, runs = ("one layer", *compares), ("import TensorRT", "import pycuda", "compiler", "import native core")
    found = [
        *(Step(f"import {name}", "basics", name) for name in ("numpy", "native core")),
        *(Step(f"import {name}", "libraries", name, 60.0, NUMPY) for name in ("OpenCV", "ONNX Runtime")),
        *(Step(f"import {name}", "libraries", name, 60.0, NUMPY, False, False) for name in ("OpenVINO", "GStreamer")),
        Step(GPU, "gpu"),
        Step("import TensorRT", "libraries", "TensorRT", 120.0, NUMPY),
        Step("import pycuda", "libraries", "pycuda", 60.0, (GPU, *NUMPY)),
        Step("compiler", "compiler", limit_s=180.0, needs=(GPU, *NUMPY)),
        Step("kernels", "kernels", limit_s=120.0, needs=("compiler", "import pycuda", "import native core")),
        Step("one layer", "layer", limit_s=180.0, needs=runs),
        Step("fp16", "model", "fp16", 900.0, model),
        Step("int8+fp16", "model", "int8+fp16", 900.0, model, must=False, jetson=False),
        Step("graph", "graph", limit_s=120.0, needs=model, jetson=False),
        *_cameras(root),
        Step("rails", "rails", limit_s=120.0, needs=compares, must=False),
        Step("caps", "caps", must=False, jetson=False),
    ]
    return [*found, Step("power mode", "power_mode", power_mode, 120.0)] if power_mode else found


def _cameras(root: Path) -> List[Step]:
    """One step for each camera, or one step that says that there is no camera."""
    nodes = video_nodes.look(root)
    targets = [target for target in (video_nodes.target(node, nodes) for node in nodes) if target]
    steps = [Step(f"camera {target}", "camera", target, 60.0, _opened_by(target), False) for target in targets]
    return steps or [Step("cameras", "camera", "", 60.0, NUMPY, False, False)]


def _opened_by(target: str) -> Tuple[str, ...]:
    return ("import GStreamer",) if target.startswith("csi:") else ("import OpenCV",)
