"""Gives a network one input, planar floats, as calibration and TensorRT need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model import inputs, onnx_file
from edge_runtime.model.spec import ModelIO

if TYPE_CHECKING:
    import onnx


def plain_input(model: onnx.ModelProto, input_wh: Tuple[int, int], batch: int = 1) -> None:
    """Turns all inputs but the image into constants, and the image into (B, 3, H, W) float32 or float16.

    The new input of a network that takes whole numbers is rounded, as the host does it. A network whose image is not
    found is left as it is.

    Args:
        model: changed in place.
        input_wh: (width, height) in pixels, for the constants.
        batch: images per run, for the constants.
    """
    found = onnx_file.inputs_of(model)
    image = inputs.image_of({name: onnx_file.shape_of(value) for name, value in found.items()})
    if image is None:
        return
    _others_to_constants(model, image, (batch, 3, input_wh[1], input_wh[0]))
    value = onnx_file.inputs_of(model)[image]
    nodes: List[onnx.NodeProto] = []
    last = image
    if onnx_file.dtype_of(value) == "uint8":
        nodes, last = _rounded(model, image, value)
    shape = value.type.tensor_type.shape.dim
    if onnx_file.shape_of(value)[1] != 3:
        nodes.append(_node("Transpose", [last], f"{image}.channels_last", perm=[0, 2, 3, 1]))
        last, sizes = nodes[-1].output[0], onnx_file.shape_of(value)
        for dim, size in zip(shape, (sizes[0], 3, *sizes[1:3])):
            dim.Clear()
            if size > 0:
                dim.dim_value = size
    if nodes:
        _put_first(model, image, nodes, last)


def _others_to_constants(model: onnx.ModelProto, image: str, shape: Tuple[int, int, int, int]) -> None:
    from onnx import numpy_helper

    found = {name: value for name, value in onnx_file.inputs_of(model).items() if name != image}
    others = {name: inputs.filled(name, onnx_file.shape_of(value), shape) for name, value in found.items()}
    dtypes = {name: onnx_file.dtype_of(value) for name, value in found.items()}
    values = inputs.given(ModelIO(image, shape, {}, dtypes=dtypes, others=others))
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in values.items())
    kept = [value for value in model.graph.input if value.name not in others]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _rounded(model: onnx.ModelProto, image: str, value: onnx.ValueInfoProto) -> Tuple[List[onnx.NodeProto], str]:
    """Whole numbers 0..255 of a float input, as uint8 only where the network does not turn them into floats itself."""
    from onnx import TensorProto

    nearest, low, high = (
        _constant(model, f"{image}.{name}", np.array(number, np.float32))
        for name, number in (("to_nearest", 0.5), ("least", 0), ("most", 255))
    )
    value.type.tensor_type.elem_type = TensorProto.FLOAT
    steps = [("Add", nearest), ("Floor", ""), ("Max", low), ("Min", high)]
    nodes: List[onnx.NodeProto] = []
    last = image
    for op, constant in steps:
        nodes.append(_node(op, [name for name in (last, constant) if name], f"{image}.{op.lower()}"))
        last = nodes[-1].output[0]
    if any(node.op_type != "Cast" for node in model.graph.node if image in node.input):
        nodes.append(_node("Cast", [last], f"{image}.uint8", to=TensorProto.UINT8))
        last = nodes[-1].output[0]
    return nodes, last


def _node(op: str, names: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node(op, list(names), [output], name=output, **attributes)


def _constant(model: onnx.ModelProto, name: str, value: NDArray[np.float32]) -> str:
    from onnx import numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _put_first(model: onnx.ModelProto, image: str, nodes: Sequence[onnx.NodeProto], last: str) -> None:
    """Puts the nodes before all others, which then read their result instead of the image."""
    rest = list(model.graph.node)
    for node in rest:
        for place, name in enumerate(node.input):
            if name == image:
                node.input[place] = last
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
