"""TensorRT's Python module, whichever of its kin is installed: TensorRT 8.0 to 11, or TensorRT-RTX on a desktop.

What a version can do is asked with `hasattr`, never read from its number: names come and go between 8.0 and 11.
"""

from __future__ import annotations

import re
from collections import deque
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Deque, List, Optional, Tuple

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries import causes
from edge_runtime.libraries.extras import install_hint
from edge_runtime.libraries.preload import preload

MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
NOISE = ("cudaError 35", "CUDA initialization failure with error: 35")  # of building where there is no driver
NO_RTX = "use TensorRT itself on this GPU, or the ONNX file with onnxruntime-gpu"
MOST = 100_000  # messages; a build makes tens of thousands
DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32", "INT64": "int64",
    "BOOL": "bool",
}  # fmt: skip


def missing() -> Optional[str]:
    """None where TensorRT can be imported, else the reason."""
    if any(find_spec(name) for name in MODULES):
        return None
    return f"TensorRT is not installed: it comes with JetPack; on a desktop {install_hint('rtx')}"


@lru_cache(maxsize=None)
def library() -> Any:
    """The module.

    Raises:
        BackendUnavailable: none is installed, or it does not load.
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
    """What plans are tied to: "tensorrt 10.3.0", "tensorrt_rtx 1.7.1.116"."""
    lib = library()
    return f"{'tensorrt_rtx' if is_rtx(lib) else 'tensorrt'} {lib.__version__}"


def is_rtx(lib: Any) -> bool:
    """Whether it is TensorRT-RTX, which builds for named GPUs, without one at hand."""
    return hasattr(lib, "ComputeCapability")


def check_rtx_runs(lib: Any, compute_capability: str) -> None:
    """TensorRT-RTX builds for a GPU of data centres, such as an H100 (9.0), but then does not open what it built.

    Args:
        compute_capability: "8.6".

    Raises:
        BackendUnavailable: this TensorRT-RTX does not run there. It runs on what it names, and on newer ones.
    """
    known = sorted(int(name[2:]) for name in dir(lib.ComputeCapability) if re.fullmatch(r"SM\d+", name))
    number = int(compute_capability.replace(".", ""))
    if number not in known and number < known[-1]:
        names = ", ".join(f"{kind // 10}.{kind % 10}" for kind in known)
        fact = f"{version()} runs on GPUs of compute capability {names} and newer, this one has {compute_capability}"
        raise BackendUnavailable(fact, hint=NO_RTX)


def strongly_typed(lib: Any) -> bool:
    """Whether precision is in the network (10 and later), rather than in flags of the builder (8.x)."""
    return hasattr(lib.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")


def wants_user_memory(lib: Any) -> bool:
    """Whether a stream with its engines can be captured only where the memory they work in is ours (RTX 1.2)."""
    return hasattr(lib.BuilderFlag, "REQUIRE_USER_ALLOCATION")


def dtype_name(lib: Any, dtype: Any) -> str:
    """Numpy's name of a TensorRT data type, "" for one that numpy does not have."""
    known = {getattr(lib.DataType, name): text for name, text in DTYPES.items() if hasattr(lib.DataType, name)}
    return str(known.get(dtype, ""))


def noise(text: str) -> bool:
    """Whether a message only says that there is no GPU."""
    return any(part in text for part in NOISE)


class Messages:
    """What TensorRT said.

    Attributes:
        said: (severity by name, text) since the last `clear`, the last MOST of them: a process may run for weeks.
    """

    def __init__(self) -> None:
        self.said: Deque[Tuple[str, str]] = deque(maxlen=MOST)

    def clear(self) -> None:
        """Forgets everything."""
        self.said.clear()

    def errors(self) -> List[str]:
        """Errors in order, without what only says that there is no GPU."""
        found = [text for severity, text in self.said if severity in ("ERROR", "INTERNAL_ERROR")]
        return [text for text in found if not noise(text)]


@lru_cache(maxsize=None)
def log() -> Tuple[Any, Messages]:
    """The process's one logger, which TensorRT wants from its first call on, and what it has heard."""
    lib, messages = library(), Messages()

    class TrtLog(lib.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            lib.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            messages.said.append((getattr(severity, "name", str(severity)), text))

    return TrtLog(), messages
