"""How a quantised network is written: its metadata, and the form that TensorRT needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.errors import ModelError
from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import TENSORRT, quantize
from edge_runtime.graph.unround import to_float
from edge_runtime.model.spec import METADATA_KEY, RANGES_KEY, ModelSpec

if TYPE_CHECKING:
    import onnx


def with_metadata(model: onnx.ModelProto, spec: ModelSpec, table: RangeTable) -> onnx.ModelProto:
    """Puts spec and range table into a model's metadata, in place. Results measured on the float model are removed."""
    kept = [p for p in model.metadata_props if p.key not in (METADATA_KEY, RANGES_KEY, "measured")]
    entries = [(p.key, p.value) for p in kept] + [(METADATA_KEY, spec.to_json()), (RANGES_KEY, table.to_json())]
    del model.metadata_props[:]
    for key, value in entries:
        model.metadata_props.add(key=key, value=value)
    return model


def tensorrt_form(model: onnx.ModelProto, float16: bool = False) -> onnx.ModelProto:
    """Returns an INT8 file that we made in the form for TensorRT.

    Its ranges are symmetric, and it rounds before the operators that multiply by weights.

    Args:
        float16: compute everything that is not in 8 bits in float16. Input and outputs stay float32.

    Raises:
        ModelError: the file carries no range table.
    """
    text = next((p.value for p in model.metadata_props if p.key == RANGES_KEY), None)
    if text is None:
        raise ModelError("the model carries no range table", hint="make one that does with edge-calibrate")
    table, whole = RangeTable.from_json(text), type(model)()
    whole.CopyFrom(model)
    form = quantize(to_float(whole), table.ranges, TENSORRT, table.origin.keep, None, table.float_activations)
    return half(Network(form)) if float16 else form
