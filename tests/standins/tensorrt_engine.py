"""The engines of the TensorRT stand-ins: named tensors from 8.5 on, numbered bindings before."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tests.standins import tensorrt_network

LISTING = json.dumps({"Layers": [
    {"Name": "conv1", "LayerType": "CaskConvolution", "Inputs": [
        {"Name": "x", "Dimensions": [1, 3, 8, 8], "Format/Datatype": "Row major linear FP16 format"}]},
    {"Name": "fc", "LayerType": "CaskGemmConvolution", "Inputs": [
        {"Name": "y", "Format/Datatype": "Channel major FP32 format where channel % 4 == 0"}]},
], "Bindings": ["x"]})  # fmt: skip
LISTING_11 = json.dumps({"Layers": [
    {"Name": "conv1", "LayerType": "CaskConvolution", "Inputs": [
        {"Name": "x", "Format": "Row major linear", "DataType": "Half"}]},
    {"Name": "fc", "LayerType": "gemm", "Inputs": [
        {"Name": "y", "Format": "(NHWC) Channel major", "DataType": "Float"}]},
], "I/O Tensors": []})  # fmt: skip


class Strict:
    """An object with the attributes that it was given: others can neither be read nor set."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"no attribute {name!r}")
        self.__dict__[name] = value


def create_profile(record: Callable[..., None]) -> Strict:
    """An optimisation profile of a builder; `shapes` has the least and the largest of each input."""
    shapes: Dict[str, Any] = {}

    def set_shape(input: str, min: Tuple[int, ...], opt: Tuple[int, ...], max: Tuple[int, ...]) -> None:
        record("set_shape", input, min, opt, max)
        shapes[input] = (min, max)

    return Strict(set_shape=set_shape, shapes=shapes)


def plan(io: Dict[str, Any], run: Callable[[Any, List[Any]], None], gpu: Any) -> bytes:
    """Content of a plan that the stand-ins run: `run(input, outputs)` fills arrays of the shapes and types of `io`.

    Args:
        io: name -> (shape, dtype), the image first; a shape may begin with -1. Names in `SECOND` are inputs too.
        gpu: told of every run, which may belong to a graph.
    """
    given = [next(iter(io)), *(name for name in io if name in SECOND)]
    PLANS.append(_Plan(io, given, run, gpu))
    return b"stand-in %d" % (len(PLANS) - 1)


class _Plan(NamedTuple):
    io: Dict[str, Any]
    given: Sequence[str]  # names of its inputs
    run: Callable[[Any, List[Any]], None]
    gpu: Any
    most: int = 0  # largest batch of its optimisation profile; 0 if any is taken


SECOND = ("orig_target_sizes",)
PLANS: List[_Plan] = []


def _plan_of(content: bytes, lib: Any, gpu: Any) -> Optional[_Plan]:
    if content.startswith(b"stand-in "):
        return PLANS[int(content[9:])]
    if content.startswith(tensorrt_network.MARK):
        most = tensorrt_network.most(content)
        return _Plan(*tensorrt_network.opened(content, hasattr(lib.DataType, "INT64")), gpu, most)
    return None


def deserialize(lib: Any, content: bytes, record: Callable[..., None], gpu: Any = None) -> Any:
    """A Runtime's engine of what `plan` gave, or of a network, which runs on `gpu`; None of anything else."""
    record("deserialize_cuda_engine")
    plan = _plan_of(content, lib, gpu)
    if plan is None:
        return None
    io, given, run, gpu, most = plan
    names, rtx = list(io), hasattr(lib, "ComputeCapability")
    inspecting = {"create_engine_inspector": lambda: _inspector(lib)} if hasattr(lib, "LayerInformationFormat") else {}

    shares, contexts = hasattr(lib.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"), []  # type: ignore[var-annotated]

    def create_execution_context(*strategy: Any) -> Any:
        context = _Context(io, run, gpu, most, shares or not contexts)
        contexts.append(context)
        if hasattr(lib, "TensorIOMode"):
            more = _user_memory(record, gpu) if strategy else {}
            more.update({"is_stream_capturable": lambda handle: not gpu.refuses_graphs} if rtx else {})
            return Strict(
                set_tensor_address=lambda name, address: context.addresses.update({name: address}) or True,
                set_input_shape=lambda name, shape: context.resize(shape),
                execute_async_v3=context.execute,
                **more,
            )

        def execute_async_v2(bindings: List[int], stream_handle: int) -> bool:
            context.addresses.update(zip(names, bindings))
            return context.execute(stream_handle)

        return Strict(
            set_binding_shape=lambda index, shape: index == 0 and context.resize(shape),
            execute_async_v2=execute_async_v2,
        )

    def dtype(name: str) -> Any:
        return getattr(lib.DataType, tensorrt_network.KINDS[io[name][1]])

    if not hasattr(lib, "TensorIOMode"):
        return Strict(
            num_bindings=len(names),
            num_optimization_profiles=1,
            get_binding_name=lambda index: names[index],
            binding_is_input=lambda index: names[index] in given,
            get_binding_shape=lambda index: io[names[index]][0],
            get_binding_dtype=lambda index: dtype(names[index]),
            create_execution_context=lambda: create_execution_context(),
            **inspecting,
        )
    return Strict(
        num_io_tensors=len(names),
        get_tensor_name=lambda k: names[k],
        get_tensor_mode=lambda name: lib.TensorIOMode.INPUT if name in given else lib.TensorIOMode.OUTPUT,
        get_tensor_shape=lambda name: io[name][0],
        get_tensor_dtype=dtype,
        create_execution_context=create_execution_context,
        **({"device_memory_size_v2": 4096} if rtx else {}),
        **inspecting,
    )


class _Context:
    """What runs a plan: addresses by name, and shapes. Before version 10 only one has the optimisation profile."""

    def __init__(
        self, io: Dict[str, Any], run: Callable[[Any, List[Any]], None], gpu: Any, most: int, has_profile: bool
    ) -> None:
        self._io, self._run, self._gpu, self._most, self._has_profile = io, run, gpu, most, has_profile
        self.addresses: Dict[str, int] = {}
        self._shapes = {name: shape for name, (shape, _) in io.items()}

    def resize(self, shape: Tuple[int, ...]) -> bool:
        if not self._has_profile or (self._most and shape[0] > self._most):
            return False
        self._shapes.update({known: (shape[0], *old[1:]) for known, old in self._shapes.items()})
        return True

    def execute(self, handle: int) -> bool:
        assert handle, "the default stream"
        if not self._gpu.noted("execute"):
            return False
        arrays = [_array(self.addresses[name], self._shapes[name], dtype) for name, (_, dtype) in self._io.items()]
        self._gpu.run(lambda: self._run(arrays[0], arrays[1:]))
        return True


def _user_memory(record: Callable[..., None], gpu: Any) -> Dict[str, Any]:
    def set_device_memory(address: int, size: int) -> None:
        assert address in gpu.held and size == 4096, "memory of others"
        record("set_device_memory", size)

    return {"set_device_memory": set_device_memory}


def _inspector(lib: Any) -> Strict:
    eleven = not hasattr(lib.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH")

    def get_engine_information(form: Any) -> str:
        return {"JSON": LISTING_11 if eleven else LISTING, "ONELINE": "conv1"}[form.name]

    return Strict(get_engine_information=get_engine_information)


def _array(address: int, shape: Tuple[int, ...], dtype: str) -> Any:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)
