"""The shipped model in one precision: built, opened, compared with ONNX Runtime, and timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from edge_runtime import build
from edge_runtime.backends import BackendOptions
from edge_runtime.build import BuildOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import DeviceError
from edge_runtime.gpu import cuda_driver
from edge_runtime.gpu.passport import Passport
from edge_runtime.prove import agree, shipped, timing
from edge_runtime.prove.agree import DETECTED, Limits
from edge_runtime.prove.compiler import own_cache
from edge_runtime.prove.steps import Skip, Task
from edge_runtime.types import Detections

LIMITS = {"fp16": Limits(0.9, 0.03), "int8+fp16": Limits(0.75, 0.15)}
RANDOM = {"fp16": Limits(0.9, 0.03, 0.05), "int8+fp16": Limits(0.7, 0.2, 0.25)}  # for hundreds of meaningless boxes
WANTED = {"fp16": {"half", "float16", "fp16"}, "int8+fp16": {"int8"}}  # one convolution must read one of them
WITHOUT_INT8 = ("5.3", "6.0", "6.2")  # Nano, P100, TX2
MODES = (("copied", False), ("mapped", True))


def prove(task: Task) -> str:
    """Returns layers, boxes and microseconds.

    Raises:
        Skip: INT8 is asked for, and the GPU does not have it.
        ModelError: TensorRT does not build it.
        DeviceError: it does not run as it should. Everything that was measured is kept.
    """
    own_cache(task)
    model, precision, pictures = shipped.find_models(Path(task.folder)), task.argument, shipped.pictures()
    _refuse(precision)
    path, plan = model.int8 if precision.startswith("int8") else model.path, Path(task.folder, f"{precision}.plan")
    with Detector.open(path, options=BackendOptions("onnxruntime"), conf=DETECTED) as host:
        expected, spec = [host(picture) for picture in pictures], host.model.spec
    made = build.build(build.load_input(path, spec), plan, BuildOptions(precision, root=task.board))
    task.figures.update(_built(model.name, plan, made))
    faults, limits = _types(precision, made), (RANDOM if model.random else LIMITS)[precision]
    for name, mapped in MODES:
        options = BackendOptions(slots=1, zero_copy=mapped, golden=False)  # all boxes are compared
        with Detector.open(str(plan), options=options, conf=DETECTED) as device:
            faults += _boxes(task, name, expected, [device(picture) for picture in pictures], limits)
            task.figures[f"{name}_us"] = timing.frame(device.backend, pictures[0])
            if not mapped:
                task.figures["us"] = timing.stages(device.backend, pictures[0])
    if faults:
        raise DeviceError("; ".join(faults), hint="the proof holds all figures: send it back")
    return _said(task.figures, made)


def _refuse(precision: str) -> None:
    """Raises Skip if the GPU does not compute in INT8."""
    capability = cuda_driver.compute_capability()
    if precision.startswith("int8") and capability in WITHOUT_INT8:
        raise Skip(f"a GPU of compute capability {capability} does not compute in INT8")


def _said(figures: Dict[str, Any], made: Passport) -> str:
    stages = ", ".join(f"{name} {value:.0f}" for name, value in figures["us"].items())
    frames = " and ".join(f"{figures[f'{name}_us']:.0f} us with images {name}" for name, _ in MODES)
    return (
        f"{figures['model']}: built in {made.seconds:.0f} s, {_listed(made)}; {figures['copied']['boxes']} boxes as "
        f"ONNX Runtime's; a frame takes {frames}; on the GPU, us: {stages}"
    )


def _built(name: str, plan: Path, made: Passport) -> Dict[str, Any]:
    return {
        "model": name, "build_s": made.seconds, "bytes": plan.stat().st_size, "layers": dict(made.layers),
        "convolutions": dict(made.convolutions), "tensorrt": made.place.tensorrt,
    }  # fmt: skip


def _listed(made: Passport) -> str:
    if not made.convolutions:
        return "its layers are not listed"
    return "convolutions: " + ", ".join(f"{count} {kind}" for kind, count in made.convolutions.items())


def _types(precision: str, made: Passport) -> List[str]:
    """Refuses an engine in which no layer runs in the wanted precision."""
    if not made.convolutions or {kind.lower() for kind in made.convolutions} & WANTED[precision]:
        return []
    return [f"no convolution runs in {precision}: {_listed(made)}"]


def _boxes(task: Task, name: str, expected: List[Detections], found: List[Detections], limits: Limits) -> List[str]:
    agreement = agree.compare_boxes(expected, found, limits)
    task.figures[name] = agreement.figures(limits)
    if not agreement.boxes:
        return ["ONNX Runtime finds nothing in the pictures, so there is nothing to compare with"]
    if not agreement.within(limits):
        return [
            f"boxes differ from ONNX Runtime's: {agreement.alone} have no partner with an overlap of {limits.iou:g} "
            f"and a confidence within {limits.score:g} ({agreement.boxes} boxes, images {name})"
        ]
    return []
