"""Finds which data type each layer reads, from the engine itself: TensorRT 8.2 and later, on the plan's GPU."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from edge_runtime.build.listing import EngineLayer, type_name


def inspect_layers(lib: Any, log: Any, plan: bytes) -> List[EngineLayer]:
    """Returns the layers of a plan; none if it does not open here, or this TensorRT cannot list them."""
    runtime = lib.Runtime(log)  # kept until the end, because it owns the engine
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None or not hasattr(engine, "create_engine_inspector"):
        return []
    return layers_of_json(engine.create_engine_inspector().get_engine_information(lib.LayerInformationFormat.JSON))


def layers_of_json(text: str) -> List[EngineLayer]:
    """Returns the layers in an inspector's JSON; none if it holds only their names, or is damaged."""
    try:
        return [_layer(layer) for layer in json.loads(text)["Layers"] if isinstance(layer, dict)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _layer(layer: Dict[str, Any]) -> EngineLayer:
    return EngineLayer(layer["Name"], layer["LayerType"], [_type(tensor) for tensor in layer.get("Inputs", [])])


def _type(tensor: Dict[str, Any]) -> str:
    """Returns the data type of a tensor: part of `Format/Datatype` up to TensorRT 10, `DataType` in 11."""
    return type_name(" ".join(str(value) for key, value in tensor.items() if key.lower().endswith("datatype")))
