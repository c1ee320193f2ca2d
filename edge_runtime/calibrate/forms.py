"""How a quantised network is written: its metadata, and the form that TensorRT needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection

from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.errors import ModelError
from edge_runtime.graph import rounding_points
from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network
from edge_runtime.graph.quantize import TENSORRT, quantize
from edge_runtime.graph.unround import to_float
from edge_runtime.model.spec import GOLDEN_KEY, METADATA_KEY, RANGES_KEY, VERDICT_KEYS, ModelSpec

if TYPE_CHECKING:
    import onnx


def with_metadata(model: onnx.ModelProto, spec: ModelSpec, table: RangeTable) -> onnx.ModelProto:
    """Puts spec and range table into a model's metadata, in place. Results measured on another file are removed."""
    _remove(model, (METADATA_KEY, RANGES_KEY, GOLDEN_KEY, "measured", *VERDICT_KEYS))
    for key, value in ((METADATA_KEY, spec.to_json()), (RANGES_KEY, table.to_json())):
        model.metadata_props.add(key=key, value=value)
    return model


def _remove(model: onnx.ModelProto, keys: Collection[str]) -> None:
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in keys]
    del model.metadata_props[:]
    for key, value in kept:
        model.metadata_props.add(key=key, value=value)


def tensorrt_form(
    model: onnx.ModelProto, float16: bool = False, keep: Collection[str] = (), depthwise: bool = True
) -> onnx.ModelProto:
    """Returns an INT8 file that we made in the form for TensorRT.

    Its ranges are symmetric, and it rounds before the operators that multiply by weights.

    Args:
        float16: compute everything that is not in 8 bits in float16. Input and outputs stay float32.
        keep: first outputs of nodes that stay in float32 then.
        depthwise: whether depthwise convolutions are quantised, too.

    Raises:
        ModelError: the file carries no range table.
    """
    text = next((p.value for p in model.metadata_props if p.key == RANGES_KEY), None)
    if text is None:
        raise ModelError("the model carries no range table", hint="make one that does with edge-calibrate")
    table, whole = RangeTable.from_json(text), type(model)()
    whole.CopyFrom(model)
    _remove(whole, (GOLDEN_KEY, *VERDICT_KEYS))  # they are of the other form
    network = to_float(whole)
    in_float = {*table.origin.keep, *(() if depthwise else rounding_points.depthwise(network))}
    form = quantize(network, table.ranges, TENSORRT, in_float, float_activations=table.float_activations)
    return half(Network(form), keep) if float16 else form
