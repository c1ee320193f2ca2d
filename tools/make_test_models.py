"""Writes tests/data/models/*.onnx: a tiny detector of each family with random weights, and two of them in INT8.

    python tools/make_test_models.py

They find nothing that means anything: they have the layouts of real exports, a few KB each, the same bits each time.
The networks are tables of `edge_runtime.zoo`; what a family's exports do behind their last convolution is added here.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

import cv2
import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_runtime.calibrate.calibration import calibrate
from edge_runtime.heads import load_head
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import IMAGE, Architecture, Layer, Table

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "models"
LABELS = ("person", "bicycle", "car", "dog", "cat", "bird", "chair")
SIDE, WIDTH, C = 128, 8, len(LABELS)
ANCHORS = tuple(tuple((s * w, s * h) for w, h in ((1.0, 1.0), (2.0, 1.0), (1.0, 2.0))) for s in (12.0, 28.0, 60.0))
IN_INT8 = ("yolo_v3", "nanodet")


class Network(Table):
    """A trunk that halves the picture again and again, and what hangs on it."""

    def at(self, stride: int) -> str:
        """The map at that stride."""
        name = f"trunk{stride}"
        if stride == 1 or name in {layer.name for layer in self.layers}:
            return name if stride > 1 else IMAGE
        return self.conv(name, self.at(stride // 2), WIDTH, 3, 2, act="relu")

    def out(self, name: str, stride: int, channels: int, act: str = "linear") -> str:
        """A 1x1 convolution of the map at that stride, or of the last one where the picture is a single cell."""
        return self.put(Layer(name, "conv", (self.at(min(stride, SIDE)),), channels, bias=True, act=act))

    def joined(self, name: str, parts: Sequence[str]) -> str:
        """Channels of several maps."""
        return self.put(Layer(name, "concat", tuple(parts), sum(self.channels(part) for part in parts)))


class Tail:
    """Nodes behind a network's maps; `outputs` are what leaves it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph, self.outputs = model.graph, [(o.name, _shape(o)) for o in model.graph.output]
        del model.graph.output[:]

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: object) -> str:
        self.graph.node.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def reshaped(self, source: str, name: str, shape: Sequence[int]) -> str:
        return self.node("Reshape", [source, self.constant(f"{name}.shape", np.array(shape, np.int64))], name)

    def last(self, source: str, name: str) -> str:
        """Channels last."""
        return self.node("Transpose", [source], name, perm=[0, 2, 3, 1])

    def rows(self, source: str, name: str, columns: int) -> str:
        """(1, n, columns): cells, then anchors."""
        return self.reshaped(self.last(source, f"{name}.last"), name, (1, -1, columns))

    def part(self, source: str, name: str, axis: int, first: int, end: int) -> str:
        limits = [
            self.constant(f"{name}.{n}", np.array([v], np.int64))
            for n, v in (("from", first), ("to", end), ("axis", axis))
        ]
        return self.node("Slice", [source, *limits], name)

    def leave(self, name: str, *shape: int) -> None:
        self.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))


def _shape(value: onnx.ValueInfoProto) -> Tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def planar(tail: Tail) -> None:
    """The maps as they are."""
    for name, shape in tail.outputs:
        tail.leave(name, *shape)


def channels_last(tail: Tail) -> None:
    for name, (_, channels, height, width) in tail.outputs:
        tail.leave(tail.last(name, f"{name}.out"), 1, height, width, channels)


def anchors_apart(tail: Tail) -> None:
    """(1, 3, h, w, 5 + C)."""
    for name, (_, channels, height, width) in tail.outputs:
        apart = tail.reshaped(name, f"{name}.apart", (1, 3, channels // 3, height, width))
        out = tail.node("Transpose", [apart], f"{name}.out", perm=[0, 1, 3, 4, 2])
        tail.leave(out, 1, 3, height, width, channels // 3)


def rows_of_each(tail: Tail, per_cell: int = 1) -> None:
    for name, (_, channels, height, width) in tail.outputs:
        columns = channels // per_cell
        tail.leave(tail.rows(name, f"{name}.out", columns), 1, height * width * per_cell, columns)


def one_table(tail: Tail) -> None:
    """Rows of all levels in one tensor."""
    parts = [tail.rows(name, f"{name}.rows", shape[1]) for name, shape in tail.outputs]
    count = sum(shape[2] * shape[3] for _, shape in tail.outputs)
    tail.leave(tail.node("Concat", parts, "output", axis=1), 1, count, tail.outputs[0][1][1])


def one_of_each(pixels: str = "", **columns: int) -> Callable[[Tail], None]:
    """Rows of all levels and priors: boxes in one tensor, scores in another, and so on, of so many columns.

    Those of the kind `pixels` are of a size that boxes have.
    """

    def joined(tail: Tail) -> None:
        for kind, width in columns.items():
            maps = [(name, shape) for name, shape in tail.outputs if name.startswith(kind)]
            parts = [tail.rows(name, f"{name}.rows", width) for name, _ in maps]
            count = sum(shape[1] // width * shape[2] * shape[3] for _, shape in maps)
            name = kind
            if kind == pixels:
                parts = [tail.node("Concat", parts, f"{kind}.small", axis=1)]
                larger = tail.constant("larger", np.array(SIDE / 4, np.float32))
                name = tail.node("Mul", [parts[0], larger], kind)
            else:
                tail.node("Concat", parts, kind, axis=1)
            tail.leave(name, 1, count, width)

    return joined


def finished(tail: Tail) -> None:
    """YOLOv10: ten rows x1, y1, x2, y2, score, class."""
    pixels = tail.constant("pixels", np.array(SIDE, np.float32))
    quarter = tail.constant("quarter", np.array(SIDE / 4, np.float32))
    count, one = tail.constant("classes", np.array(C - 0.01, np.float32)), "score"
    centre, half = tail.node("Mul", ["centre", pixels], "cxcy"), tail.node("Mul", ["size", quarter], "half")
    corners = [tail.node(op, [centre, half], op.lower()) for op in ("Sub", "Add")]
    label = tail.node("Floor", [tail.node("Mul", ["label", count], "label.scaled")], "label.whole")
    table = tail.rows(tail.node("Concat", [*corners, one, label], "columns", axis=1), "rows", 6)
    tail.leave(tail.part(table, "output", 1, 0, 10), 1, 10, 6)


def in_outputs_of_their_own(tail: Tail) -> None:
    """EfficientNMS: boxes, scores, class numbers."""
    finished(tail)
    del tail.graph.output[:]
    for name, first, end in (("boxes", 0, 4), ("scores", 4, 5), ("labels", 5, 6)):
        tail.leave(tail.part("output", name, 2, first, end), 1, 10, end - first)


def fractions(tail: Tail) -> None:
    """Centre and size in 0..1 in one tensor, scores in another, of all levels."""
    for kind, columns in (("boxes", 4), ("scores", C)):
        parts = [tail.rows(name, f"{name}.rows", columns) for name, _ in tail.outputs if name.startswith(kind)]
        count = sum(shape[2] * shape[3] for name, shape in tail.outputs if name.startswith(kind))
        tail.leave(tail.node("Concat", parts, kind, axis=1), 1, count, columns)


def decoded_table(tail: Tail) -> None:
    """YOLOv6: rows cx, cy, w, h in pixels, objectness, classes, of all levels."""
    to_pixels = np.array([SIDE, SIDE, SIDE / 4, SIDE / 4] + [1] * (1 + C), np.float32)
    pixels = tail.constant("pixels", to_pixels.reshape(1, 1, -1))
    parts = [tail.rows(name, f"{name}.rows", shape[1]) for name, shape in tail.outputs]
    count = sum(shape[2] * shape[3] for _, shape in tail.outputs)
    table = tail.node("Concat", parts, "table", axis=1)
    tail.leave(tail.node("Mul", [table, pixels], "output"), 1, count, 5 + C)


def maps(network: Network, strides: Sequence[int], channels: int, act: str = "linear") -> List[str]:
    return [network.out(f"head{stride}", stride, channels, act) for stride in strides]


def box_and_activated(network: Network, stride: int, order: str) -> str:
    """One map of raw boxes, and objectness and classes behind a sigmoid."""
    parts = {"b": (4, "linear"), "o": (1, "sigmoid"), "c": (C, "sigmoid")}
    return network.joined(f"head{stride}", [network.out(f"{part}{stride}", stride, *parts[part]) for part in order])


def pairs(network: Network, strides: Sequence[int], boxes: int, scores: int, act: str = "linear") -> List[str]:
    return [
        network.out(f"{kind}{stride}", stride, channels, activation)
        for kind, channels, activation in (("scores", scores, act), ("boxes", boxes, "linear"))
        for stride in strides
    ]


def kinds(network: Network, priors: Dict[int, int], **channels: Tuple[int, str]) -> List[str]:
    """Maps of each kind on each stride, with so many priors: (channels per prior, activation)."""
    return [
        network.out(f"{kind}{stride}", stride, count * width, act)
        for kind, (width, act) in channels.items()
        for stride, count in priors.items()
    ]


def of_v10(network: Network) -> List[str]:
    parts = {"centre": 2, "size": 2, "score": 1, "label": 1}
    return [network.out(name, 32, channels, "sigmoid") for name, channels in parts.items()]


Make = Tuple[Callable[[Network], List[str]], Callable[[Tail], None], Dict[str, object]]
MODELS: Dict[str, Make] = {
    "efficientdet": (lambda n: pairs(n, (8, 16, 32, 64, 128), 36, 9 * C), planar, {}),
    "fastestdet": (lambda n: [box_and_activated(n, 16, "obc")], planar, {}),
    "nanodet": (lambda n: pairs(n, (8, 16, 32), 32, C, "sigmoid"), rows_of_each, {}),
    "ssd": (lambda n: pairs(n, (16, 32, 64, 128, 256, 512), 24, 6 * (1 + C)), one_of_each(boxes=4, scores=1 + C), {}),
    "yolo_fastestv2": (lambda n: maps(n, (16, 32), 15 + C, "sigmoid"), channels_last, {}),
    "yolo_v10": (of_v10, finished, {}),
    "yolo_v2": (lambda n: maps(n, (32,), 5 * (5 + C)), planar, {}),
    "yolo_v3": (lambda n: maps(n, (8, 16, 32), 3 * (5 + C)), planar, {"anchors": ANCHORS, "strides": (8, 16, 32)}),
    "yolo_v5": (lambda n: maps(n, (8, 16, 32), 3 * (5 + C)), anchors_apart, {}),
    "yolo_v8": (lambda n: maps(n, (8, 16, 32), 64 + C), planar, {}),
    "yolox": (lambda n: [box_and_activated(n, s, "boc") for s in (8, 16, 32)], one_table, {}),
    "dense": (lambda n: [n.out(f"{k}{s}", s, v, "sigmoid") for k, v in (("boxes", 4), ("scores", C)) for s in (8, 16)],
              fractions, {"head_layout": ("cxcywh", "fraction")}),
    "nanodet_plus": (lambda n: [n.joined(f"head{s}", [n.out(f"c{s}", s, C, "sigmoid"), n.out(f"b{s}", s, 32)])
                                for s in (8, 16, 32, 64)], one_table, {}),
    "yolo_v6": (lambda n: maps(n, (8, 16, 32), 5 + C, "sigmoid"), decoded_table, {}),
    "finished": (of_v10, in_outputs_of_their_own, {}),
    "scrfd": (lambda n: kinds(n, dict.fromkeys((8, 16, 32), 2), score=(C, "sigmoid"), bbox=(4, "relu"),
                              kps=(10, "linear")), partial(rows_of_each, per_cell=2), {}),
    "yunet": (lambda n: kinds(n, dict.fromkeys((8, 16, 32), 1), cls=(C, "sigmoid"), obj=(1, "sigmoid"),
                              bbox=(4, "linear"), kps=(10, "linear")), rows_of_each, {}),
    "retinaface": (lambda n: kinds(n, dict.fromkeys((8, 16, 32), 2), loc=(4, "linear"), conf=(1 + C, "sigmoid"),
                                   points=(10, "linear")), one_of_each(loc=4, conf=1 + C, points=10), {}),
    "ultraface_raw": (lambda n: kinds(n, {8: 3, 16: 2, 32: 2, 64: 3}, scores=(1 + C, "sigmoid"), boxes=(4, "linear")),
                      one_of_each(scores=1 + C, boxes=4), {}),
    "blazeface": (lambda n: kinds(n, {8: 2, 16: 6}, regressors=(16, "linear"), classificators=(C, "linear")),
                  one_of_each("regressors", regressors=16, classificators=C), {}),
    "yolo_v5_face": (lambda n: maps(n, (8, 16, 32), 3 * (15 + C)), anchors_apart, {}),
}  # fmt: skip


def make(family: str) -> onnx.ModelProto:
    """The float model of a family."""
    network, (heads, tail, more) = Network(), MODELS[family]
    outputs = tuple(heads(network))
    spec = ModelSpec(family, (SIDE, SIDE), LABELS, **{**load_head(family).DEFAULTS, **more})  # type: ignore[arg-type]
    table = Architecture(f"test-{family}", tuple(network.layers), outputs, spec)
    values = weights.random(table, seed=list(MODELS).index(family))
    values["trunk2.weight"] *= np.float32(min(1.0, spec.std[0] / 255))  # some want pixels from 0 to 255
    for name in (name for name in values if not name.startswith("trunk")):
        values[name] *= np.float32(0.5)  # boxes of a size that a picture has room for
    model = to_onnx(table, values)
    tail(Tail(model))
    onnx.checker.check_model(model, full_check=True)
    return model


def picture(number: int) -> np.ndarray:
    """(96, 128, 3) uint8 BGR: shapes of several colours on a gradient."""
    generator = np.random.default_rng(number)
    image = np.linspace(30, 200, 96 * 128, dtype=np.uint8).reshape(96, 128, 1).repeat(3, axis=2)
    for _ in range(6):
        x, y, size = (int(v) for v in generator.integers((0, 0, 8), (128, 96, 40)))
        colour = tuple(int(v) for v in generator.integers(0, 256, 3))
        cv2.rectangle(image, (x, y), (x + size, y + size // 2), colour, -1)
        cv2.circle(image, (y, x), size // 2, colour[::-1], -1)
    return image


def in_int8(path: Path, spec: ModelSpec) -> onnx.ModelProto:
    """As edge-calibrate makes it, over four drawn pictures."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, f"{number}.png")) for number in range(4)]
        for number, file in enumerate(files):
            cv2.imwrite(file, picture(number))
        return calibrate(str(path), spec, files, "minmax").model


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        cv2.imwrite(str(FOLDER.parent / f"shapes{number}.png"), picture(number))
    for family in MODELS:
        model = make(family)
        onnx.save(model, FOLDER / f"{family}.onnx")
        if family in IN_INT8:
            spec = ModelSpec.from_json(next(p.value for p in model.metadata_props if p.key == METADATA_KEY))
            onnx.save(in_int8(FOLDER / f"{family}.onnx", spec), FOLDER / f"{family}_int8.onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main())
