"""TensorRT: runs plans on a GPU. Letterbox, network, decoding and NMS are one CUDA graph per slot.

One thread, the owner, sets everything up; see `cuda.Device`. From then on the core drives the GPU in the thread that
asks: it copies, launches and waits. If a graph cannot be captured (DLA, some layers), the owner makes the same calls
one by one, and the description says so. The same code runs TensorRT-RTX.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.backends._failures import check_batch
from edge_runtime.errors import DeviceError, SpecError
from edge_runtime.gpu import cuda, passport, plan_file, trt
from edge_runtime.gpu.cuda import Device
from edge_runtime.gpu.slot import Constants, DeviceSlot
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.types import Images

HANDLES = (".plan", ".engine", ".trt")
DEVICES = ("cuda",)
CACHED = (7, 2)  # compute capability from which on a Jetson's processor caches memory that the GPU reads (Xavier)
MEASURED = 20  # runs with copied and with mapped images, if the GPU can read the host's memory


def available() -> Optional[str]:
    """None if TensorRT, pycuda and a driver are here, else the reason."""
    return trt.missing() or cuda.missing()


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """Names, shapes and metadata from the passport. A plan without a passport is opened for them.

    Raises:
        ModelError: there is no such plan, or it does not run here.
        DeviceError: TensorRT refuses it.
    """
    about = passport.read_passport(Path(path))
    if about is not None:
        return plan_file.io_of_passport(about)
    with ThreadPoolExecutor(1) as owner:
        return owner.submit(_look, plan_file.load_plan(path), batch).result()


def open(path: str, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions) -> Backend:
    """Opens a plan. The passport is checked before any CUDA call.

    Raises:
        ModelError: it does not run here. The hint is the command that builds it again.
        DeviceError: the GPU or TensorRT refuses.
    """
    plan = plan_file.load_plan(path)
    plan.refuse(passport.this_platform())
    return TensorRTBackend(plan, spec, decode, options)


class TensorRTBackend:
    """See `Backend`."""

    def __init__(
        self, plan: plan_file.Plan, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions
    ) -> None:
        self.name, self.slots, self._decodes = "tensorrt", options.slots, decode is not None
        self.splits = False
        self._slots: List[DeviceSlot] = []
        self._stage_ms = [dict.fromkeys(("preprocess", "inference", "postprocess"), 0.0) for _ in range(self.slots)]
        self._pending: List[Optional[Future[None]]] = [None] * self.slots
        self._device: Optional[Device] = None
        self._lends = self._mapped = False
        self._engine: Optional[plan_file.Engine] = None
        self._owner: Optional[ThreadPoolExecutor] = ThreadPoolExecutor(1, thread_name_prefix="tensorrt")
        try:
            self.batch, self.description = self._owned(self._open, plan, spec, decode, options)
            check_batch(options.batch, self.batch)
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Does nothing: the GPU always works in the background."""

    def enqueue(self, slot: int, images: Images) -> None:
        if not 1 <= len(images) <= self.batch:
            raise SpecError(f"{len(images)} images for a batch of {self.batch}", hint="pass 1 to batch images")
        state = self._slots[slot]
        state.enqueue(images)
        if not state.captured:
            assert self._owner is not None
            self._pending[slot] = self._owner.submit(state.start)

    def wait(self, slot: int) -> Tuple[NDArray[np.float32], NDArray[np.int32]]:
        state, pending = self._slots[slot], self._pending[slot]
        if pending is not None:
            self._pending[slot] = None
            pending.result()
        filled, copied, ran = state.wait()
        stages = self._stage_ms[slot]
        stages["preprocess"], stages["inference"] = filled + copied, ran
        return state.boxes, state.counts

    def allocate(self, shape: Tuple[int, ...]) -> Optional[NDArray[np.uint8]]:
        if self._device is None or not self._lends:
            return None
        try:
            return self._device.gpu.lend(shape, self._mapped)
        except DeviceError:  # memory that the GPU reads is scarce, any other only costs a copy
            return None

    def outputs(self, slot: int) -> Sequence[NDArray[np.float32]]:
        if self._decodes:
            self._owned(self._slots[slot].outputs.fetch)
        return self._slots[slot].outputs.arrays

    def stage_ms(self, slot: int) -> Dict[str, float]:
        """See `Backend`. Decoding and NMS are part of the graph, so they count as inference."""
        return self._stage_ms[slot]

    def close(self) -> None:
        if self._owner is not None:
            self._owned(self._free)
            self._owner.shutdown()
            self._owner = None

    def _owned(self, call: Callable[..., Any], *arguments: Any) -> Any:
        assert self._owner is not None, "closed"
        return self._owner.submit(call, *arguments).result()

    def _open(
        self, plan: plan_file.Plan, spec: ModelSpec, decode: Optional[DecodeSpec], options: BackendOptions
    ) -> Tuple[int, str]:
        self._device = device = Device()
        plan.refuse(passport.this_platform(compute_capability=device.capability))
        self._engine = engine = plan_file.Engine(plan, device.memory)
        built_for = plan.passport.io.input_shape[0] if plan.passport else 1
        io = engine.io(options.batch if options.batch > 1 else built_for, plan.metadata)
        shared = Constants(device, device.stream(), io, spec, decode, options.thresholds)

        def slot(mapped: bool) -> DeviceSlot:
            return DeviceSlot(device, engine, io, shared, mapped)

        mapped = options.zero_copy
        if mapped is None:
            mapped = device.integrated and _seconds(slot(True)) < _seconds(slot(False))
        self._mapped, self._lends = mapped, not device.integrated or _version(device.capability) >= CACHED
        for _ in range(self.slots):
            self._slots.append(slot(mapped))
            self._slots[-1].enqueue([np.zeros((1, 1, 3), np.uint8)])
        captured = [each.capture() for each in self._slots]
        self.splits = self._slots[0].splits
        how = "CUDA graphs" if all(captured) else "call by call: capturing a graph was refused"
        precision = f"{plan.passport.precision}, " if plan.passport else ""
        images = "images read in place" if mapped else "images copied"
        return io.input_shape[0], f"{trt.version()}, {precision}GPU {device.capability}, {how}, {images}"

    def _free(self) -> None:
        with suppress(Exception):  # the GPU failed: do not wait for what was started
            for pending in filter(None, self._pending):
                pending.result()
        while self._slots:  # the last references to streams, events and contexts end here, in the owner's thread
            self._slots.pop().close()
        if self._engine is not None:
            self._engine.close()
        if self._device is not None:
            self._device.close()
            self._device = None


def _look(plan: plan_file.Plan, batch: int) -> ModelIO:
    device = Device()
    try:
        engine = plan_file.Engine(plan)
        try:
            return engine.io(batch, plan.metadata)
        finally:
            engine.close()
    finally:
        device.close()


def _seconds(slot: DeviceSlot) -> float:
    """The time that a slot takes for some 720p images. It is freed afterwards."""
    image = [np.zeros((720, 1280, 3), np.uint8)]
    try:
        slot.enqueue(image)
        slot.capture()
        started = perf_counter()
        for _ in range(MEASURED):
            slot.enqueue(image)
            slot.start()
            slot.wait()
        return perf_counter() - started
    finally:
        slot.close()


def _version(capability: str) -> Tuple[int, ...]:
    return tuple(map(int, capability.split(".")))
