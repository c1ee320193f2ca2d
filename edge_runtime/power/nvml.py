"""NVML: the GPUs of a PC. It reads their energy counters if they have them (Volta and later), else their watts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Optional, Tuple

from edge_runtime.power import Meter
from edge_runtime.power._counters import SHORTEST_S, Counters

PRIORITY = 0


def available(root: Path = Path("/")) -> Optional[str]:
    """None if a GPU gives its watts, else the reason."""
    if root != Path("/"):
        return "NVML knows this machine alone"
    try:
        import pynvml
    except ImportError:
        return "nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
        for handle in _handles(pynvml):
            pynvml.nvmlDeviceGetPowerUsage(handle)
    except pynvml.NVMLError as error:
        return f"NVML: {error}"
    return None if _handles(pynvml) else "NVML: no GPU"


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Opens all GPUs: gpu0, gpu1."""
    import pynvml

    pynvml.nvmlInit()
    meter = NvmlMeter(pynvml, _handles(pynvml))
    time.sleep(SHORTEST_S)  # so that the next reading has watts
    return meter


class NvmlMeter:
    """See `Meter`. The watts of an energy counter are the average since the reading before."""

    def __init__(self, nvml: Any, handles: List[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.gaps, self._nvml, self._counters = "nvml", 0, nvml, Counters(clock)
        self._handles = {f"gpu{number}": handle for number, handle in enumerate(handles)}
        self.rails = list(self._handles)
        self.read_w()

    def read_w(self, only: Optional[Collection[str]] = None) -> Dict[str, float]:
        """See `Meter.read_w`."""
        read: Dict[str, float] = {}
        for name, handle in self._handles.items():
            try:
                watts = self._watts(name, handle)
            except self._nvml.NVMLError:
                self.gaps += 1
                continue
            if watts is not None:
                read[name] = watts
        return read

    def close(self) -> None:
        """See `Meter.close`. NVML stays initialised, because other code may use it."""

    def _watts(self, name: str, handle: Any) -> Optional[float]:
        try:
            return self._counters.watts(name, self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3)
        except self._nvml.NVMLError:
            return float(self._nvml.nvmlDeviceGetPowerUsage(handle) / 1e3)


def processes() -> Tuple[int, ...]:
    """Numbers of the other processes that compute on a GPU now. Empty if NVML cannot tell."""
    try:
        import pynvml

        pynvml.nvmlInit()
        running = [
            entry for handle in _handles(pynvml) for entry in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        ]
    except Exception:  # no library, no driver, or the GPU of a board, which cannot tell
        return ()
    return tuple(sorted({entry.pid for entry in running} - {os.getpid()}))


def _handles(nvml: Any) -> List[Any]:
    return [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
