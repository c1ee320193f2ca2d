"""The CUDA driver, asked directly: no toolkit and no binding is needed for what is here."""

from __future__ import annotations

import ctypes
from typing import Any, Optional

MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


def driver_version() -> str:
    """Newest CUDA version that the driver knows, "12.6"; "" where there is no driver."""
    version, lib = ctypes.c_int(), _library()
    if lib is None or lib.cuDriverGetVersion(ctypes.byref(version)):
        return ""
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def compute_capability(device: int = 0) -> str:
    """That of a GPU, "8.7"; "" where there is none. Makes no context."""
    lib, handle = _library(), ctypes.c_int()
    if lib is None or lib.cuInit(0) or lib.cuDeviceGet(ctypes.byref(handle), device):
        return ""
    numbers = []
    for attribute in (MAJOR, MINOR):
        number = ctypes.c_int()
        if lib.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle):
            return ""
        numbers.append(str(number.value))
    return ".".join(numbers)


def _library() -> Optional[Any]:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
