"""Measures enqueue and wait of the TensorRT backend over stand-ins that do nothing, in the tree of $PYTHONPATH.

It also runs in trees from before the core drove the GPU, so that they can be compared. It prints JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from tests.backends.test_tensorrt import Machine, passport_of

WARM = 2000


class Patch:
    """As pytest's monkeypatch, without an end."""

    def setattr(self, target: Any, name: str, value: Any) -> None:
        setattr(target, name, value)


def main(frames: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Machine(Patch(), Path(folder))
        path = here.plan()
        passport_of(path)
        image = np.full((64, 64, 3), 90, np.uint8)
        with here.open(path, slots=1) as detector:
            detector(image)
            backend = detector.backend
            own = backend.allocate(image.shape) if hasattr(backend, "allocate") else None
            if own is not None:
                own[:] = image
                backend.enqueue(0, [own])
                backend.wait(0)
            alone = quieten(here, backend)
            measured(backend, image, WARM)
            found: Dict[str, Any] = {"driver": alone, "copied": measured(backend, image, frames)}
            if own is not None:
                found["in place"] = measured(backend, own, frames)
    print(json.dumps(found))


def quieten(here: Any, backend: Any) -> float:
    """From now on stand-ins note nothing and graphs do nothing. Microseconds of the driver's calls of a frame alone."""
    here.gpu.note = lambda *what, **more: None
    if hasattr(getattr(backend._slots[0], "_graph", None), "launch"):  # of an earlier commit
        backend._slots[0]._graph.launch = lambda stream: None
        return 0.0
    from tests.standins import driver

    nothing = ctypes.cast(driver.library().standin_nothing, driver.LAUNCH)
    driver.reset(recording=False, launch=nothing)
    return float(driver.library().standin_alone(100_000)) / 1e3


def measured(backend: Any, image: Any, frames: int) -> Dict[str, float]:
    """Microseconds of a frame, and Python blocks that stayed."""
    images, clock = [image], time.perf_counter_ns
    spent = np.zeros(frames, np.int64)
    blocks = 0
    for number in range(-WARM, frames):
        if number == 0:
            gc.collect()
            blocks = sys.getallocatedblocks()
        begun = clock()
        backend.enqueue(0, images)
        backend.wait(0)
        if number >= 0:
            spent[number] = clock() - begun
    gc.collect()
    us = spent / 1e3
    return {
        "median": float(np.median(us)),
        "p99": float(np.percentile(us, 99)),
        "least": float(us.min()),
        "blocks": sys.getallocatedblocks() - blocks,
        **{f"beside {interval}": beside(backend, image, frames, interval) for interval in (0.005, 0.0005)},
    }


def beside(backend: Any, image: Any, frames: int, interval: float) -> float:
    """The p99 beside a busy thread of Python, in 2 s at most."""
    stop: List[int] = []

    def busy() -> None:
        while not stop:
            pass

    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    thread = threading.Thread(target=busy)
    thread.start()
    images, clock, spent = [image], time.perf_counter_ns, []
    until = time.monotonic() + 2
    while len(spent) < frames and time.monotonic() < until:
        begun = clock()
        backend.enqueue(0, images)
        backend.wait(0)
        spent.append(clock() - begun)
    stop.append(1)
    thread.join()
    sys.setswitchinterval(before)
    return float(np.percentile(spent, 99)) / 1e3


if __name__ == "__main__":
    main(int(sys.argv[1]))
