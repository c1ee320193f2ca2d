"""Execution contexts of one TensorRT engine, for each number of pictures that a slot runs."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from edge_runtime.errors import UsageError
from edge_runtime.gpu import trt
from edge_runtime.gpu.plan_file import Engine
from edge_runtime.model.spec import ModelIO


def make_contexts(engine: Engine, io: ModelIO, addresses: Mapping[str, int]) -> Dict[int, Any]:
    """Returns a context for the batch of `io`, and one for a single picture if the plan takes that too.

    Args:
        addresses: where each tensor lies on the device.

    Raises:
        UsageError: the plan does not take that many pictures.
        DeviceError: there is not enough memory.
    """
    batch, found = io.input_shape[0], {}
    is_open = -1 in tuple(engine.engine.get_tensor_shape(io.input_name))
    for count in sorted({batch, *([1] if is_open else [])}, reverse=True):
        context = engine.context()
        if _resize(engine, context, io, count):
            for name, address in addresses.items():
                context.set_tensor_address(name, address)
            found[count] = context
        elif count == batch:
            fact = f"the plan was not built for {count} pictures at once"
            more = "" if trt.shares_profiles(trt.library()) else "; with TensorRT 8 an open batch runs in one slot only"
            raise UsageError(f"{fact}{more}", hint=f"give another --batch, or build it with edge-build --batch {count}")
    return found


def _resize(engine: Engine, context: Any, io: ModelIO, count: int) -> bool:
    """Sets the open sizes of the inputs. False if the plan does not take them."""
    shapes = {io.input_name: io.input_shape, **io.others}
    return all(
        context.set_input_shape(name, (count, *shape[1:]))
        for name, shape in shapes.items()
        if -1 in tuple(engine.engine.get_tensor_shape(name))
    )
