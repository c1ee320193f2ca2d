"""Which tensors of a network are float activations: computed from the picture, and of type float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterable, List, Set, Tuple

if TYPE_CHECKING:
    import onnx

FLOAT = 1  # onnx.TensorProto.FLOAT
SIZES = ("Shape", "Size")  # what they give does not depend on the values of the picture
Shape = Tuple[int, ...]


def inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with the types and shapes of its tensors, as far as they can be told without a run."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # a type of its own, where a graph contradicts itself; the run then says what is wrong
        return model


def element_types(model: onnx.ModelProto) -> Dict[str, int]:
    """Returns the type of each tensor of an inferred model by name, in ONNX's numbers; only known ones."""
    kinds = {value.name: value.type.tensor_type.elem_type for value in _values(model)}
    kinds.update({tensor.name: tensor.data_type for tensor in model.graph.initializer})
    return {name: kind for name, kind in kinds.items() if kind}


def shapes(model: onnx.ModelProto) -> Dict[str, Shape]:
    """Returns the shape of each tensor of an inferred model by name; only those without an open size."""
    found: Dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in _values(model):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            if all(dim.HasField("dim_value") for dim in dims):
                found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


def _values(model: onnx.ModelProto) -> List[onnx.ValueInfoProto]:
    return [*model.graph.input, *model.graph.value_info, *model.graph.output]


def computed_from(names: Iterable[str], nodes: Iterable[Tuple[onnx.NodeProto, List[str]]]) -> Set[str]:
    """Returns the tensors whose values depend on those of the given tensors, and not on their sizes alone.

    Args:
        nodes: each node with the names that it reads, in the order of computation.
    """
    found = set(names)
    for node, read in nodes:
        if node.op_type not in SIZES and found.intersection(read):
            found.update(name for name in node.output if name)
    return found
