"""Turns a Darknet network (.cfg and .weights) into ONNX with everything a detector needs in its metadata.

    python tools/import_darknet.py yolov3-tiny.cfg yolov3-tiny.weights -o yolov3_tiny.onnx [--labels coco] [--imgsz 416]

Sections: convolutional, maxpool, avgpool, route (also of channel groups), shortcut, scale_channels, upsample, dropout,
and the heads yolo and region. What the language cannot say is refused by name, and every weight has to be used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.model import labels
from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import IMAGE, Architecture, Layer, Table
from edge_runtime.zoo.weights import Weights

Section = Tuple[str, Dict[str, str]]
ACTIVATIONS = {"linear": "linear", "relu": "relu", "relu6": "relu6", "leaky": "leaky", "mish": "mish", "swish": "silu",
               "logistic": "sigmoid"}  # fmt: skip
# Keys that change results, and the one value of each that is understood.
ONLY = {"dilation": "1", "antialiasing": "0", "binary": "0", "xnor": "0", "flipped": "0", "new_coords": "0",
        "scale_wh": "0", "reverse": "0", "weights_type": "none", "maxpool_depth": "0",
        "assisted_excitation": "0", "coord_conv": "0", "softmax_tree": "0"}  # fmt: skip
STRIDES = ("stride_x", "stride_y")


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cfg", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--labels", help="coco, voc, FILE or a,b,c; default: coco or voc where the count fits")
    parser.add_argument("--imgsz", type=int, help="side of the input; default: the cfg's width and height")
    args = parser.parse_args(argv)
    try:
        architecture = read_cfg(args.cfg.read_text(encoding="utf-8"), args.cfg.stem, args.labels, args.imgsz)
        model = to_onnx(architecture, read_weights(args.weights.read_bytes(), architecture))
        args.output.write_bytes(model.SerializeToString())
    except (EdgeError, OSError) as error:
        print(f"error: {error}\nhint: {getattr(error, 'hint', None) or 'check the paths'}", file=sys.stderr)
        return 1
    print(f"{args.output}: {len(architecture.layers)} layers, {len(architecture.spec.labels)} classes")
    return 0


def read_cfg(text: str, name: str, names: Optional[str] = None, imgsz: Optional[int] = None) -> Architecture:
    """The network as a table of the zoo; convolutions keep the cfg's order, which is that of the weights.

    Raises:
        ModelError: something in it cannot be said in the table's language.
    """
    (kind, net), *sections = parse(text)
    if kind not in ("net", "network"):
        raise ModelError(f"the first section is [{kind}], expected [net]", hint="is this a Darknet cfg?")
    reader = _Reader(names)
    for number, (kind, options) in enumerate(sections):
        reader.read(number, kind, options)
    size = (imgsz, imgsz) if imgsz else (int(net["width"]), int(net["height"]))
    return reader.architecture(name, size, "letterbox" if net.get("letter_box", "0") == "1" else "stretch")


def parse(text: str) -> List[Section]:
    """Sections in order, each with its keys as text.

    Raises:
        ModelError: a line that is neither a section nor `key = value`.
    """
    sections: List[Section] = []
    for raw in text.splitlines():
        line = raw.split("#")[0].split(";")[0].strip()
        if line.startswith("["):
            sections.append((line.strip("[]"), {}))
        elif "=" in line and sections:
            key, value = line.split("=", 1)
            sections[-1][1][key.strip()] = value.strip()
        elif line:
            raise ModelError(f"the cfg has a line {raw!r}", hint="expected [section] or key = value")
    if not sections:
        raise ModelError("the cfg is empty", hint="is this a Darknet cfg?")
    return sections


class _Reader:
    """Adds one section after the other to a table.

    `_out[n]` is the table's name of what section n puts out.
    """

    def __init__(self, names: Optional[str]) -> None:
        self._table, self._names = Table(), names
        self._out: List[str] = []
        self._heads: List[Tuple[str, str, Dict[str, str]]] = []
        self._stride: Dict[str, int] = {IMAGE: 1}

    def read(self, number: int, kind: str, options: Dict[str, str]) -> None:
        """Adds a section; `_out` grows by one, as Darknet counts them."""
        add: Optional[Callable[[str, Dict[str, str]], str]] = getattr(self, f"_{kind}", None)
        for key, value in ONLY.items():
            if options.get(key, value) != value:
                raise ModelError(
                    f"[{kind}] number {number} has {key}={options[key]}", hint=f"only {value} is understood"
                )
        if add is None:
            raise ModelError(f"section [{kind}] is not understood", hint="see --help for those that are")
        self._out.append(add(f"layer{number}", options))

    def architecture(self, name: str, input_wh: Tuple[int, int], resize: str) -> Architecture:
        """The network whose heads have been collected, finest stride first."""
        if not self._heads:
            raise ModelError("the cfg has no [yolo] or [region]", hint="a detector is expected")
        heads = sorted(self._heads, key=lambda head: self._stride[head[0]])
        family = "yolo_v3" if heads[0][1] == "yolo" else "yolo_v2"
        spec = ModelSpec(
            family,
            input_wh,
            self._labels(int(heads[0][2]["classes"])),
            resize=resize,
            anchors=tuple(_anchors(options, kind, self._stride[head]) for head, kind, options in heads),
            strides=tuple(self._stride[head] for head, _, _ in heads),
            scale_xy=tuple(float(options.get("scale_x_y", 1.0)) for _, _, options in heads),
        )
        return Architecture(name, tuple(self._table.layers), tuple(head for head, _, _ in heads), spec)

    def _labels(self, count: int) -> Tuple[str, ...]:
        usual = {len(names): key for key, names in labels.SETS.items()}.get(count)
        stated = self._names or usual
        found = labels.load_labels(stated) if stated else tuple(str(number) for number in range(count))
        if len(found) != count:
            raise ModelError(f"{len(found)} labels for {count} classes", hint="--labels with as many names")
        return found

    def _put(self, layer: Layer, step: float = 1) -> str:
        self._stride[layer.name] = int(self._stride[layer.inputs[0]] * step)
        return self._table.put(layer)

    def _last(self) -> str:
        return self._out[-1] if self._out else IMAGE

    def _at(self, place: str) -> str:
        """The section that `from` or `layers` names: counted from here where negative, else from the start."""
        number = int(place)
        return self._out[number] if number >= 0 or -number <= len(self._out) else IMAGE

    def _convolutional(self, name: str, options: Dict[str, str]) -> str:
        kernel, stride = int(options.get("size", 1)), int(options.get("stride", 1))
        padding = kernel // 2 if options.get("pad", "0") == "1" else int(options.get("padding", 0))
        if padding != kernel // 2 or any(int(options.get(key, stride)) != stride for key in STRIDES):
            raise ModelError(
                f"{name} pads {padding} around a {kernel}x{kernel} kernel", hint="expected pad=1, one stride"
            )
        normalised = options.get("batch_normalize", "0") == "1"
        groups, channels = int(options.get("groups", 1)), int(options.get("filters", 1))
        act, source = _activation(options, "logistic"), (self._last(),)
        layer = Layer(name, "conv", source, channels, kernel, stride, groups, not normalised, normalised, act)
        return self._put(layer, stride)

    def _maxpool(self, name: str, options: Dict[str, str]) -> str:
        stride = int(options.get("stride", 1))
        kernel = int(options.get("size", stride))
        padding = int(options.get("padding", kernel - 1))
        low, source = padding // 2, self._last()
        pads = (low, low, padding - low, padding - low)
        return self._put(
            Layer(name, "maxpool", (source,), self._table.channels(source), kernel, stride, pads=pads), stride
        )

    def _avgpool(self, name: str, options: Dict[str, str]) -> str:
        return self._put(Layer(name, "global_pool", (self._last(),), self._table.channels(self._last())))

    def _upsample(self, name: str, options: Dict[str, str]) -> str:
        if options.get("stride", "2") != "2" or float(options.get("scale", 1)) != 1:
            raise ModelError(f"{name} upsamples by other than 2", hint="only stride=2 is understood")
        return self._put(Layer(name, "upsample", (self._last(),), self._table.channels(self._last())), 0.5)

    def _dropout(self, name: str, options: Dict[str, str]) -> str:
        return self._last()  # nothing, outside training

    def _route(self, name: str, options: Dict[str, str]) -> str:
        sources = [self._at(place) for place in options["layers"].split(",")]
        groups, group = int(options.get("groups", 1)), int(options.get("group_id", 0))
        if groups > 1:
            sources = [self._slice(f"{name}.{source}", source, groups, group) for source in sources]
        if len(sources) == 1:
            return sources[0]
        return self._put(Layer(name, "concat", tuple(sources), sum(map(self._table.channels, sources))))

    def _slice(self, name: str, source: str, groups: int, group: int) -> str:
        channels = self._table.channels(source) // groups
        return self._put(Layer(name, "slice", (source,), channels, start=group * channels))

    def _shortcut(self, name: str, options: Dict[str, str]) -> str:
        sources = [self._at(place) for place in options["from"].split(",")]
        if len({self._table.channels(source) for source in [*sources, self._last()]}) > 1:
            raise ModelError(f"{name} adds different channel counts", hint="only equal shapes are understood")
        total = self._last()
        for number, source in enumerate(sources):
            last = number == len(sources) - 1
            act = _activation(options, "linear") if last else "linear"
            part = name if last else f"{name}.{number}"
            total = self._put(Layer(part, "add", (total, source), self._table.channels(total), act=act))
        return total

    def _scale_channels(self, name: str, options: Dict[str, str]) -> str:
        source = self._at(options["from"])
        act = _activation(options, "linear")
        return self._put(Layer(name, "mul", (source, self._last()), self._table.channels(source), act=act))

    def _yolo(self, name: str, options: Dict[str, str], kind: str = "yolo") -> str:
        self._heads.append((self._last(), kind, options))
        return self._last()

    def _region(self, name: str, options: Dict[str, str]) -> str:
        return self._yolo(name, options, "region")


def _activation(options: Dict[str, str], default: str) -> str:
    stated = options.get("activation", default)
    if stated not in ACTIVATIONS:
        raise ModelError(f"activation {stated} is not understood", hint=f"expected one of: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[stated]


def _anchors(options: Dict[str, str], kind: str, stride: int) -> Tuple[Tuple[float, float], ...]:
    """In model pixels; a region layer states them in cells."""
    values = [float(value) * (stride if kind == "region" else 1) for value in options["anchors"].split(",")]
    pairs = list(zip(values[::2], values[1::2]))
    chosen = [int(n) for n in options["mask"].split(",")] if "mask" in options else range(len(pairs))
    return tuple(pairs[number] for number in chosen)


def read_weights(content: bytes, architecture: Architecture) -> Weights:
    """Parameters by the table's names: per convolution shift, then scale, mean and variance if normalised, then kernel.

    Raises:
        ModelError: fewer or more numbers than the network has.
    """
    major, minor = np.frombuffer(content[:8], np.int32)
    header = 12 + (8 if major * 10 + minor >= 2 else 4)
    values, used = np.frombuffer(content[header : header + (len(content) - header) // 4 * 4], np.float32), 0
    weights: Dict[str, Any] = {}
    shapes = architecture.weight_shapes()
    for layer in architecture.layers:
        if layer.op != "conv":
            continue
        parts = ["bn.bias", "bn.weight", "bn.mean", "bn.var"] if layer.bn else ["bias"]
        wanted = [(part, (layer.channels,)) for part in parts] + [("weight", shapes[f"{layer.name}.weight"])]
        for part, shape in wanted:
            count = int(np.prod(shape))
            weights[f"{layer.name}.{part}"] = values[used : used + count]
            used += count
            if used > len(values):
                raise ModelError(f"the weights end in {layer.name}", hint="cfg and weights do not belong together")
            weights[f"{layer.name}.{part}"] = weights[f"{layer.name}.{part}"].reshape(shape)
    if used != len(values):
        raise ModelError(f"{len(values) - used} weights are left over", hint="cfg and weights do not belong together")
    return weights


if __name__ == "__main__":
    sys.exit(main())
