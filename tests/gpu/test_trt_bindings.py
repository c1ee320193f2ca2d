"""Engines of TensorRT 8.0 to 8.4 with the names of 8.5."""

from __future__ import annotations

from typing import Any, List

import pytest

from edge_runtime.gpu import trt_bindings
from tests.standins import tensorrt_api
from tests.standins.tensorrt_engine import Strict

NAMES = ("images", "output0")


def engine(version: str) -> Any:
    io = {"images": ((-1, 3, 64, 64), "float16"), "output0": ((-1, 7, 84), "float32")}
    content = tensorrt_api.plan(io, lambda images, outputs: None, None)
    return tensorrt_api.module(version).Runtime(None).deserialize_cuda_engine(content)


@pytest.mark.parametrize("version", tensorrt_api.BINDINGS)
def test_bindings_read_as_tensors(version):
    lib, adapted = tensorrt_api.module(version), trt_bindings.adapted(engine(version))
    modes = trt_bindings.modes(lib)
    assert tuple(map(adapted.get_tensor_name, range(adapted.num_io_tensors))) == NAMES
    assert [adapted.get_tensor_mode(name) for name in NAMES] == [modes.INPUT, modes.OUTPUT]
    assert [adapted.get_tensor_shape(name) for name in NAMES] == [(-1, 3, 64, 64), (-1, 7, 84)]
    assert [adapted.get_tensor_dtype(name) for name in NAMES] == [lib.DataType.HALF, lib.DataType.FLOAT]


@pytest.mark.parametrize("version", tensorrt_api.BINDINGS)
def test_of_several_profiles_the_first_is_used(version):
    """The second repeats the bindings of the first; addresses are given for all."""
    names, given = [*NAMES, "images [profile 1]", "output0 [profile 1]"], []  # type: ignore[var-annotated]

    def execute_async_v2(bindings: List[int], stream_handle: int) -> bool:
        given.append((list(bindings), stream_handle))
        return True

    made = Strict(
        set_binding_shape=lambda place, shape: given.append((place, shape)) or True, execute_async_v2=execute_async_v2
    )
    changed = {"num_bindings": 4, "num_optimization_profiles": 2, "get_binding_name": names.__getitem__}
    own = {**engine(version).__dict__, **changed, "create_execution_context": lambda: made}
    adapted = trt_bindings.adapted(Strict(**own))
    assert tuple(map(adapted.get_tensor_name, range(adapted.num_io_tensors))) == NAMES
    context = adapted.create_execution_context()
    assert context.set_input_shape("images", (2, 3, 64, 64)) and context.set_tensor_address("output0", 7)
    assert context.set_tensor_address("images", 5) and context.execute_async_v3(9)
    assert given == [(0, (2, 3, 64, 64)), ([5, 7, 0, 0], 9)]


@pytest.mark.parametrize("version", tensorrt_api.BINDINGS)
def test_no_memory_gives_no_context(version):
    own = {**engine(version).__dict__, "create_execution_context": lambda: None}
    assert trt_bindings.adapted(Strict(**own)).create_execution_context() is None


@pytest.mark.parametrize("version", [each for each in tensorrt_api.VERSIONS if each not in tensorrt_api.BINDINGS])
def test_an_engine_with_named_tensors_is_left_alone(version):
    made, lib = engine(version), tensorrt_api.module(version)
    assert trt_bindings.adapted(made) is made and trt_bindings.modes(lib) is lib.TensorIOMode
