"""Draws a whole network: its opset, types, names, inputs and outputs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from fuzzing.graphs import constants, evaluate, moving, pointwise, pooling, weighted
from fuzzing.graphs.builder import Builder, Unsuitable

SIZES = ((32, 32), (48, 32), (24, 40))  # width, height
OPSETS = range(9, 23)
LEAST, MOST = 5, 40
LAYERS = {**weighted.LAYERS, **pooling.LAYERS, **moving.LAYERS, **pointwise.LAYERS}
PICTURES = 3
INPUT = "images"


@dataclass(frozen=True)
class Drawn:
    """A network, and pictures to calibrate and compare on.

    Attributes:
        model: the network; a valid ONNX model.
        wh: (width, height) of its input, pixels.
        pictures: (H, W, 3) uint8, RGB.
        feeds: the network's input for each picture, in its own type and layout; a fixed batch has the picture twice.
        others: values of its inputs beside the picture, the same for all pictures.
        half: whether its activations are float16.
        external: whether its weights are to be stored beside it.
    """

    model: onnx.ModelProto
    wh: Tuple[int, int]
    pictures: Sequence[np.ndarray]
    feeds: Sequence[np.ndarray]
    others: Mapping[str, np.ndarray]
    half: bool
    external: bool

    def save(self, path: Path) -> None:
        """Writes the model file, and its weights beside it."""
        whole = onnx.ModelProto()
        whole.CopyFrom(self.model)
        if self.external:
            name = path.with_suffix(".data").name
            onnx.save(whole, str(path), save_as_external_data=True, location=name, size_threshold=64)
        else:
            onnx.save(whole, str(path))


def draw(number: int, seed: int) -> Drawn:
    """The network of that number; the same one each time."""
    for attempt in range(50):
        try:
            return _drawn(f"graphs {seed} {number} {attempt}")
        except Unsuitable:
            continue
    raise RuntimeError(f"no network for number {number}, seed {seed}")


def _drawn(seed: str) -> Drawn:
    chance = random.Random(seed)
    kind = np.float16 if chance.random() < 0.12 else np.float32
    style = chance.choice(["torch", "numbers", "plain", "keras", "spaces", "ours"])
    b = Builder(seed, chance.choice(OPSETS), kind, style)
    wh, numbers = chance.choice(SIZES), np.random.default_rng(chance.getrandbits(32))
    pictures = [_picture(numbers, wh) for _ in range(PICTURES)]
    entry = chance.choice(["float"] * 7 + ["uint8", "last"]) if kind == np.float32 else chance.choice(["float", "cast"])
    batch = 2 if chance.random() < 0.04 else 1
    feeds = [_feed(picture, entry, kind).repeat(batch, 0) for picture in pictures]
    others = _others(chance, wh, batch)
    _enter(b, feeds[0], entry, others)
    wanted, misses = chance.randint(LEAST, MOST), 0
    while len(b.nodes) < wanted and misses < 60:
        misses += not _grow(b, chance)
    if not any(node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") for node in b.nodes):
        raise Unsuitable("it multiplies by nothing")
    outputs = _outputs(b, chance)
    model = _model(b, chance, feeds[0], others, outputs)
    try:
        onnx.checker.check_model(model, full_check=True)
        evaluate.whole(model, feeds[:1], others)
    except Exception as error:  # a few layers pass alone, and not among others with open sizes
        raise Unsuitable(str(error)) from error
    return Drawn(model, wh, pictures, feeds, others, kind == np.float16, chance.random() < 0.1)


def _picture(numbers: np.random.Generator, wh: Tuple[int, int]) -> np.ndarray:
    """Coloured patches with noise: neighbours are alike, as in photographs."""
    width, height = wh
    patches = numbers.integers(0, 255, (height // 4, width // 4, 3)).repeat(4, 0).repeat(4, 1)
    return np.clip(patches + numbers.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def _feed(picture: np.ndarray, entry: str, kind: Any) -> np.ndarray:
    if entry == "uint8":
        return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
    scaled = (picture.astype(np.float32) / np.float32(255.0))[None]
    if entry != "last":
        scaled = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    return scaled.astype(kind if entry == "float" else np.float32)


def _others(chance: random.Random, wh: Tuple[int, int], batch: int) -> Dict[str, np.ndarray]:
    """Inputs beside the picture, which detectors have: its size, and its scale. Their values are always the same."""
    if chance.random() > 0.06:
        return {}
    name, pair = chance.choice([("im_shape", (wh[1], wh[0])), ("scale_factor", (1, 1))])
    return {name: np.array([pair] * batch, np.float32)}


def _enter(b: Builder, feed: np.ndarray, entry: str, others: Mapping[str, np.ndarray]) -> None:
    """Makes the picture the first activation."""
    b.values.update({INPUT: feed, **others})
    b.constant.update(others)
    b.used.add(INPUT)
    name = INPUT
    if entry == "last":
        name = b.add("Transpose", [name], perm=[0, 3, 1, 2])
    if feed.dtype != b.kind:
        name = b.add("Cast", [name], to=helper.np_dtype_to_tensor_dtype(b.kind))
    if entry == "uint8":
        name = b.add("Div", [name, constants.floats(b, 255.0)])
    for other in others:
        number = b.add("ReduceMean", [other], keepdims=0)
        if b.kind == np.float16:
            number = b.add("Cast", [number], to=TensorProto.FLOAT16)
        shifted = b.add("Add", [number, constants.floats(b, 0.5)])
        name = b.add("Mul", [b.keep(name), b.add("Div", [number, shifted])])
    b.keep(name)


def _grow(b: Builder, chance: random.Random) -> bool:
    """Adds one layer, and says whether it fitted."""
    layer = chance.choices(list(LAYERS), list(LAYERS.values()))[0]
    before = b.state()
    try:
        layer(b)
    except (Unsuitable, IndexError):
        b.back(before)
        return False
    return True


def _outputs(b: Builder, chance: random.Random) -> List[str]:
    """One to four activations; some that nobody reads are left out, and one that is read may be among them."""
    read = {name for node in b.nodes for name in evaluate.outer_names(node)}
    free = [name for name in [*b.maps, *b.rows] if name not in read and name not in b.constant and name != INPUT]
    if not free:
        raise Unsuitable("no end")
    found = sorted(set(free), key=free.index)[-4:]
    if len(found) > 1 and chance.random() < 0.3:
        found.remove(chance.choice(found))
    inner = [name for name in [*b.maps, *b.rows] if name in read and name != INPUT]
    if inner and chance.random() < 0.15:
        found.append(chance.choice(inner))
    if all(float(np.abs(b.values[name]).max()) == 0 for name in found):
        raise Unsuitable("nothing but zeros")
    return found


def _model(
    b: Builder, chance: random.Random, feed: np.ndarray, others: Mapping[str, np.ndarray], outputs: Sequence[str]
) -> onnx.ModelProto:
    outputs = _named_outputs(b, chance, outputs)
    _name_nodes(b, chance)
    old = b.opset < 11 and chance.random() < 0.2  # then every initializer was an input
    given = [_info(INPUT, feed, _open(chance, feed)), *(_info(name, v, v.shape) for name, v in others.items())]
    overridable = [tensor.name for tensor in b.initializers] if old else b.overridable
    given += [_info(name, b.values[name], b.values[name].shape) for name in overridable]
    made = [_info(name, b.values[name], [None] * b.values[name].ndim) for name in outputs]
    graph = helper.make_graph(b.nodes, "drawn", given, made, b.initializers)
    version = 3 if old else max(8, helper.OP_SET_ID_VERSION_MAP.get(("ai.onnx", b.opset), 8))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", b.opset)], ir_version=version)
    if chance.random() < 0.4:
        model = onnx.shape_inference.infer_shapes(model)
    helper.set_model_props(model, {"author": "nobody"})
    return model


def _open(chance: random.Random, feed: np.ndarray) -> Tuple[Any, ...]:
    """The input's shape in the file: fixed, with an open batch, or open sizes."""
    shape = list(feed.shape)
    kind = chance.choice(["fixed", "fixed", "batch", "sizes", "unnamed"]) if len(feed) == 1 else "fixed"
    places = {"fixed": [], "batch": [0], "unnamed": [0]}.get(kind, [0, *(k for k in (1, 2, 3) if shape[k] != 3)])
    return tuple((None if kind == "unnamed" else f"d{k}") if k in places else size for k, size in enumerate(shape))


def _info(name: str, value: np.ndarray, shape: Sequence[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)


def _named_outputs(b: Builder, chance: random.Random, outputs: Sequence[str]) -> List[str]:
    """Half networks often end in Casts to float32; others in Identity, so that the outputs have names of their own."""
    if b.kind == np.float16 and chance.random() < 0.6:
        return [str(b.add("Cast", [name], to=TensorProto.FLOAT)) for name in outputs]
    if chance.random() < 0.1:
        return [str(b.add("Identity", [name])) for name in outputs]
    return list(outputs)


def _name_nodes(b: Builder, chance: random.Random) -> None:
    kind = chance.choice(["own", "own", "none", "doubled", "some"])
    for number, node in enumerate(b.nodes):
        names: Dict[str, str] = {"own": f"{node.op_type}_{number}", "none": "", "doubled": node.op_type,
                                 "some": f"n{number}" if chance.random() < 0.5 else ""}  # fmt: skip
        node.name = names[kind]
