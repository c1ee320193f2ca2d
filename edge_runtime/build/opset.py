"""Rewrites networks in an opset that TensorRT's parser knows.

Exporters write the newest opset that they know, but most networks do not need it. The converter of onnx raises an opset
well, but cannot lower it even for `Add`. Here an operator is lowered if both opsets define it in the same way. If they
do not, the error names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.gpu import trt
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

CHANGED = ("DFT", "GridSample", "GroupNormalization", "RoiAlign")  # same attributes, but another meaning
NESTED = ("If", "Loop", "Scan", "SequenceMap")  # networks within the network
DOMAINS = ("", "ai.onnx")
IR = 8  # version of the file format: the newest at the time of opset 17


def newest(lib: Any) -> Optional[int]:
    """Returns the newest opset that a library's parser knows; None if we know of no limit."""
    if not hasattr(lib, "TensorIOMode"):
        return 13  # 8.0 to 8.4
    if not trt.strongly_typed(lib):
        return 17  # 8.5, 8.6
    return None if hasattr(lib.BuilderFlag, "REFIT_INDIVIDUAL") else 20  # 10.0, 10.1


def lower(model: onnx.ModelProto, limit: Optional[int]) -> onnx.ModelProto:
    """Lowers the model to opset `limit`, in place. A model that is not above `limit` is not changed.

    Raises:
        ModelError: an operator cannot be written in that opset.
    """
    entry = next(entry for entry in model.opset_import if entry.domain in DOMAINS)
    if limit is None or entry.version <= limit:
        return model
    descent = _Descent(model, entry.version, limit)
    for node in descent.network.nodes:
        if node.domain in DOMAINS:
            descent.rewrite(node)
    entry.version, model.ir_version = limit, min(model.ir_version, IR)
    return model


class _Descent:
    """Lowers one model from one opset to another."""

    def __init__(self, model: onnx.ModelProto, now: int, limit: int) -> None:
        self.network, self._now, self._limit = Network(model), now, limit
        parts = any(each.name == "num_outputs" for node in model.graph.node for each in node.attribute)
        self._shapes = _shapes(model) if parts else {}

    def rewrite(self, node: onnx.NodeProto) -> None:
        """Rewrites a node in the form of the older opset."""
        from onnx import defs

        if not defs.has(node.op_type):
            return
        if node.op_type in NESTED:
            raise self._refused(node, "cannot be rewritten")
        try:
            old, new = (defs.get_schema(node.op_type, opset) for opset in (self._limit, self._now))
        except defs.SchemaError as error:
            raise self._refused(node, "does not exist in the older opset") from error
        if old.since_version == new.since_version:
            return
        if node.op_type in CHANGED:
            raise self._refused(node, "means something else in the older opset")
        if node.op_type.startswith("Reduce"):
            self._axes(node, old)
        if node.op_type == "Split":
            self._sizes(node)
        for attribute in [each for each in node.attribute if each.name not in old.attributes]:
            if not self._needless(node, attribute, new):
                raise self._refused(node, f"has no {attribute.name} in the older opset")
            node.attribute.remove(attribute)
        if len(node.input) > old.max_input:
            raise self._refused(node, f"has at most {old.max_input} inputs in the older opset")

    def _axes(self, node: onnx.NodeProto, old: Any) -> None:
        """Turns the input `axes` into an attribute, which it was before opset 18."""
        from onnx import helper

        if "axes" in old.attributes and len(node.input) > 1 and node.input[1] in self.network.constants:
            axes: List[int] = self.network.constants[node.input[1]].reshape(-1).tolist()
            node.input.pop()
            node.attribute.append(helper.make_attribute("axes", axes))

    def _sizes(self, node: onnx.NodeProto) -> None:
        """Replaces `num_outputs`, which is new in opset 18, by the sizes of the parts. The last may be smaller."""
        number = next((each for each in node.attribute if each.name == "num_outputs"), None)
        if number is None:
            return
        axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
        dims = [self._shapes.get(name) for name in node.output]
        sizes = [each[axis].dim_value if each else 0 for each in dims]
        if not all(sizes):
            raise self._refused(node, "has no num_outputs in the older opset")
        node.attribute.remove(number)
        node.input.append(self.network.set_constant(f"{node.output[0]}.sizes", np.array(sizes, np.int64)))

    def _needless(self, node: onnx.NodeProto, attribute: Any, schema: Any) -> bool:
        """Whether the node means the same without the attribute."""
        from onnx import helper

        default = schema.attributes[attribute.name].default_value
        if default.name and helper.get_attribute_value(attribute) == helper.get_attribute_value(default):
            return True
        shape = self.network.constants.get(node.input[1]) if attribute.name == "allowzero" else None
        return shape is not None and bool(np.all(shape))

    def _refused(self, node: onnx.NodeProto, why: str) -> ModelError:
        return ModelError(
            f"{trt.version()} reads opset {self._limit}, the file has {self._now}: "
            f"{node.op_type} {node.name or node.output[0]} {why}",
            hint=f"export the network with opset {self._limit}, or build with a newer TensorRT",
        )


def _shapes(model: onnx.ModelProto) -> Dict[str, Any]:
    """Returns the dimensions of the tensors whose shapes are known."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    return {value.name: value.type.tensor_type.shape.dim for value in [*graph.value_info, *graph.output]}
