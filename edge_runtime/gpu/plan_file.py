"""Plan files: their passport and metadata, and the engine in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from edge_runtime.errors import DeviceError, ModelError
from edge_runtime.files import read
from edge_runtime.gpu import passport, trt, trt_bindings
from edge_runtime.gpu.passport import Passport, Platform
from edge_runtime.libraries import causes
from edge_runtime.model import inputs
from edge_runtime.model.outputs import settled
from edge_runtime.model.spec import GOLDEN_KEY, METADATA_KEY, ModelIO

MOST = 8192 * read.MIB
LENGTH = 4  # bytes of the length in front of Ultralytics' metadata
FLOATS = ("float32", "float16")
TYPES = (*FLOATS, "int32", "int64")  # of outputs, and of inputs beside the image
REBUILD = "edge-build MODEL.onnx"
REBUILT = f"{REBUILD} builds one with an input (batch, 3, height, width) of floats and with outputs of one size"


@dataclass(frozen=True)
class Plan:
    """A plan file.

    Attributes:
        path: the file.
        engine: the part of the file that TensorRT reads.
        passport: our passport; None if another program built the plan.
        metadata: Ultralytics' metadata of an `.engine` file.
    """

    path: str
    engine: bytes
    passport: Optional[Passport]
    metadata: Dict[str, str]

    @property
    def rebuild(self) -> str:
        """Returns the command that builds the plan again."""
        return self.passport.command if self.passport else REBUILD

    def refuse(self, here: Platform) -> None:
        """Raises ModelError if the passport says that the plan does not run here."""
        reason = self.passport.refusal(here) if self.passport else None
        if reason:
            raise ModelError(f"{self.path} does not run here: {reason}", hint=f"build it here: {self.rebuild}")


def load_plan(path: str) -> Plan:
    """Reads a plan file. Does not touch the GPU.

    Raises:
        ModelError: it is missing or empty, or its passport is damaged.
    """
    try:
        content = read.read_bytes(path, MOST)
    except ValueError as error:
        raise ModelError(f"no such plan: {path} {error}", hint="build one from an ONNX file with edge-build") from error
    if not content:
        raise ModelError(f"{path} is empty", hint=f"build it again: {REBUILD}")
    metadata = _ultralytics(content)
    start = LENGTH + int.from_bytes(content[:LENGTH], "little") if metadata else 0
    return Plan(path, content[start:], passport.read_passport(Path(path)), metadata)


class Engine:
    """A deserialised engine. Its parts need TensorRT's runtime, which is kept as long as they are.

    Args:
        plan: the plan file.
        memory: allocates bytes on the device and returns their address, for the contexts of TensorRT-RTX.

    Raises:
        DeviceError: TensorRT refuses the plan.
    """

    def __init__(self, plan: Plan, memory: Optional[Callable[[int], int]] = None) -> None:
        self._lib, (self._log, messages), self._memory = trt.library(), trt.log(), memory
        if hasattr(self._lib, "init_libnvinfer_plugins"):
            self._lib.init_libnvinfer_plugins(self._log, "")
        self._runtime = self._lib.Runtime(self._log)
        messages.clear()
        engine = self._runtime.deserialize_cuda_engine(plan.engine)
        if engine is None:
            reason = next(iter(messages.errors()), "it gives no reason").split("\n")[0]
            fact, hint = causes.explain(f"TensorRT refuses {plan.path}: {reason}", f"build it here: {plan.rebuild}")
            raise DeviceError(fact, hint=hint)
        self.engine = trt_bindings.adapted(engine)
        names = [self.engine.get_tensor_name(k) for k in range(self.engine.num_io_tensors)]
        given = trt_bindings.modes(self._lib).INPUT
        self.inputs = [name for name in names if self.engine.get_tensor_mode(name) == given]
        self.outputs = [name for name in names if name not in self.inputs]

    def context(self) -> Any:
        """Makes an execution context with memory of its own.

        Raises:
            DeviceError: there is not enough memory.
        """
        memory = self._memory if trt.wants_user_memory(self._lib) else None
        strategy = [self._lib.ExecutionContextAllocationStrategy.USER_MANAGED] if memory else []
        made = self.engine.create_execution_context(*strategy)
        if made is None:
            raise DeviceError("TensorRT makes no execution context", hint="memory may be too small: use fewer slots")
        if memory:
            size = self.engine.device_memory_size_v2
            made.set_device_memory(memory(size), size)
        return made

    def io(self, batch: int, metadata: Dict[str, str]) -> ModelIO:
        """Returns names and shapes, with an open batch size replaced by `batch`.

        Raises:
            ModelError: the plan is not an image detector.
        """
        shapes = {name: self._shape(name, batch) for name in (*self.inputs, *self.outputs)}
        given = {name: shapes[name] for name in self.inputs}
        image = inputs.image_of(given)
        if image is None or given[image][1] != 3:
            seen = ", ".join(f"{name} {list(shape)}" for name, shape in given.items()) or "none"
            fact = "the plan takes images with channels last" if image else "the plan is not an image detector"
            raise ModelError(f"{fact}: its inputs are {seen}", hint=REBUILT)
        dtypes = {name: trt.dtype_name(self._lib, self.engine.get_tensor_dtype(name)) for name in shapes}
        for name, dtype in dtypes.items():
            if dtype not in (FLOATS if name == image else TYPES):
                raise ModelError(f"the plan's tensor {name} is {dtype or 'of an unknown type'}", hint=REBUILT)
        batch_open = self._open(image)
        for name in self.outputs:
            if self._open(name) and not batch_open:
                raise ModelError(f"the plan's {name} has another number of rows for each image", hint=REBUILT)
        outputs = {name: shapes[name] for name in self.outputs}
        others = {name: shape for name, shape in given.items() if name != image}
        io = ModelIO(image, given[image], outputs, metadata, dtypes, others=others)
        return settled(io)

    def close(self) -> None:
        """Frees the engine, then its runtime."""
        self.engine = self._runtime = None

    def _open(self, name: str) -> bool:
        return -1 in tuple(self.engine.get_tensor_shape(name))

    def _shape(self, name: str, batch: int) -> tuple[int, ...]:
        shape: List[int] = list(self.engine.get_tensor_shape(name))
        return tuple(batch if size < 0 and place == 0 else size for place, size in enumerate(shape))


def io_of_passport(about: Passport) -> ModelIO:
    """Returns the plan's tensors as its passport lists them. The metadata describe the model and its golden frames."""
    golden = {GOLDEN_KEY: json.dumps(about.golden)} if about.golden else {}
    return replace(about.io, metadata={METADATA_KEY: about.spec.to_json(), **golden})


def _ultralytics(content: bytes) -> Dict[str, str]:
    length = int.from_bytes(content[:LENGTH], "little")
    if not 2 <= length < len(content) - LENGTH or content[LENGTH : LENGTH + 1] != b"{":
        return {}
    try:
        data = read.parse_json_object(content[LENGTH : LENGTH + length].decode())
    except ValueError:
        return {}
    return {key: value if isinstance(value, str) else repr(_keyed(value)) for key, value in data.items()}


def _keyed(value: Any) -> Any:
    """Turns the keys of a mapping back into class numbers, which JSON has turned into texts."""
    if isinstance(value, dict) and all(len(key) < 10 and key.isdecimal() for key in value):
        return {int(key): name for key, name in value.items()}
    return value
