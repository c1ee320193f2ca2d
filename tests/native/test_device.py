"""The device's loop over a stand-in for the driver: right results, the order of calls, every failure, and threads.

The stand-in's streams work later, in threads of their own, so that what is not waited for is seen.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Any, Callable, Iterator, List, Sequence

import numpy as np
import pytest

from edge_runtime.errors import DeviceError
from edge_runtime.gpu import packing
from edge_runtime.model import geometry
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.native.device import Gpu, Slot
from edge_runtime.native.pictures import Picture, planes_of, size_of
from edge_runtime.types import Pixels
from tests.native import kernels
from tests.native.test_pixels import FORMATS, picture
from tests.standins import driver

SPEC = ModelSpec("yolo_v8", (24, 20), mean=(1.0, 2.0, 3.0), std=(58.4, 57.1, 57.4))
PUSH, POP = "cuCtxPushCurrent", "cuCtxPopCurrent"
GIVE_BACK = {PUSH, POP, "cuMemFree", "cuMemFreeHost", "cuEventDestroy", "cuDevicePrimaryCtxRelease"}


class Rig:
    """A slot whose graph letterboxes on the host."""

    def __init__(self, batch: int = 2, mapped: bool = False, asynchronous: bool = True) -> None:
        driver.reset(asynchronous)
        self.mapped, self.lost = mapped, 0
        self.words = np.zeros((batch, packing.IMAGE_WORDS), np.int64)
        self.frames, self.out = np.zeros((batch, 6)), np.zeros((batch, 3, 20, 24), np.float32)
        self.normalisation = packing.normalisation(SPEC)
        self.stream = driver.library().standin_stream()
        self.graph = driver.graph(self.letterbox)
        self.slots: List[Slot] = []
        self.gpu = Gpu(driver.path())
        try:
            self.slots.append(Slot(self.gpu, self.stream, self.words, self.frames, mapped))
        except DeviceError:
            self.close()
            raise
        self.slot.set_graph(self.graph)

    @property
    def slot(self) -> Slot:
        return self.slots[-1]

    def letterbox(self) -> None:
        arrays = [ctypes.c_void_p(array.ctypes.data) for array in (self.words, self.normalisation, self.out)]
        kernels.library().host_letterbox(*arrays, 24, 20, SPEC.pad_value, 1, len(self.out), 0)

    def enqueue(self, *pictures: Picture) -> None:
        self.slot.enqueue(tuple((packing.layout_of(one, SPEC), tuple(planes_of(one))) for one in pictures))

    def run(self, *pictures: Picture) -> None:
        self.out.fill(np.nan)
        self.enqueue(*pictures)
        self.slot.wait()

    def lent(self, given: Picture) -> Picture:
        """The same picture in memory of the GPU's."""
        sizes = [plane.size for plane in planes_of(given)]
        memory, planes, at = self.gpu.lend((sum(sizes),), self.mapped), [], 0
        for plane, size in zip(planes_of(given), sizes):
            planes.append(memory[at : at + size].reshape(plane.shape))
            planes[-1][:] = plane
            at += size
        if isinstance(given, np.ndarray):
            return planes[0]
        return Pixels(given.format, tuple(planes), given.width, given.height, given.matrix, given.full_range)

    def close(self) -> None:
        """Gives everything back."""
        while self.slots:
            self.slots.pop().close()
        self.gpu.close()
        driver.library().standin_end_stream(self.stream)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    made: List[Rig] = []
    before = driver.held()

    def make(*arguments: Any, **named: Any) -> Rig:
        made.append(Rig(*arguments, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert driver.held() == before + sum(one.lost for one in made) and driver.said("faults") == []


def assert_letterboxed(rig: Rig, pictures: Sequence[Picture]) -> None:
    for number, one in enumerate(pictures):
        expected = np.zeros((3, 20, 24), np.float32)
        row = ops.prepare_image(one, SPEC, expected)
        np.testing.assert_array_equal(rig.out[number], expected)
        assert tuple(rig.frames[number]) == row


@pytest.mark.parametrize("lent", [False, True])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("format", [*FORMATS, "array"])
def test_every_format_has_the_hosts_bits(rig: Callable[..., Rig], format: str, mapped: bool, lent: bool) -> None:
    here = rig(mapped=mapped)
    driver.library().standin_slow(b"", 300)
    given = [picture("bgr24" if format == "array" else format, *wh, seed=3) for wh in ((101, 57), (30, 43))]
    pictures: List[Picture] = [one.planes[0] if format == "array" else one for one in given]
    pictures = [here.lent(one) for one in pictures] if lent else pictures
    for part in (pictures, pictures[1:], pictures[::-1]):
        here.run(*part)
        assert_letterboxed(here, [*part, *part[-1:] * (2 - len(part))])
    copies = [name for name in driver.said("calls") if name == "cuMemcpyHtoDAsync"]
    planes = len(planes_of(pictures[0])) if lent else 1
    assert len(copies) == (0 if mapped else 5 * planes)


def test_pictures_may_be_changed_after_the_return(rig: Callable[..., Rig]) -> None:
    here, image = rig(1), np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    driver.library().standin_slow(b"", 20000)
    kept = image.copy()
    here.enqueue(image)
    image[:] = 0
    here.slot.wait()
    assert_letterboxed(here, [kept])


def test_what_runs_is_waited_for_before_its_memory_is_used_again(rig: Callable[..., Rig]) -> None:
    here, image = rig(1), np.full((40, 50, 3), 9, np.uint8)
    seen: List[float] = []
    letterbox = here.letterbox

    def note() -> None:
        letterbox()
        seen.append(float(here.out.sum()))

    here.slot.set_graph(driver.graph(note))
    here.run(image)
    driver.library().standin_slow(b"", 20000)
    here.enqueue(image)
    here.enqueue(np.full((40, 50, 3), 200, np.uint8))
    here.slot.wait()
    assert seen[0] == seen[1] != seen[2]


def test_lent_memory_is_held_until_the_wait(rig: Callable[..., Rig]) -> None:
    here = rig(1, mapped=True)
    image = here.lent(np.full((40, 50, 3), 77, np.uint8))
    address = image.ctypes.data
    driver.library().standin_slow(b"", 20000)
    here.enqueue(image)
    del image
    assert here.words[0, 0] == address and "cuMemFreeHost" not in driver.said("calls")
    here.slot.wait()
    assert driver.said("calls").count("cuMemFreeHost") == 1
    assert_letterboxed(here, [np.full((40, 50, 3), 77, np.uint8)])


def test_a_view_keeps_lent_memory_and_its_array(rig: Callable[..., Rig]) -> None:
    """The ring counts references of the array: a view must not refer past it to the memory."""
    image = rig(1).gpu.lend((8, 9, 3), False)
    before = sys.getrefcount(image)
    part = image[2:4].reshape(-1)[3:]
    assert sys.getrefcount(image) == before + 1 and part.size == 51


def test_the_calls_of_a_frame_and_their_order(rig: Callable[..., Rig]) -> None:
    here, image = rig(1, asynchronous=False), np.zeros((40, 50, 3), np.uint8)
    here.run(image)
    before = len(driver.said("calls"))
    here.run(image[:30])
    assert driver.said("calls")[before:] == [
        PUSH, "cuEventRecord", "cuMemcpyHtoDAsync", "cuEventRecord", "cuGraphLaunch", "cuEventRecord", POP,
        PUSH, "cuEventQuery", POP,
        PUSH, "cuEventSynchronize", "cuEventElapsedTime", "cuEventElapsedTime", POP,
    ]  # fmt: skip
    assert driver.library().standin_current() == 0


def test_without_a_graph_the_caller_runs_the_batch(rig: Callable[..., Rig]) -> None:
    here, image = rig(1), np.full((40, 50, 3), 9, np.uint8)
    here.slot.set_graph(None)
    here.enqueue(image)
    assert driver.library().standin_current() == 0, "no context is left behind"
    here.slot.started()
    filled, copied, ran = here.slot.wait()
    assert min(filled, copied, ran) >= 0 and here.slot.wait() == (filled, copied, ran), "waiting twice is harmless"
    assert "cuGraphLaunch" not in driver.said("calls")


def whole(lent: bool, mapped: bool) -> List[str]:
    """A life of a slot, with a picture that needs more memory than the one before."""
    here = Rig(2, mapped, asynchronous=False)
    try:
        for side in (10, 40):
            image: Picture = np.full((side, 50, 3), side, np.uint8)
            here.run(here.lent(image) if lent else image)
    finally:
        here.slots.clear()  # the slot goes without being closed
        here.close()
    return driver.said("calls")


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("lent", [False, True])
def test_every_call_may_fail(monkeypatch: pytest.MonkeyPatch, lent: bool, mapped: bool) -> None:
    """The error names the call and CUDA's error; no context stays current; nothing is left, or given back twice."""
    calls = whole(lent, mapped)
    reset, end = driver.reset, len(calls) - calls[::-1].index("cuEventElapsedTime")
    assert len(calls) > 60
    for number, name in enumerate(calls):
        after = calls[:number].count(name)

        def failing(asynchronous: bool, name: str = name, after: int = after) -> None:
            reset(asynchronous)
            driver.library().standin_fail(name.encode(), after)

        monkeypatch.setattr(driver, "reset", failing)
        before = driver.held()
        try:
            whole(lent, mapped)
            assert name in GIVE_BACK or number >= end, f"{name} failed, and nobody was told"
        except DeviceError as error:
            cuda = "CUDA_ERROR_OUT_OF_MEMORY" if "Alloc" in name else "CUDA_ERROR_LAUNCH_FAILED"
            assert str(error) == f"{name} failed: {cuda}" and error.hint
        assert driver.library().standin_current() == 0 or name == POP
        while driver.library().standin_current():
            driver.library().cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        assert driver.held() == before or name in GIVE_BACK, f"{name}, {after}"
        assert driver.said("faults") == [], f"{name}, {after}"


def test_after_a_failure_the_slot_works_again(rig: Callable[..., Rig]) -> None:
    here, image = rig(1), np.full((40, 50, 3), 9, np.uint8)
    here.run(image)
    for name in ("cuMemcpyHtoDAsync", "cuGraphLaunch", "cuEventRecord", "cuEventQuery", "cuEventSynchronize"):
        driver.library().standin_fail(name.encode(), 0)
        with pytest.raises(DeviceError, match=f"{name} failed: CUDA_ERROR_LAUNCH_FAILED"):
            here.run(image)
        here.run(image)
        assert_letterboxed(here, [image])


def test_whatever_goes_first(rig: Callable[..., Rig]) -> None:
    """GPU, slot and lent memory go in any order, and the last one gives up the context."""
    here = rig(1)
    image = here.lent(np.full((40, 50, 3), 9, np.uint8))
    here.enqueue(image)
    here.gpu.close()
    here.gpu.close()
    here.slot.wait()
    with pytest.raises(DeviceError, match="closed"):
        here.gpu.lend((4, 4, 3), False)
    here.slot.close()
    here.slot.close()
    for call in (here.slot.wait, here.slot.started):
        with pytest.raises(DeviceError, match="the slot is closed"):
            call()
    assert image.max() == image.min() == 9 and "cuDevicePrimaryCtxRelease" not in driver.said("calls")
    del image
    assert driver.said("calls")[-4:] == [PUSH, "cuMemFreeHost", POP, "cuDevicePrimaryCtxRelease"]


def test_a_context_that_others_destroyed(rig: Callable[..., Rig]) -> None:
    here, image = rig(1), np.zeros((40, 50, 3), np.uint8)
    here.run(image)
    driver.library().standin_lose()
    with pytest.raises(DeviceError, match="cuCtxPushCurrent failed: CUDA_ERROR_CONTEXT_IS_DESTROYED"):
        here.run(image)
    before, held = len(driver.said("calls")), driver.held()
    here.slots.pop().close()
    assert set(driver.said("calls")[before:]) == {PUSH}, "its memory went with the context"
    here.lost = 5  # memory and events that the stand-in still counts
    assert driver.held() == held


def test_slots_in_threads(rig: Callable[..., Rig]) -> None:
    rigs, wrong = [rig(1) for _ in range(4)], []
    driver.library().standin_slow(b"", 50)

    def work(number: int) -> None:
        for turn in range(30):
            image = np.random.default_rng(turn).integers(0, 256, (20 + number + turn, 50, 3), np.uint8)
            rigs[number].run(rigs[number].lent(image) if turn % 2 else image)
            try:
                assert_letterboxed(rigs[number], [image])
            except AssertionError as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_second_thread_is_refused_and_waiting_releases_the_gil(rig: Callable[..., Rig]) -> None:
    here, image, counted = rig(1), np.zeros((40, 50, 3), np.uint8), []
    driver.library().standin_slow(b"", 100_000)
    here.enqueue(image)

    def ask() -> None:
        while len(counted) < 20:
            try:
                here.slot.wait()
                return
            except DeviceError as error:
                counted.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    ask()  # the later one of both is refused
    thread.join()
    assert counted and set(counted) == {"another thread uses this slot"}


def ticks_during(here: Rig, image: np.ndarray, slow: bytes) -> int:
    """How often another thread of Python ran while a slot took a picture and a call of the driver was late."""
    ticks: List[int] = []
    done, begun = threading.Event(), threading.Event()
    driver.library().standin_slow(slow, 100_000)

    def tick() -> None:
        begun.set()
        while not done.wait(0.005):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    begun.wait()
    before = len(ticks)
    here.enqueue(image)
    during = len(ticks) - before
    done.set()
    thread.join()
    here.slot.wait()
    return during


def test_making_room_and_copying_much_release_the_gil(rig: Callable[..., Rig]) -> None:
    """Getting it back beside a busy thread takes longer than to copy a little."""
    here, small, large = rig(1), np.zeros((40, 50, 3), np.uint8), np.zeros((1200, 1300, 3), np.uint8)
    assert ticks_during(here, small, b"cuMemHostAlloc") > 1
    assert ticks_during(here, small, b"cuMemcpyHtoDAsync") <= 1
    assert ticks_during(here, large, b"cuMemHostAlloc") > 1
    assert ticks_during(here, large, b"cuMemcpyHtoDAsync") > 1


def test_nothing_is_allocated_once_warm(rig: Callable[..., Rig]) -> None:
    here, image = rig(2, asynchronous=False), np.zeros((40, 50, 3), np.uint8)
    driver.reset(recording=False)
    layouts = tuple((packing.layout_of(image, SPEC), (image,)) for _ in range(2))
    here.slot.set_graph(driver.graph(lambda: None))
    blocks = []
    for _ in range(3):
        for _ in range(2000):
            here.slot.enqueue(layouts)
            here.slot.wait()
        blocks.append(sys.getallocatedblocks())
    assert blocks[2] - blocks[1] < 50


def test_a_library_that_is_none(tmp_path: Any) -> None:
    with pytest.raises(DeviceError, match="there is no CUDA driver: libnothing"):
        Gpu("libnothing.so")
    with pytest.raises(DeviceError, match="this CUDA driver has no cuInit"):
        Gpu("libm.so.6")
    with pytest.raises(DeviceError, match="cuDeviceGet failed: CUDA_ERROR_INVALID_DEVICE"):
        Gpu(driver.path(), 3)


WRONG = {
    "dtype": np.zeros((40, 50, 3), np.int8),
    "shape": np.zeros((40, 51, 3), np.uint8),
    "columns": np.zeros((40, 100, 3), np.uint8)[:, ::2],
    "sides": np.zeros((40, 50), np.uint8),
    "no array": b"",
}


@pytest.mark.parametrize("name", WRONG)
def test_planes_that_are_not_as_the_layout_says(rig: Callable[..., Rig], name: str) -> None:
    here, layout = rig(1), packing.layout_of(np.zeros((40, 50, 3), np.uint8), SPEC)
    with pytest.raises(ValueError, match="a plane"):
        here.slot.enqueue(((layout, (WRONG[name],)),))  # type: ignore[arg-type]
    for given in ((), ((layout, ()),), ((layout, [WRONG["dtype"]]),), ((None, ()),), (layout,), ((layout, ()),) * 2):
        with pytest.raises(ValueError):
            here.slot.enqueue(given)  # type: ignore[arg-type]


def test_layouts_that_are_none() -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    words = packing.pack_picture(image, [0] * 3, [0] * 3, geometry.fit(size_of(image), (24, 20)))
    row = (1.0,) * 6
    for given in ((words[1:], row, [(4, 4)]), (words, row[1:], [(4, 4)]), (words, row, []), (words, row, [(4, 0)]),
                  (words, row, [(4,)]), (words, row, [(4, 4)] * 4)):  # fmt: skip
        with pytest.raises(ValueError):
            packing.Layout(*given, -1, -1)
    with pytest.raises(ValueError, match="no such plane"):
        packing.Layout(words, row, [(4, 4)], 1, 0)
