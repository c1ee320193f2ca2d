"""TensorRT 8.0 to 8.4, for the Jetson Nano and TX2: only this file knows what is different in them.

Their engines have numbered bindings instead of named tensors. `adapted` gives such an engine the names of 8.5, which
all other code uses. `hasattr` tells what a version has, never its number.
"""

from __future__ import annotations

import enum
from typing import Any, Dict, List, Tuple


class TensorIOMode(enum.Enum):
    """Whether a tensor is an input or an output. TensorRT 8.5 and later have their own enumeration."""

    INPUT = 1
    OUTPUT = 2


def modes(lib: Any) -> Any:
    """Returns the library's TensorIOMode, or the one of this file."""
    return getattr(lib, "TensorIOMode", TensorIOMode)


def adapted(engine: Any) -> Any:
    """Returns an engine with the names of 8.5; the engine itself if it has them."""
    return engine if hasattr(engine, "num_io_tensors") else BindingsEngine(engine)


def limit_workspace(lib: Any, config: Any, size: int) -> None:
    """Limits the bytes that the builder's tactics may use. Memory pools exist since 8.4."""
    if hasattr(config, "set_memory_pool_limit"):
        config.set_memory_pool_limit(lib.MemoryPoolType.WORKSPACE, size)
    else:
        config.max_workspace_size = size


def detailed(lib: Any) -> Any:
    """Returns the verbosity that lists every layer. Before 8.2 it was called VERBOSE."""
    kinds = lib.ProfilingVerbosity
    return kinds.DETAILED if hasattr(kinds, "DETAILED") else kinds.VERBOSE


class BindingsEngine:
    """An engine of 8.0 to 8.4 with the names of 8.5. Each optimisation profile repeats the bindings: the first is used.

    Attributes:
        num_io_tensors: number of inputs and outputs.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.num_io_tensors = engine.num_bindings // max(1, engine.num_optimization_profiles)
        self._places: Dict[str, int] = {self.get_tensor_name(place): place for place in range(self.num_io_tensors)}

    def get_tensor_name(self, place: int) -> str:
        """Name of an input or output by its number."""
        return str(self._engine.get_binding_name(place))

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """Whether it is an input or an output."""
        given = self._engine.binding_is_input(self._places[name])
        return TensorIOMode.INPUT if given else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> Any:
        """Its sizes; -1 where a size is open."""
        return self._engine.get_binding_shape(self._places[name])

    def get_tensor_dtype(self, name: str) -> Any:
        """Its dtype, of the library's own enumeration."""
        return self._engine.get_binding_dtype(self._places[name])

    def create_execution_context(self) -> Any:
        """A context with the same names; None if the library gives none."""
        context = self._engine.create_execution_context()
        return None if context is None else BindingsContext(context, self._places, self._engine.num_bindings)


class BindingsContext:
    """An execution context of 8.0 to 8.4 with the names of 8.5."""

    def __init__(self, context: Any, places: Dict[str, int], bindings: int) -> None:
        self._context, self._places = context, places
        self._addresses: List[int] = [0] * bindings

    def set_input_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        """Sets the sizes of an input. False if the engine does not allow them."""
        return bool(self._context.set_binding_shape(self._places[name], shape))

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Sets where on the device an input or output lies."""
        self._addresses[self._places[name]] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        """Starts the network on a stream. False if it could not be started."""
        return bool(self._context.execute_async_v2(self._addresses, stream))
