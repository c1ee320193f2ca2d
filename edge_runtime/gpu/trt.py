"""TensorRT's Python module, of the product that is installed: TensorRT 8.0 to 11, or TensorRT-RTX on a desktop.

`hasattr` tells what a version can do, never its number: names appear and disappear between 8.0 and 11.
"""

from __future__ import annotations

import re
from collections import deque
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Deque, List, Optional, Tuple

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries import causes
from edge_runtime.libraries.extras import install_hint
from edge_runtime.libraries.once import once
from edge_runtime.libraries.preload import preload

MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
NOISE = ("cudaError 35", "CUDA initialization failure with error: 35")  # of a build without a driver
NO_RTX = "use TensorRT itself on this GPU, or the ONNX file with onnxruntime-gpu"
MOST = 100_000  # messages; a build makes tens of thousands
DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32", "INT64": "int64",
    "BOOL": "bool",
}  # fmt: skip


def missing() -> Optional[str]:
    """Returns None if TensorRT can be imported, else the reason."""
    if any(find_spec(name) for name in MODULES):
        return None
    return f"TensorRT is not installed: it comes with JetPack; on a desktop {install_hint('rtx')}"


@once
def library() -> Any:
    """Imports and returns the module.

    Raises:
        BackendUnavailable: no such module is installed, or it does not load.
    """
    reason = missing()
    if reason:
        raise BackendUnavailable(
            reason, hint="on a Jetson use a virtual environment with --system-site-packages; edge-doctor says more"
        )
    name = next(name for name in MODULES if find_spec(name))
    preload()
    try:
        return import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        fact, hint = causes.explain(f"{name} does not load: {error}", "edge-doctor says what is missing")
        raise BackendUnavailable(fact, hint=hint) from error


def version() -> str:
    """Returns the version that plans depend on: "tensorrt 10.3.0", "tensorrt_rtx 1.7.1.116"."""
    lib = library()
    return f"{'tensorrt_rtx' if is_rtx(lib) else 'tensorrt'} {lib.__version__}"


def is_rtx(lib: Any) -> bool:
    """Whether it is TensorRT-RTX, which can build for a named GPU that this machine does not have."""
    return hasattr(lib, "ComputeCapability")


def check_rtx_runs(lib: Any, compute_capability: str) -> None:
    """Checks that TensorRT-RTX runs on a GPU.

    It can build a plan for a data centre GPU, such as an H100 (9.0), but then cannot open that plan.

    Args:
        compute_capability: that of the GPU, "8.6".

    Raises:
        BackendUnavailable: it does not run on this GPU. It runs on the GPUs that it names, and on newer ones.
    """
    known = sorted(int(name[2:]) for name in dir(lib.ComputeCapability) if re.fullmatch(r"SM\d+", name))
    number = int(compute_capability.replace(".", ""))
    if number not in known and number < known[-1]:
        names = ", ".join(f"{kind // 10}.{kind % 10}" for kind in known)
        fact = f"{version()} runs on GPUs of compute capability {names} and newer, this one has {compute_capability}"
        raise BackendUnavailable(fact, hint=NO_RTX)


def strongly_typed(lib: Any) -> bool:
    """Whether the network holds the precision (10 and later); otherwise flags of the builder do (8.x)."""
    return hasattr(lib.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")


def shares_profiles(lib: Any) -> bool:
    """Whether several execution contexts may use one optimisation profile, as slots do (10 and later)."""
    return strongly_typed(lib)


def wants_user_memory(lib: Any) -> bool:
    """Whether the work of its engines can be captured only if we provide their memory (RTX 1.2)."""
    return hasattr(lib.BuilderFlag, "REQUIRE_USER_ALLOCATION")


def dtype_name(lib: Any, dtype: Any) -> str:
    """Returns numpy's name of a TensorRT data type; "" if numpy does not have the type."""
    known = {getattr(lib.DataType, name): text for name, text in DTYPES.items() if hasattr(lib.DataType, name)}
    return str(known.get(dtype, ""))


def noise(text: str) -> bool:
    """Whether the message only says that there is no GPU."""
    return any(part in text for part in NOISE)


class Messages:
    """The messages of TensorRT.

    Attributes:
        said: (name of the severity, text) since the last `clear`. Only the last MOST are kept, because a process may
            run for weeks.
    """

    def __init__(self) -> None:
        self.said: Deque[Tuple[str, str]] = deque(maxlen=MOST)

    def clear(self) -> None:
        """Removes all messages."""
        self.said.clear()

    def errors(self) -> List[str]:
        """Returns the errors in order, without those that only say that there is no GPU."""
        found = [text for severity, text in self.said if severity in ("ERROR", "INTERNAL_ERROR")]
        return [text for text in found if not noise(text)]


@once
def log() -> Tuple[Any, Messages]:
    """Returns the only logger of this process, and its messages. TensorRT needs it from its first call on."""
    lib, messages = library(), Messages()

    class TrtLog(lib.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            lib.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            messages.said.append((getattr(severity, "name", str(severity)), text))

    return TrtLog(), messages
