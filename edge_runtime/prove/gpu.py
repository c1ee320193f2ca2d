"""Looks for a GPU. Asks the driver directly."""

from __future__ import annotations

import ctypes

from edge_runtime.errors import DeviceError
from edge_runtime.gpu import cuda_driver
from edge_runtime.prove.steps import Skip, Task

NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
HINT = "edge-doctor says what is missing"


def prove(task: Task) -> str:
    """Returns name and compute capability.

    Raises:
        Skip: there is no GPU.
        DeviceError: the driver does not start.
    """
    lib = cuda_driver.driver()
    if lib is None:
        raise Skip("no GPU: libcuda.so.1 does not load", HINT)
    code = lib.cuInit(0)
    if code == NO_DEVICE:
        raise Skip("no GPU: the CUDA driver finds none", HINT)
    if code:
        raise DeviceError(f"the CUDA driver does not start: cuInit gives error {code}", hint="sudo dmesg says more")
    capability, driver = cuda_driver.compute_capability(), cuda_driver.driver_version()
    name = ctypes.create_string_buffer(100)
    lib.cuDeviceGetName(name, len(name), 0)
    task.figures.update(name=name.value.decode(), compute_capability=capability, cuda_driver=driver)
    return f"{name.value.decode()}, compute capability {capability}, driver of CUDA {driver}"
