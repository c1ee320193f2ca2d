"""What the stand-ins have, listed as `bindings.members` lists the real modules: one object of each class is made."""

from __future__ import annotations

import enum
import inspect
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Dict, List

import numpy as np
import onnx

from tests.standins import cuda, tensorrt_api
from tests.standins.names.bindings import Members
from tests.standins.names.members import STARRED, bound
from tests.standins.tensorrt_engine import plan

NOTES = {  # the stand-ins' own, for the tests
    ("", "calls"), ("INetworkDefinition", "fill"), ("IBuilderConfig", "profiles"), ("IOptimizationProfile", "shapes"),
}  # fmt: skip
IO = {"images": ((1, 3, 8, 8), "float32"), "boxes": ((1, 4), "float32")}


def tensorrt(version: str) -> Members:
    """Members of TensorRT's stand-in of that version."""
    lib = tensorrt_api.module(version)
    builder, gpu = lib.Builder(None), SimpleNamespace()
    network, config = builder.create_network(0), builder.create_builder_config()
    parser = lib.OnnxParser(network, None)
    parser.parse(_model())
    engine = lib.Runtime(None).deserialize_cuda_engine(plan(IO, lambda given, made: None, gpu))
    own = hasattr(lib.BuilderFlag, "REQUIRE_USER_ALLOCATION")
    context = engine.create_execution_context(*([lib.ExecutionContextAllocationStrategy.USER_MANAGED] if own else []))
    objects = {
        "Builder": builder, "INetworkDefinition": network, "IBuilderConfig": config, "OnnxParser": parser,
        "ParserError": parser.get_error(0), "ITensor": network.get_input(0), "Runtime": lib.Runtime(None),
        "ITimingCache": config.create_timing_cache(b""), "ICudaEngine": engine, "IExecutionContext": context,
        "IOptimizationProfile": builder.create_optimization_profile(),
    }  # fmt: skip
    if hasattr(lib.BuilderFlag, "FP16"):  # later layers have no precision of their own
        objects["ILayer"] = network.get_layer(0)
    if hasattr(engine, "create_engine_inspector"):
        objects["EngineInspector"] = engine.create_engine_inspector()
    return _listed(lib, objects)


def pycuda() -> Members:
    """Members of the stand-in for pycuda.driver."""
    gpu = cuda.Gpu()
    lib = cuda.driver(gpu)
    device, module, array = lib.Device(0), lib.module_from_buffer(b""), lib.pagelocked_empty((1,), np.uint8)
    objects = {
        "Device": device, "Context": device.retain_primary_context(), "Stream": lib.Stream(1), "Event": lib.Event(1),
        "DeviceAllocation": lib.mem_alloc(1), "PagelockedHostAllocation": array.base, "Module": module,
        "Function": module.get_function("edge_widen"),
    }  # fmt: skip
    return _listed(lib, objects)


def _listed(lib: Any, objects: Dict[str, Any]) -> Members:
    kinds = {name: getattr(lib, name) for name in _public(lib)}
    kinds = {name: thing for name, thing in kinds.items() if isinstance(thing, (type, SimpleNamespace))}
    return {
        owner: {name: _member(thing, name) for name in _public(thing) if (owner, name) not in NOTES}
        for owner, thing in {"": lib, **kinds, **objects}.items()
    }


def _public(thing: Any) -> List[str]:
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        return list(thing.__members__)
    special = ("__init__",) if inspect.isclass(thing) else ("__version__",)
    inherited = dir(Exception)  # of Python: each version has others
    return [name for name in dir(thing) if (name[0] != "_" and name not in inherited) or name in special]


def _member(thing: Any, name: str) -> Dict[str, Any]:
    value, calls = getattr(thing, name), []
    if isinstance(value, enum.EnumMeta):
        return {"kind": "class", "calls": [], "returns": []}  # never called: numbers of members are not ours to know
    with suppress(TypeError, ValueError):  # not to be called, or written in C
        given = list(inspect.signature(value).parameters.values())[int(bound(thing, name)) :]
        calls = [[(str(p) if p.kind in STARRED else p.name, p.default is p.empty) for p in given]]
    return {"kind": "setting", "calls": calls, "returns": []}


def _model() -> bytes:
    tensor = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, (1, 3, 8, 8))
    same = onnx.helper.make_tensor_value_info("boxes", onnx.TensorProto.FLOAT, (1, 3, 8, 8))
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["images"], ["boxes"])], "g", [tensor], [same])
    return onnx.helper.make_model(graph).SerializeToString()
