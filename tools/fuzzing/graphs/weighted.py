"""Layers that multiply by weights: convolutions of all kinds, Gemm, MatMul; and normalisations."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np

from fuzzing.graphs import constants
from fuzzing.graphs.builder import Builder, Unsuitable


def _weights(b: Builder, shape: Tuple[int, ...], fan_in: int, channels: int) -> np.ndarray:
    """Random weights; channels differ in size, a few are zero."""
    sizes = b.numbers.lognormal(0.0, b.chance.choice([0.1, 0.5]), shape[channels])
    if b.chance.random() < 0.1:
        sizes[b.numbers.integers(shape[channels])] = 0.0
    wide = [-1 if k == channels else 1 for k in range(len(shape))]
    return b.numbers.normal(0, 1.2 / np.sqrt(max(1, fan_in)), shape) * sizes.reshape(wide)


def _bias(b: Builder, count: int) -> List[str]:
    kind = b.chance.choice(["", "plain", "plain", "Identity", "zero"])
    if not kind:
        return [""] if b.chance.random() < 0.2 else []
    value = np.zeros(count) if kind == "zero" else b.numbers.normal(0, 0.3, count)
    name = constants.floats(b, value)
    return [b.add("Identity", [name])] if kind == "Identity" else [name]


def _window(b: Builder, rank: int) -> Dict[str, Any]:
    size = b.chance.choice([(1, 1), (3, 3), (3, 3), (3, 3), (5, 5), (1, 3), (3, 1), (2, 2)])[:rank]
    strides = b.chance.choice([(1, 1), (1, 1), (2, 2), (1, 2)])[:rank]
    given: Dict[str, Any] = {"kernel_shape": size, "strides": strides}
    if b.chance.random() < 0.2:
        given["dilations"] = [2, 2][:rank]
    kind = b.chance.random()
    if kind < 0.2:
        given["auto_pad"] = b.chance.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
        if "SAME" in given["auto_pad"]:
            given.pop("dilations", None)
    elif kind < 0.8:
        given["pads"] = [side // 2 for side in size] * 2
    else:
        given["pads"] = [b.chance.randrange(3) for _ in range(2 * rank)]
    if given["strides"] == (1, 1) and b.chance.random() < 0.3:
        del given["strides"]
    return given


def _divisors(count: int) -> List[int]:
    return [k for k in range(1, count + 1) if count % k == 0]


def conv(b: Builder) -> None:
    """A Conv: 1x1, 3x3, depthwise, grouped, dilated, with any padding; the kernel's shape is sometimes not said."""
    name, x = b.map()
    channels = x.shape[1]
    kind = b.chance.choice(["plain", "plain", "depthwise", "grouped"])
    group = {"plain": 1, "depthwise": channels, "grouped": b.chance.choice(_divisors(channels))}[kind]
    filters = group * b.chance.randint(1, max(1, 32 // group))
    given = _window(b, 2)
    shape = (filters, channels // group, *given["kernel_shape"])
    fan_in = int(np.prod(shape[1:]))
    if b.chance.random() < 0.2 and given.get("auto_pad", "VALID") == "VALID":
        del given["kernel_shape"]
    if group > 1 or b.chance.random() < 0.2:
        given["group"] = group
    dead = b.chance.random() < 0.03
    weight = np.zeros(shape) if dead else _weights(b, shape, fan_in, 0)
    b.keep(b.add("Conv", [name, constants.floats(b, weight), *_bias(b, filters)], **given))


def shared_head(b: Builder) -> None:
    """Two convolutions with the same weights at two places, as heads over several levels have them."""
    name, x = b.map()
    channels, filters = x.shape[1], b.chance.randint(1, 12)
    weight = constants.floats(b, _weights(b, (filters, channels, 3, 3), 9 * channels, 0))
    other = b.add("MaxPool", [b.add("Mul", [name, constants.floats(b, 4.0)])], kernel_shape=[2, 2], strides=[2, 2])
    bias = _bias(b, filters)
    for place in (name, other):
        made = b.add("Conv", [place, weight, *(bias if b.chance.random() < 0.7 else [])], pads=[1, 1, 1, 1])
        if b.chance.random() < 0.4:
            _norm(b, made, filters)
        else:
            b.keep(made)


def conv_1d(b: Builder) -> None:
    """A Conv over the rows of a map that was made flat."""
    name, x = b.map()
    channels, filters = x.shape[1], b.chance.randint(1, 16)
    flat = b.add("Reshape", [name, constants.ints(b, [0, 0, -1])])
    weight = _weights(b, (filters, channels, 3), 3 * channels, 0)
    b.keep(b.add("Conv", [flat, constants.floats(b, weight), *_bias(b, filters)], pads=[1, 1]))


def conv_of_weights_that_are_computed(b: Builder) -> None:
    """A Conv whose weights come from the picture: there is nothing to store in 8 bits."""
    name, x = b.map()
    mean = b.add("GlobalAveragePool", [name])
    shape = constants.ints(b, [1, x.shape[1], 1, 1])
    b.keep(b.add("Conv", [name, b.add("Reshape", [mean, shape])]))


def conv_transpose(b: Builder) -> None:
    """A ConvTranspose with groups, output_padding, output_shape or auto_pad."""
    name, x = b.map()
    channels = x.shape[1]
    group = b.chance.choice([1, 1, channels, b.chance.choice(_divisors(channels))])
    each = b.chance.randint(1, max(1, 16 // group))
    side, stride = b.chance.choice([(2, 2), (3, 2), (4, 2), (3, 1)])
    given: Dict[str, Any] = {"kernel_shape": [side, side], "strides": [stride, stride], "group": group}
    kind = b.chance.random()
    if kind < 0.2:
        given["auto_pad"] = "SAME_UPPER"
    elif kind < 0.6:
        given["pads"] = [b.chance.randrange(2) for _ in range(4)]
    if stride == 2 and kind >= 0.2 and b.chance.random() < 0.4:
        given["output_padding"] = [1, b.chance.randrange(2)]
    weight = _weights(b, (channels, each, side, side), channels * side * side // (group * stride * stride), 1)
    b.keep(b.add("ConvTranspose", [name, constants.floats(b, weight), *_bias(b, group * each)], **given))


def _flat(b: Builder) -> Tuple[str, np.ndarray]:
    """An activation (N, C)."""
    found = [name for name in b.rows if b.values[name].ndim == 2]
    if not found:
        name, x = b.map()
        name = name if x.size < 400 else b.add("GlobalAveragePool", [name])
        flatten = b.chance.random() < 0.5
        found = [b.add(*(("Flatten", [name]) if flatten else ("Reshape", [name, constants.ints(b, [len(x), -1])])))]
    name = found[-1]
    if b.values[name].shape[1] > 512:
        raise Unsuitable("too many features")
    return name, b.values[name]


def gemm(b: Builder) -> None:
    """A Gemm with every transposition, alpha, beta and shape of C; sometimes the constant is on the left."""
    name, x = _flat(b)
    given: Dict[str, Any] = {}
    for key in ("alpha", "beta"):
        if b.chance.random() < 0.3:
            given[key] = b.chance.choice([0.5, 1.0, 2.0])
    features, count = x.shape[1], b.chance.randint(1, 24)
    left = b.chance.random() < 0.15
    rows, columns = (count, x.shape[0]) if left else (x.shape[0], count)
    if left:  # (count, features) times (features, rows of x)
        given["transB"] = 1
        turned = b.chance.random() < 0.5
        weight = _weights(b, (features, count) if turned else (count, features), features, 1 if turned else 0)
        given["transA"] = int(turned)
        inputs = [constants.floats(b, weight), name]
    else:
        turned = b.chance.random() < 0.5
        given["transB"] = int(turned)
        weight = _weights(b, (count, features) if turned else (features, count), features, 0 if turned else 1)
        if b.chance.random() < 0.15:
            name, given["transA"] = b.add("Transpose", [name], perm=[1, 0]), 1
        inputs = [name, constants.floats(b, weight)]
    shapes = [(columns,), (1, columns), (), (1,), (rows, columns), (rows, 1)]
    if b.opset < 11 or b.chance.random() < 0.7:
        inputs.append(constants.floats(b, b.numbers.normal(0, 0.3, b.chance.choice(shapes))))
    b.keep(b.add("Gemm", inputs, **given))


def mat_mul(b: Builder) -> None:
    """A MatMul with a constant on the right or the left, of 2 to 4 dimensions, sometimes with a bias behind it."""
    name, x = b.any()
    width, height = x.shape[-1], x.shape[-2]
    if max(width, height) > 512:
        raise Unsuitable("too wide")
    count = b.chance.randint(1, 24)
    if b.chance.random() < 0.25:
        weight = constants.floats(b, _weights(b, (count, height), height, 0))
        b.keep(b.add("MatMul", [weight, name]))
        return
    lead = b.chance.choice([(), (), (), (1,), x.shape[:-2]])
    shape = (*lead, width, count) if len(lead) <= x.ndim - 2 else (width, count)
    weight = _weights(b, shape, width, len(shape) - 1)
    made = b.add("MatMul", [name, constants.floats(b, weight)])
    if b.chance.random() < 0.6:
        bias = constants.floats(b, b.numbers.normal(0, 0.3, count))
        made = b.add("Add", [made, bias] if b.chance.random() < 0.7 else [bias, made])
    b.keep(made)


def attention(b: Builder) -> None:
    """MatMul of two activations with a softmax between them; neither side is a constant."""
    name, x = b.any()
    if x.shape[-1] > 128 or x.shape[-2] > 128:
        raise Unsuitable("too wide")
    order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
    other = b.add("Transpose", [name], perm=order)
    scores = b.add("MatMul", [name, other])
    scaled = b.add("Mul", [scores, constants.floats(b, 0.1 / np.sqrt(x.shape[-1]))])
    b.keep(b.add("MatMul", [b.add("Softmax", [scaled], axis=x.ndim - 1), name]))


def batch_norm(b: Builder) -> None:
    """A BatchNormalization after whatever is there: a Conv, a ConvTranspose, a Concat, two rows."""
    name, x = b.any()
    _norm(b, name, x.shape[1])


def _norm(b: Builder, name: str, count: int) -> None:
    given: Dict[str, Any] = {"epsilon": b.chance.choice([1e-3, 1e-5])} if b.chance.random() < 0.5 else {}
    if b.chance.random() < 0.3:
        given["momentum"] = 0.03
    if b.opset >= 14 and b.chance.random() < 0.3:
        given["training_mode"] = 0
    draws = (
        b.numbers.uniform(0.5, 1.5, count), b.numbers.normal(0, 0.3, count),
        b.numbers.normal(0, 0.3, count), b.numbers.uniform(0.3, 1.5, count),
    )  # fmt: skip
    b.keep(b.add("BatchNormalization", [name, *(constants.floats(b, draw) for draw in draws)], **given))


def conv_and_batch_norm(b: Builder) -> None:
    """A Conv or ConvTranspose with a BatchNormalization behind it, as trainers export them."""
    b.chance.choice([conv, conv, conv_transpose, conv_1d, gemm])(b)
    made = b.nodes[-1].output[0]
    _norm(b, made, b.values[made].shape[1])


def layer_norm(b: Builder) -> None:
    """A LayerNormalization, or the operators that exporters before opset 17 wrote."""
    name, x = b.any()
    scale = constants.floats(b, b.numbers.uniform(0.5, 1.5, x.shape[-1]))
    shift = constants.floats(b, b.numbers.normal(0, 0.2, x.shape[-1]))
    if b.opset >= 17 and b.chance.random() < 0.6:
        b.keep(b.add("LayerNormalization", [name, scale, shift], axis=-1))
        return
    if b.opset >= 18:
        raise Unsuitable("axes are an input")
    centred = b.add("Sub", [name, b.add("ReduceMean", [name], axes=[-1])])
    power = b.add("Pow", [centred, constants.floats(b, 2.0)])
    spread = b.add("Sqrt", [b.add("Add", [b.add("ReduceMean", [power], axes=[-1]), constants.floats(b, 1e-2)])])
    b.keep(b.add("Add", [b.add("Mul", [b.add("Div", [centred, spread]), scale]), shift]))


LAYERS = {
    conv: 10, shared_head: 1, conv_1d: 1, conv_of_weights_that_are_computed: 0.5, conv_transpose: 2.5, gemm: 2.5,
    mat_mul: 3, attention: 0.7, batch_norm: 1.5, conv_and_batch_norm: 3, layer_norm: 0.7,
}  # fmt: skip
