"""Activation functions, arithmetic, branches, and control flow."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

import numpy as np
import onnx
from onnx import TensorProto, helper

from fuzzing.graphs import constants
from fuzzing.graphs.builder import Builder, Unsuitable

PLAIN = "Relu Sigmoid Tanh HardSwish Mish Gelu Elu Selu Softplus Softsign Abs Celu Exp Neg".split()
SINCE = {"HardSwish": 14, "Mish": 18, "Gelu": 20, "Celu": 12}


def activation(b: Builder) -> None:
    """One activation function, in one of its spellings."""
    name, _ = b.any()
    kind = b.chance.choice(list(SPELLINGS))
    b.keep(SPELLINGS[kind](b, name))


def _plain(op: str) -> Callable[[Builder, str], str]:
    def spelling(b: Builder, name: str) -> str:
        if b.opset < SINCE.get(op, 0):
            raise Unsuitable("too new")
        return str(b.add(op, [name]))

    return spelling


def _leaky(b: Builder, name: str) -> str:
    return str(b.add("LeakyRelu", [name], alpha=b.chance.choice([0.1, 0.01, 0.2])))


def _prelu(b: Builder, name: str) -> str:
    x = b.values[name]
    shape = b.chance.choice([(x.shape[1], *[1] * (x.ndim - 2)), (1,), (1, x.shape[1], *[1] * (x.ndim - 2))])
    return str(b.add("PRelu", [name, constants.floats(b, b.numbers.uniform(0.05, 0.4, shape))]))


def _clip(b: Builder, name: str) -> str:
    low, high = b.chance.choice([(0.0, 6.0), (-1.0, 1.0), (0.0, 1.0)])
    if b.opset < 11:
        given = b.chance.choice([{"min": low, "max": high}, {"min": low}, {"max": high}])
        return str(b.add("Clip", [name], **given))
    ends = b.chance.choice([(low, high), (low, None), (None, high)])
    inputs = ["" if end is None else constants.floats(b, end) for end in ends]
    return str(b.add("Clip", [name, *(inputs if inputs[1] else inputs[:1])]))


def _silu(b: Builder, name: str) -> str:
    pair = [name, b.add("Sigmoid", [name])]
    return str(b.add("Mul", pair if b.chance.random() < 0.6 else pair[::-1]))


def _mish(b: Builder, name: str) -> str:
    return str(b.add("Mul", [name, b.add("Tanh", [b.add("Softplus", [name])])]))


def _gelu(b: Builder, name: str) -> str:
    inside = b.add("Erf", [b.add("Div", [name, constants.floats(b, np.sqrt(2))])])
    outside = b.add("Mul", [name, b.add("Add", [inside, constants.floats(b, 1.0)])])
    return str(b.add("Mul", [outside, constants.floats(b, 0.5)]))


def _hard_swish(b: Builder, name: str) -> str:
    if b.chance.random() < 0.5:
        return str(b.add("Mul", [name, b.add("HardSigmoid", [name], alpha=1 / 6)]))
    moved = b.add("Add", [name, constants.floats(b, 3.0)])
    if b.opset >= 11:
        clipped = b.add("Clip", [moved, constants.floats(b, 0.0), constants.floats(b, 6.0)])
    else:
        clipped = b.add("Clip", [moved], min=0.0, max=6.0)
    return str(b.add("Div", [b.add("Mul", [name, clipped]), constants.floats(b, 6.0)]))


def _softmax(b: Builder, name: str) -> str:
    return str(b.add("Softmax", [name], axis=b.chance.choice([1, b.values[name].ndim - 1])))


SPELLINGS: Dict[str, Callable[[Builder, str], str]] = {
    **{op: _plain(op) for op in PLAIN},
    "Relu again": _plain("Relu"), "LeakyRelu": _leaky, "PRelu": _prelu, "Clip": _clip, "SiLU": _silu,
    "SiLU again": _silu, "Mish by parts": _mish, "Gelu by parts": _gelu, "HardSwish by parts": _hard_swish,
    "Softmax": _softmax,
}  # fmt: skip


def with_constant(b: Builder) -> None:
    """Add, Sub, Mul, Div, Min, Max or Pow with a constant of any shape that is broadcast, on either side."""
    name, x = b.any()
    op = b.chance.choice(["Add", "Add", "Mul", "Mul", "Sub", "Div", "Max", "Min"])
    shape = b.chance.choice([(), (1,), (x.shape[1], *[1] * (x.ndim - 2)), x.shape[-1:], x.shape])
    value = b.numbers.uniform(0.5, 1.5, shape) * (b.chance.choice([1, 1, -1]) if op != "Div" else 1)
    if op == "Mul" and b.chance.random() < 0.05:
        value = value * 0  # a branch that is zero
    inputs = [name, constants.floats(b, value)]
    b.keep(b.add(op, inputs if op == "Div" or b.chance.random() < 0.6 else inputs[::-1]))


def residual(b: Builder) -> None:
    """Add, Mul or Sub of two activations, of one shape or broadcast."""
    name, x = b.any()
    others = [n for n in [*b.maps, *b.rows] if n != name and _broadcast(b.values[n], x)]
    other = b.chance.choice(others) if others and b.chance.random() < 0.95 else name
    b.keep(b.add(b.chance.choice(["Add", "Add", "Add", "Mul", "Sub", "Max"]), [name, other]))


def _broadcast(value: np.ndarray, x: np.ndarray) -> bool:
    return value.ndim == x.ndim and all(a in (c, 1) for a, c in zip(value.shape, x.shape))


def squeeze_and_excite(b: Builder) -> None:
    """A map times a gate of its means, behind two 1x1 convolutions."""
    name, x = b.map()
    channels, few = x.shape[1], max(1, x.shape[1] // 4)
    first, second = (b.numbers.normal(0, 1, shape) for shape in ((few, channels, 1, 1), (channels, few, 1, 1)))
    mean = b.add("GlobalAveragePool", [name])
    inside = b.add("Relu", [b.add("Conv", [mean, constants.floats(b, first / np.sqrt(channels))])])
    gate = b.add(b.chance.choice(["Sigmoid", "HardSigmoid"]), [b.add("Conv", [inside, constants.floats(b, second)])])
    b.keep(b.add("Mul", [name, gate]))


def where(b: Builder) -> None:
    """A Where by a comparison with a constant."""
    name, _ = b.any()
    condition = b.add("Less", [name, constants.floats(b, 0.1)])
    b.keep(b.add("Where", [condition, name, constants.floats(b, b.chance.choice([0.0, -1.0]))]))


def casts(b: Builder) -> None:
    """A chain of Casts to other floats or to whole numbers and back."""
    name, x = b.any()
    own = helper.np_dtype_to_tensor_dtype(b.kind)
    kinds = [[TensorProto.DOUBLE], [TensorProto.FLOAT16, TensorProto.FLOAT], [own]]
    if np.abs(x).max() > 4:
        kinds.append([TensorProto.INT64])
    for kind in b.chance.choice(kinds):
        name = b.add("Cast", [name], to=kind)
    b.keep(b.add("Cast", [name], to=own))


def dead_relu(b: Builder) -> None:
    """A Relu of what is never positive, and an activation that does not depend on the picture's values."""
    name, x = b.any()
    if b.chance.random() < 0.5:
        b.keep(b.add("Relu", [b.add("Neg", [b.add("Abs", [name])])]))
    else:
        zero = b.add("Mul", [name, constants.floats(b, 0.0)])
        b.keep(b.add("Add", [zero, constants.floats(b, b.numbers.uniform(0.2, 1, (x.shape[1], *[1] * (x.ndim - 2))))]))


def if_(b: Builder) -> None:
    """An If whose branches read outer weights and activations; its condition is known, or comes from the picture."""
    name, x = b.any()
    kind = helper.np_dtype_to_tensor_dtype(b.kind)
    gamma = constants.floats(b, b.numbers.uniform(0.5, 1.5, (x.shape[1], *[1] * (x.ndim - 2))))
    weights = x.ndim == 4 and b.chance.random() < 0.4
    if weights:
        weight = constants.floats(b, b.numbers.normal(0, 1, (x.shape[1], x.shape[1], 1, 1)) / np.sqrt(x.shape[1]))
    if b.chance.random() < 0.5:
        condition = constants.exact(b, np.array(b.chance.random() < 0.5))
    else:
        mean = b.add("ReduceMax", [name], keepdims=0, **({} if b.opset >= 18 else {"axes": list(range(x.ndim))}))
        far = b.values[mean] + b.chance.choice([-1, 1]) * (1 + np.abs(x).max())  # rounding shall not decide
        condition = b.add("Less", [mean, constants.floats(b, far)])
    made = b.name()
    first, second = ([weight] if weights else [gamma]), b.chance.choice(["Identity", "Relu", "Neg"])
    one = helper.make_node("Conv" if weights else "Mul", [name, *first], [f"{made}_1"])
    other = helper.make_node(second, [name], [f"{made}_2"])
    own = helper.make_tensor(f"{made}_own", kind, [], [0.5]) if b.chance.random() < 0.5 else None
    branches = [_branch(node, kind, own) for node in b.chance.sample([one, other], 2)]
    b.keep(b.add("If", [condition], then_branch=branches[0], else_branch=branches[1]))


def _branch(node: onnx.NodeProto, kind: int, own: Optional[onnx.TensorProto]) -> onnx.GraphProto:
    """A branch of one node, and perhaps one with a constant of the branch."""
    nodes, last = [node], node.output[0]
    if own is not None:
        last = f"{last}_moved"
        nodes.append(helper.make_node("Add", [node.output[0], own.name], [last]))
    result = helper.make_tensor_value_info(last, kind, None)
    return helper.make_graph(nodes, f"branch_{last}", [], [result], [] if own is None else [own])


def loop(b: Builder) -> None:
    """A Loop of two or three rounds that adds an outer constant."""
    name, x = b.any()
    kind = helper.np_dtype_to_tensor_dtype(b.kind)
    step = constants.floats(b, b.numbers.normal(0, 0.3, (x.shape[1], *[1] * (x.ndim - 2))))
    own = b.name()
    nodes = [
        helper.make_node("Add", [f"{own}_x", step], [f"{own}_sum"]),
        helper.make_node("Identity", [f"{own}_go"], [f"{own}_on"]),
    ]
    given = [
        helper.make_tensor_value_info(f"{own}_i", TensorProto.INT64, []),
        helper.make_tensor_value_info(f"{own}_go", TensorProto.BOOL, []),
        helper.make_tensor_value_info(f"{own}_x", kind, None),
    ]
    made = [
        helper.make_tensor_value_info(f"{own}_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info(f"{own}_sum", kind, None),
    ]
    rounds: List[str] = [constants.exact(b, np.array(b.chance.choice([2, 3]), np.int64))]
    go = constants.exact(b, np.array(True)) if b.chance.random() < 0.5 else ""
    b.keep(b.add("Loop", [*rounds, go, name], body=helper.make_graph(nodes, "body", given, made)))


LAYERS = {
    activation: 8, with_constant: 4, residual: 4, squeeze_and_excite: 1, where: 0.8, casts: 0.8, dead_relu: 0.4,
    if_: 0.8, loop: 0.4,
}  # fmt: skip
