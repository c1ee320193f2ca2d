"""Times an open TensorRT backend, in microseconds: each stage alone, and a whole frame. All values are medians."""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray

WARM, LEAST, SECONDS = 10, 5, 1.5  # runs for warm-up, least number of timed runs, least duration in s


def frame(backend: Any, image: NDArray[np.uint8]) -> float:
    """Microseconds from an (H, W, 3) uint8 image in the host's memory to boxes there."""

    def run() -> float:
        started = perf_counter()
        backend.enqueue(0, [image])
        backend.wait(0)
        return (perf_counter() - started) * 1e6

    return _median(run)


def stages(backend: Any, image: NDArray[np.uint8]) -> Dict[str, float]:
    """Microseconds of each part of one slot, for one (H, W, 3) uint8 image.

    `fill` runs on the host. `copy`, `letterbox` (the rest of the time), `network` and `decode_nms` run on the GPU.
    """
    backend.enqueue(0, [image])
    backend.wait(0)
    return dict(backend._owned(_measure, backend._slots[0], backend._device, image))


def _measure(slot: Any, device: Any, image: NDArray[np.uint8]) -> Dict[str, float]:
    """Measures the stages. It runs in the device's own thread."""
    begin, end = device.event(), device.event()

    def timed(call: Callable[[], Any]) -> float:
        device.record(begin, slot.stream)
        call()
        device.record(end, slot.stream)
        device.wait(end)
        return float(device.milliseconds(begin, end)) * 1e3

    before: List[Tuple[float, float]] = []

    def whole() -> float:
        slot.enqueue([image])
        slot.start()
        filled, copied, ran = slot.wait()
        before.append((filled * 1e3, copied * 1e3))
        return float(ran) * 1e3

    all_of_it = _median(whole)
    count = 1 if slot.splits else slot.batch
    parts = {"network": partial(slot.network, count), "decode_nms": partial(slot.behind, count)}
    alone = {name: _median(partial(timed, part)) for name, part in parts.items()}
    letterbox = max(0.0, all_of_it - sum(alone.values()))
    fill, copy = (median(values) for values in zip(*before))
    found = {"fill": fill, "copy": copy, "letterbox": letterbox, **alone, "all": all_of_it}
    return {name: round(value, 1) for name, value in found.items()}


def _median(run: Callable[[], float]) -> float:
    for _ in range(WARM):
        run()
    found: List[float] = []
    until = perf_counter() + SECONDS
    while len(found) < LEAST or perf_counter() < until:
        found.append(run())
    return median(found)
