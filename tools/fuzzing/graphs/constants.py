"""The forms in which exporters write a constant."""

from __future__ import annotations

from typing import Callable, Dict, List, Sequence, Union

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from fuzzing.graphs.builder import Builder, Unsuitable

FLOAT_SINCE = 12  # Constant with value_float, value_ints


def floats(b: Builder, value: Union[float, np.ndarray]) -> str:
    """A constant of the activations' type, in a form that is drawn."""
    array = b.floats(value)
    return _drawn(b, array, FLOATS)


def ints(b: Builder, value: Union[int, Sequence[int], np.ndarray]) -> str:
    """A constant int64, in a form that is drawn."""
    return _drawn(b, np.asarray(value, np.int64), INTS)


def exact(b: Builder, value: np.ndarray) -> str:
    """A constant that keeps its type, as an initializer or a Constant."""
    return b.initializer(value) if b.chance.random() < 0.5 else constant(b, value)


def constant(b: Builder, value: np.ndarray) -> str:
    """A Constant with a tensor."""
    return str(b.add("Constant", [], value=numpy_helper.from_array(np.asarray(value, order="C"), "value")))


Form = Callable[[Builder, np.ndarray], str]


def _drawn(b: Builder, value: np.ndarray, forms: Dict[str, Form]) -> str:
    if b.chance.random() < 0.45:
        return b.initializer(value)
    before = b.state()
    try:
        return forms[b.chance.choice(list(forms))](b, value)
    except Unsuitable:
        b.back(before)
        return b.initializer(value)


def _overridable(b: Builder, value: np.ndarray) -> str:
    name = b.initializer(value)
    b.overridable.append(name)
    return name


def _plain_attribute(b: Builder, value: np.ndarray) -> str:
    if b.opset < FLOAT_SINCE or value.ndim > 1 or value.dtype not in (np.float32, np.int64):
        raise Unsuitable("a tensor")
    kind = "float" if value.dtype == np.float32 else "int"
    given = {f"value_{kind}s": value.tolist()} if value.ndim else {f"value_{kind}": value.item()}
    return str(b.add("Constant", [], **given))


def _identities(b: Builder, value: np.ndarray) -> str:
    name = b.initializer(value) if b.chance.random() < 0.6 else constant(b, value)
    for _ in range(b.chance.choice([1, 1, 2])):
        name = b.add("Identity", [name])
    return name


def _of_shape(b: Builder, value: np.ndarray) -> str:
    if not value.ndim or not (value == value.flat[0]).all():
        raise Unsuitable("not uniform")
    shape = exact(b, np.array(value.shape, np.int64))
    return str(b.add("ConstantOfShape", [shape], value=numpy_helper.from_array(value.reshape(-1)[:1], "value")))


def _cast(kind: type) -> Form:
    def form(b: Builder, value: np.ndarray) -> str:
        stored = b.initializer(value.astype(kind))
        return str(b.add("Cast", [stored], to=helper.np_dtype_to_tensor_dtype(value.dtype)))

    return form


def _brain(b: Builder, value: np.ndarray) -> str:
    if b.opset < 13:
        raise Unsuitable("no bfloat16")
    bits = np.asarray(value, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)  # the upper half of a float32
    name = b.initializer(bits.view(np.float32))
    tensor = b.initializers[-1]
    tensor.Clear()
    tensor.name, tensor.data_type, tensor.raw_data = name, TensorProto.BFLOAT16, (bits >> 16).astype("<u2").tobytes()
    tensor.dims.extend(value.shape)
    return str(b.add("Cast", [name], to=helper.np_dtype_to_tensor_dtype(value.dtype)))


def _product(b: Builder, value: np.ndarray) -> str:
    factor = np.array(b.chance.choice([0.5, 2.0, -1.0, 0.25]), value.dtype)
    names = [exact(b, (value / factor).astype(value.dtype)), exact(b, factor)]
    return str(b.add("Mul", names))


def _sum(b: Builder, value: np.ndarray) -> str:
    names = [b.initializer((value / 2).astype(value.dtype)), b.initializer((value / 2).astype(value.dtype))]
    return str(b.add("Add", names))


def _reshaped(b: Builder, value: np.ndarray) -> str:
    if not value.ndim:
        raise Unsuitable("a scalar")
    return str(b.add("Reshape", [b.initializer(value.reshape(-1)), exact(b, np.array(value.shape, np.int64))]))


def _transposed(b: Builder, value: np.ndarray) -> str:
    if not value.ndim:
        raise Unsuitable("a scalar")
    order = list(range(value.ndim))[::-1]
    return str(b.add("Transpose", [b.initializer(np.ascontiguousarray(value.transpose(order)))], perm=order))


def _joined(b: Builder, value: np.ndarray) -> str:
    if not value.ndim or len(value) < 2:
        raise Unsuitable("too short")
    cut = b.chance.randrange(1, len(value))
    return str(b.add("Concat", [b.initializer(value[:cut]), b.initializer(value[cut:])], axis=0))


def _doubled(b: Builder, value: np.ndarray) -> str:
    """The name of an equal constant that is there already: a weight that is used twice."""
    same = [t.name for t in b.initializers if b.values[t.name].dtype == value.dtype]
    found: List[str] = [name for name in same if b.values[name].shape == value.shape and value.ndim > 1]
    if not found:
        raise Unsuitable("none is equal")
    return b.chance.choice(found)


FLOATS: Dict[str, Form] = {
    "input too": _overridable, "Constant": constant, "attribute": _plain_attribute, "Identity": _identities,
    "ConstantOfShape": _of_shape, "float16": _cast(np.float16), "float64": _cast(np.float64), "bfloat16": _brain,
    "Mul": _product, "Add": _sum, "Reshape": _reshaped, "Transpose": _transposed, "Concat": _joined,
    "doubled": _doubled,
}  # fmt: skip
INTS: Dict[str, Form] = {
    "input too": _overridable, "Constant": constant, "attribute": _plain_attribute, "Identity": _identities,
    "int32": _cast(np.int32), "Concat": _joined, "Constant again": constant, "attribute again": _plain_attribute,
}  # fmt: skip
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
