"""Draws random pruned networks: residuals, joins, depthwise layers, gates. Each layer reads maps, and adds one."""

from __future__ import annotations

from typing import Callable, Dict

import numpy as np
import onnx
from onnx import TensorProto, helper

from fuzzing.pruned import Pruned

OPSET = 14


def plain(made: Pruned) -> None:
    """A convolution with an activation."""
    made.keep(made.act(made.conv(made.pick(), made.width())))


def residual(made: Pruned) -> None:
    """Some convolutions, and the input added, subtracted or multiplied."""
    source = made.pick()
    branch = made.act(made.conv(source, made.width(), same=True))
    branch = made.conv(branch, made.sizes[source][0], same=True)
    op = made.chance.choice(["Add", "Add", "Add", "Sub", "Mul", "Max"])
    made.keep(made.act(made.add(op, [branch, source], made.sizes[source])))


def inverted(made: Pruned) -> None:
    """Wide, depthwise, narrow; the input is added at times."""
    source = made.pick()
    hidden = made.act(made.conv(source, made.width(), 1))
    if made.chance.random() < 0.3:
        hidden = made.act(made.conv(hidden, 2 * made.sizes[hidden][0], 3, groups=made.sizes[hidden][0], same=True))
    hidden = made.act(made.conv(hidden, made.sizes[hidden][0], 3, groups=made.sizes[hidden][0], same=True))
    out = made.conv(hidden, made.sizes[source][0], 1)
    if made.sizes[out] == made.sizes[source]:
        out = made.add("Add", [source, out], made.sizes[source])
    made.keep(out)


def grouped(made: Pruned) -> None:
    """Groups of more than one channel, and at times the channels in another order."""
    out = made.conv(made.conv(made.pick(), 8, 1), 12, groups=made.chance.choice([2, 4]))
    if made.chance.random() < 0.5:
        order = made.constant(made.numbers.permutation(12).astype(np.int64))
        out = made.add("Gather", [out, order], made.sizes[out], axis=1)
    made.keep(made.act(out))


def joined(made: Pruned) -> None:
    """Two branches, one behind the other."""
    source = made.pick()
    parts = [made.act(made.conv(source, made.width(), same=True)) for _ in range(made.chance.choice([1, 2, 3]))]
    parts = [*parts, source] if made.chance.random() < 0.5 else parts
    count = sum(made.sizes[part][0] for part in parts)
    made.keep(made.add("Concat", parts, (count, *made.sizes[source][1:]), axis=1))


def cut(made: Pruned) -> None:
    """Half of the channels goes through a convolution, as in CSP blocks."""
    source = made.act(made.conv(made.pick(), 2 * made.width(), 1))
    count, *plane = made.sizes[source]
    half, size = count // 2, (count // 2, *plane)
    if made.chance.random() < 0.5:
        first, second = made.add("Identity", [source], (count, *plane)), f"s{len(made.sizes)}"
        made.nodes[-1].op_type = "Split"
        made.nodes[-1].output.append(second)
        made.nodes[-1].attribute.add(name="axis", i=1, type=2)
        made.sizes.update({first: size, second: size})
    else:
        limits = [(0, half), (half, 1 << 40)]
        first, second = (
            made.add("Slice", [source, *(made.constant(np.array([v], np.int64)) for v in (a, b, 1))], size)
            for a, b in limits
        )
    made.keep(made.add("Concat", [made.act(made.conv(first, half, same=True)), second], (count, *plane), axis=1))


def gate(made: Pruned) -> None:
    """Squeeze and excite, by convolutions or by matrix products."""
    source = made.pick()
    count, hidden = made.sizes[source][0], made.width()
    x = made.add("GlobalAveragePool", [source], (count, 1, 1))
    if made.chance.random() < 0.5:
        x = made.conv(made.act(made.conv(x, hidden, 1)), count, 1)
    else:
        x = made.add("Flatten", [x], (count,))
        x = made.add("Gemm", [x, made.constant(made.weight(hidden, count)), made.constant(made.vector(hidden))],
                     (hidden,), transB=1)  # fmt: skip
        x = made.add("Relu", [x], (hidden,))
        x = made.add("MatMul", [x, made.constant(made.weight(count, hidden).T)], (count,))
        shape = made.constant(np.array([-1, count, 1, 1], np.int64))
        x = made.add("Reshape", [x, shape], (count, 1, 1))
    gates = made.add(made.chance.choice(["Sigmoid", "HardSigmoid"]), [x], (count, 1, 1))
    made.keep(made.add("Mul", [source, gates], made.sizes[source]))


def scaled(made: Pruned) -> None:
    """Pools, doubled pixels, and borders."""
    source = made.pick()
    count, height, width = made.sizes[source]
    kind = made.chance.choice(["MaxPool", "AveragePool", "Resize", "sizes", "Pad"])
    if kind.endswith("Pool"):
        size = (count, height, width)
        made.keep(made.add(kind, [source], size, kernel_shape=[3, 3], pads=[1] * 4))
        if kind == "AveragePool" and made.chance.random() < 0.5:
            made.nodes[-1].attribute.add(name="count_include_pad", i=1, type=2)
    elif kind == "Pad":
        size = (count, height + 2, width + 1)
        value = made.constant(np.float32(made.chance.choice([0, 1])))
        made.keep(made.add("Pad", [source, made.constant(np.array([0, 0, 1, 0, 0, 0, 1, 1])), value], size))
    elif height < 16:
        size = (count, 2 * height, 2 * width)
        scales = made.constant(np.array([1, 1, 2, 2], np.float32))
        made.keep(made.add("Resize", [source, "", scales], size, mode=made.chance.choice(["nearest", "linear"])))


def weighted(made: Pruned) -> None:
    """Arithmetic with constants: one for all, one for each channel, some of them 0."""
    source = made.pick()
    value = made.vector(made.sizes[source][0]).reshape(-1, 1, 1)
    value[made.numbers.random(len(value)) < made.share / 2] = 0
    value = np.float32(0.7) if made.chance.random() < 0.3 else value
    op = made.chance.choice(["Mul", "Add", "Sub", "Max"])
    made.keep(made.add(op, [source, made.constant(value)], made.sizes[source]))


def masked(made: Pruned) -> None:
    """One map times all channels."""
    source = made.pick()
    mask = made.add("Sigmoid", [made.conv(source, 1, same=True)], (1, *made.sizes[source][1:]))
    made.keep(made.add("Mul", [source, mask], made.sizes[source]))


def wider(made: Pruned) -> None:
    """A transposed convolution."""
    source, filters = made.pick(), made.width()
    count, height, width = made.sizes[source]
    if height > 12:
        return
    weight = made.constant(made.weight(filters, count, 2, 2).transpose(1, 0, 2, 3))
    size = (filters, 2 * height, 2 * width)
    made.keep(made.act(made.add("ConvTranspose", [source, weight], size, strides=[2, 2])))


def odd(made: Pruned) -> None:
    """An operator that mixes channels in a way that compaction does not know."""
    source = made.pick()
    made.keep(made.add("Softmax", [source], made.sizes[source], axis=1))


LAYERS: Dict[Callable[[Pruned], None], int] = {
    plain: 6, residual: 5, inverted: 5, grouped: 2, joined: 4, cut: 3, gate: 4, scaled: 3, weighted: 2, masked: 1,
    wider: 1, odd: 1,
}  # fmt: skip


def draw(number: int, seed: int) -> onnx.ModelProto:
    """The network of that number; the same one each time."""
    made = Pruned(f"compact {seed} {number}")
    made.keep(made.act(made.conv("images", made.width())))
    for _ in range(made.chance.randint(2, 9)):
        made.chance.choices(list(LAYERS), list(LAYERS.values()))[0](made)
    return _model(made)


def _model(made: Pruned) -> onnx.ModelProto:
    read = {name for node in made.nodes for name in node.input}
    ends = [name for name in made.maps if name not in read] or [made.maps[-1]]
    outputs = [made.conv(name, made.width(), 1) if made.chance.random() < 0.6 else name for name in ends[-3:]]
    if made.chance.random() < 0.1:
        outputs.append(made.maps[1])
    batch = made.chance.choice([1, 1, 2, "N"])

    def info(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *made.sizes[name]])

    unique = [name for name in dict.fromkeys(outputs) if name != "images"]
    graph = helper.make_graph(made.nodes, "pruned", [info("images")], [info(name) for name in unique], made.tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    helper.set_model_props(model, {"author": "nobody"})
    onnx.checker.check_model(model, full_check=True)
    return model
