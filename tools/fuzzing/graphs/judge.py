"""Quantises a random network with the tool, and judges the file by independent computations.

A network is right if all of this holds, or if it was refused in our words:

* The file is valid ONNX, opens in ONNX Runtime, and has the float network's outputs with their names and types.
* ONNX Runtime's INT8 kernels compute what the Q/DQ nodes of the file say: the difference is at most the error that
  rounding makes.
* The error against the float network is at most `ALLOWED` times that of the fake-quantised reference. Both are root
  mean squares over all pictures, for each output; the worst output counts. The reference rounds to the same number of
  steps at least where the tool does, so the tool's error can be larger only by chance: two roundings of one network
  fall differently, more so where an output has few values. The form for TensorRT has symmetric ranges, whose steps are
  up to twice as large.
* OpenVINO's error is as small, if it is here and computes the float network right. Where it is not, but the Q/DQ nodes
  that OpenVINO reads are right by their definition, the fault is OpenVINO's. It is counted apart.
* Each Conv, ConvTranspose, Gemm and MatMul with constant weights has them in 8 bits and reads a rounded input, or is
  named among those that stay in float.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import cv2
import numpy as np
import onnx

from edge_runtime import calibrate
from edge_runtime.errors import EdgeError
from edge_runtime.model.spec import ModelSpec
from fuzzing.graphs import draw, evaluate, reference, runtimes, silent
from fuzzing.graphs.scale import ALLOWED, Scale
from fuzzing.graphs.walk import Values

Run = Callable[[onnx.ModelProto, Sequence[np.ndarray]], List[Values]]


@dataclass
class Judged:
    """What was found for one network.

    Attributes:
        said: "quantised", "wrong in OpenVINO: WHAT", "refused: REASON", or "FAULT KIND: WHAT".
        figures: `ratio`, `tensorrt`, `openvino`, `kernels`, errors over the reference's; `error`, `reference`, errors
            over the output's size; `weighted`, `named`, numbers of layers with weights, and of those named as float.
    """

    said: str
    figures: Dict[str, Any] = field(default_factory=dict)


class Fault(Exception):
    """The tool did something wrong; the text begins with its kind."""


class OpenVinoFault(Fault):
    """OpenVINO does not compute what a right file says."""


def judge(drawn: draw.Drawn, method: str = "minmax") -> Judged:
    """Quantises a network by one of the tool's methods, and judges the result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "drawn.onnx")
        drawn.save(path)
        try:
            made = quantised(drawn, path, method)
        except EdgeError as error:
            return Judged(f"refused: {error.message}" if error.message and error.hint else f"FAULT no hint: {error}")
    found = Judged("quantised")
    try:
        examine(drawn, made, found.figures)
    except OpenVinoFault as fault:
        found.said = f"wrong in OpenVINO: {fault}"
    except Fault as fault:
        found.said = f"FAULT {fault}"
    return found


def quantised(drawn: draw.Drawn, path: Path, method: str) -> calibrate.Calibrated:
    """What edge-calibrate makes of the file."""
    images = []
    for number, picture in enumerate(drawn.pictures):
        images.append(str(path.with_name(f"{number}.png")))
        cv2.imwrite(images[-1], picture[..., ::-1])
    std = (1.0,) * 3 if drawn.feeds[0].dtype == np.uint8 else (255.0,) * 3
    return calibrate.calibrate(str(path), ModelSpec("yolov8", drawn.wh, resize="stretch", std=std), images, method)


def examine(drawn: draw.Drawn, made: calibrate.Calibrated, figures: Dict[str, Any]) -> None:
    """Raises Fault where the quantised file is wrong."""
    model = made.model
    _valid(drawn.model, model)
    feeds = [planar(drawn, picture, model) for picture in drawn.pictures]
    plain, fakes = _references(drawn, len(feeds[0]))
    scale = Scale(plain, fakes, drawn.half)
    walk, literal = _literal(model, feeds)
    _named(made, walk, figures)
    runs = _computed("not opened", runtimes.by_onnxruntime, model, feeds)
    figures["error"], figures["reference"] = scale.relative(runs, plain), scale.relative([*fakes[0]], plain)
    _within(figures, "ratio", scale.ratio(runs, plain), ALLOWED)
    _within(figures, "kernels", scale.ratio(runs, literal), ALLOWED)
    symmetric = _computed("tensorrt's form", runtimes.in_tensorrts_form, model, feeds)
    _within(figures, "tensorrt", scale.ratio(symmetric, plain), 2 * ALLOWED)
    given = [[feed, *drawn.others.values()] for feed in drawn.feeds]
    if len(feeds[0]) == len(drawn.feeds[0]) and not runtimes.openvino_differs(drawn.model, given, plain):
        try:
            others = _computed("openvino", runtimes.by_openvino, model, feeds)
            _within(figures, "openvino", scale.ratio(others, plain), ALLOWED)
        except Fault as fault:
            light = _computed("openvino's form", runtimes.in_openvinos_form, model, feeds)
            _within(figures, "openvino's form", scale.ratio(light, plain), ALLOWED)
            raise OpenVinoFault(str(fault)) from fault


def planar(drawn: draw.Drawn, picture: np.ndarray, model: onnx.ModelProto) -> np.ndarray:
    """A picture as the quantised file takes it: (B, 3, H, W) of its own type."""
    constants = {tensor.name for tensor in model.graph.initializer}
    given = next(value for value in model.graph.input if value.name not in constants)
    kind = onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    scaled = picture.astype(np.float32) / np.float32(1.0 if drawn.feeds[0].dtype == np.uint8 else 255.0)
    batch = max(1, given.type.tensor_type.shape.dim[0].dim_value)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None].repeat(batch, 0)).astype(kind)


def _references(drawn: draw.Drawn, wanted: int) -> Tuple[List[Values], List[List[Values]]]:
    """The float network's outputs and those of the fake-quantised one, for as many pictures of a batch as wanted."""
    plain = evaluate.whole(drawn.model, drawn.feeds, drawn.others)
    fakes = reference.fake_quantised(drawn.model, drawn.feeds, dict(drawn.others))
    batch = len(drawn.feeds[0])

    def first(found: Sequence[Values]) -> List[Values]:
        return [{n: v if batch == wanted else v[: len(v) * wanted // batch] for n, v in each.items()} for each in found]

    return first(plain), [first(each) for each in fakes]


def _valid(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(after, full_check=True)
    except Exception as error:
        raise Fault(f"invalid: {str(error)[:300]}") from error
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    outputs = [[(v.name, v.type.tensor_type.elem_type) for v in model.graph.output] for model in (before, after)]
    wanted = [(name, single if kind == half else kind) for name, kind in outputs[0]]  # half networks become float32
    if outputs[1] not in (outputs[0], wanted):
        raise Fault(f"outputs: {outputs[0]} became {outputs[1]}")


def _literal(model: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> Tuple[reference.Literal, List[Values]]:
    walks = [reference.Literal(model) for _ in feeds]

    def run(_: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> List[Values]:
        return [walk.run(feed) for walk, feed in zip(walks, feeds)]

    return walks[0], _computed("no Q/DQ that can be computed", run, model, feeds)


def _computed(kind: str, run: Run, model: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> List[Values]:
    try:
        return run(model, feeds)
    except Exception as error:
        raise Fault(f"{kind}: {type(error).__name__} {str(error)[:300]}") from error


def _named(made: calibrate.Calibrated, walk: reference.Literal, figures: Dict[str, Any]) -> None:
    layers, named, unnamed = silent.layers(made, walk)
    figures["weighted"], figures["named"] = len(layers), len(named)
    if unnamed:
        raise Fault(f"silent float: {len(unnamed)} of {len(layers)}, the first is {unnamed[0]}")


def _within(figures: Dict[str, Any], name: str, ratio: float, allowed: float) -> None:
    figures[name] = ratio
    if not ratio <= allowed:
        sizes = f"{figures['error']:.2g} of the output, the reference's {figures['reference']:.2g}"
        raise Fault(f"error, {name}: {ratio:.1f} times the reference's; {sizes}")
