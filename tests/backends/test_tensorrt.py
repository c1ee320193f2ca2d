"""The TensorRT backend, its own code over stand-ins: what it asks, of whom, in which thread, and what it gives back.

The stand-ins work on the host, so that boxes come out; nothing here says how fast a GPU is, or whether it agrees.
"""

from __future__ import annotations

import gc
import json
import threading

import numpy as np
import pytest

from edge_runtime.backends import BackendOptions, tensorrt
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import BackendUnavailable, DeviceError, EdgeError, ModelError, SpecError
from edge_runtime.gpu import cuda, passport, plan_file, trt
from edge_runtime.gpu.passport import Passport, Platform
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.native import ops
from tests.native.test_pixels import FORMATS, picture
from tests.standins import tensorrt_api
from tests.standins.cuda import Gpu, install
from tests.tiny import boxes_v8

ROWS = [(32, 32, 16, 8, 0.9, 1), (10, 50, 8, 8, 0.6, 0)]
OUTPUT = boxes_v8(*ROWS)
EXPECTED = np.array([[48, 56, 80, 72, 0.9, 1], [12, 92, 28, 108, 0.6, 0]], np.float32)
IMAGE = np.full((128, 128, 3), 90, np.uint8)
FLAGS = ModelFlags(family="yolo_v8", labels="a,b,c", resize="letterbox", color="rgb")
SPEC = ModelSpec("yolo_v8", (64, 64), ("a", "b", "c"))
FRAME = [
    "cuCtxPushCurrent", "cuEventRecord", "cuMemcpyHtoDAsync", "cuEventRecord", "cuGraphLaunch", "cuEventRecord",
    "cuCtxPopCurrent", "cuCtxPushCurrent", "cuEventQuery", "cuCtxPopCurrent", "cuCtxPushCurrent", "cuEventSynchronize",
    "cuEventElapsedTime", "cuEventElapsedTime", "cuCtxPopCurrent",
]  # fmt: skip


class Machine:
    """A GPU with TensorRT of some version, and plans that it runs."""

    def __init__(self, monkeypatch, tmp_path, version="10.3", **what) -> None:
        self.gpu, self.lib, self._folder = Gpu(**what), tensorrt_api.module(version), tmp_path
        self.seen, self.answer = [], OUTPUT
        install(monkeypatch, self.gpu)
        monkeypatch.setattr(trt, "library", lambda: self.lib)
        monkeypatch.setattr(trt, "missing", lambda: None)
        trt.log.cache_clear()

    def plan(self, batch=1, dtype="float32", named="m.plan", prefix=b"") -> str:
        io = {"images": ((batch, 3, 64, 64), dtype), "output0": ((batch, *OUTPUT.shape[1:]), dtype)}

        def run(images, outputs) -> None:
            self.seen.append(images.astype(np.float32))
            outputs[0][:] = self.answer

        path = self._folder / named
        path.write_bytes(prefix + tensorrt_api.plan(io, run, self.gpu))
        return str(path)

    def open(self, path: str, **options) -> Detector:
        return Detector.open(path, flags=FLAGS, options=BackendOptions(**options))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    yield lambda *arguments, **what: Machine(monkeypatch, tmp_path, *arguments, **what)
    trt.log.cache_clear()


def assert_expected(found) -> None:
    np.testing.assert_allclose(found.xyxy, EXPECTED[:, :4], atol=1e-3)
    np.testing.assert_allclose(found.confidence, EXPECTED[:, 4], atol=1e-3)
    assert found.class_id.tolist() == [1, 0]


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_version_finds_the_boxes(machine, version, dtype):
    here = machine(version)
    with here.open(here.plan(dtype=dtype)) as detector:
        assert_expected(detector(IMAGE))
        assert "CUDA graphs, images copied" in detector.backend.description
        assert tensorrt_api.FULL[version] in detector.backend.description
    np.testing.assert_allclose(here.seen[-1], 90 / 255, atol=1e-3)


def test_nothing_is_allocated_and_nothing_captured_after_the_first_frame(machine):
    here = machine()
    with here.open(here.plan()) as detector:
        detector(IMAGE)
        names = here.gpu.names()
        assert names.count("cuStreamBeginCapture_v2") == names.count("cuGraphInstantiateWithFlags") == 2
        before = len(here.gpu.calls)
        for size in ((128, 128), (90, 128), (128, 40)):
            detector(np.full((*size, 3), 90, np.uint8))
        assert here.gpu.names()[before:] == 3 * FRAME
    assert len(here.seen) >= 4


@pytest.mark.parametrize("zero_copy", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_pixels_reach_the_kernel_as_they_are(machine, format, zero_copy):
    here, pixels = machine(integrated=True), picture(format, 101, 57)
    with here.open(here.plan(), zero_copy=zero_copy) as detector:
        for given in (pixels, pixels.bgr(), pixels):
            assert len(detector(given)) == 2
    spec = ModelSpec("yolo_v8", (64, 64))
    expected = np.zeros((3, 64, 64), np.float32)
    ops.prepare_image(pixels.bgr(), spec, expected)
    for seen in here.seen[-3:]:
        np.testing.assert_array_equal(seen[0], expected)


def test_a_larger_image_grows_its_buffer_alone(machine):
    here = machine()
    path = here.plan()
    passport_of(path)  # else a photograph is run first, and is larger than these
    with here.open(path) as detector:
        detector(IMAGE)
        before = len(here.gpu.calls)
        assert_expected(detector(np.full((256, 256, 3), 90, np.uint8)[64:192, 64:192]))
        detector(np.full((300, 300, 3), 90, np.uint8))
        assert here.gpu.names()[before:].count("cuMemHostAlloc") == 1
        assert here.gpu.names()[before:].count("cuMemAlloc") == here.gpu.names()[before:].count("cuMemFree") == 1
    assert not here.gpu.held and not here.gpu.faults


def test_a_little_larger_image_finds_room(machine):
    """Sources whose pictures differ a little would allocate again and again."""
    here = machine()
    path = here.plan()
    passport_of(path)  # else a photograph is run first, and is larger than these
    with here.open(path) as detector:
        detector(IMAGE)
        before = len(here.gpu.calls)
        for side in range(130, 157, 2):  # 156 * 156 is just below 1.5 * 128 * 128
            assert len(detector(np.full((side, side, 3), 90, np.uint8))) == 2
        assert not {"cuMemHostAlloc", "cuMemAlloc"} & set(here.gpu.names()[before:])
        detector(np.full((157, 157, 3), 90, np.uint8))
        assert here.gpu.names()[before:].count("cuMemHostAlloc") == 1


def test_the_caller_drives_the_gpu_and_another_thread_has_set_it_up(machine):
    here = machine()
    path = here.plan()
    passport_of(path)  # else the plan is looked at before, in a thread that ends with it
    with here.open(path) as detector:
        detector(IMAGE)  # makes room for it, and the first look at the outputs, where they were set up
        found, before = [], len(here.gpu.calls)
        other = threading.Thread(target=lambda: found.append((detector(IMAGE), threading.get_ident())))
        other.start()
        other.join()
        assert_expected(found[0][0])
        assert_expected(detector(IMAGE))
        frames = here.gpu.calls[before:]
    for thread in (found[0][1], threading.get_ident()):
        assert [name for name, caller in frames if caller == thread] == FRAME
    assert len(frames) == 2 * len(FRAME), "no other thread is asked"
    pycuda = {thread for name, thread in here.gpu.calls if not name.startswith("cu")}
    assert len(pycuda) == 1 and threading.get_ident() not in pycuda


def test_everything_is_given_back_in_order_and_close_may_be_repeated(machine):
    here = machine()
    detector = here.open(here.plan(), slots=3)
    detector(IMAGE)
    detector.backend.enqueue(1, [IMAGE])  # in flight when it is closed
    detector.close()
    calls, names = len(here.gpu.calls), here.gpu.names()
    behind = names[len(names) - names[::-1].index("cuGraphLaunch") :]
    assert behind.index("synchronize") < behind.index("mem_free"), "nothing is freed while it may be in use"
    detector.close()
    assert len(here.gpu.calls) == calls and here.gpu.names()[-2:] == ["pop", "detach"]
    assert clean(here.gpu) and not here.gpu.faults


def test_an_interrupt_while_waiting_leaves_nothing_behind(machine):
    here = machine()
    with pytest.raises(KeyboardInterrupt), here.open(here.plan()) as detector:
        detector.backend.enqueue(0, [IMAGE])
        detector.backend.enqueue(1, [IMAGE])
        raise KeyboardInterrupt
    assert clean(here.gpu) and not here.gpu.faults


def test_slots_are_independent(machine):
    here = machine()
    with here.open(here.plan(), slots=3) as detector:
        backend = detector.backend
        for slot in range(3):
            side = 64 * (slot + 1)
            backend.enqueue(slot, [np.zeros((side, side, 3), np.uint8)])
        for slot in (2, 0, 1):
            boxes, counts = backend.wait(slot)
            np.testing.assert_allclose(boxes[0, : counts[0], :4], EXPECTED[:, :4] * (slot + 1) / 2, atol=1e-3)
            assert set(backend.stage_ms(slot)) == {"preprocess", "inference", "postprocess"}
            assert backend.wait(slot)[1][0] == 2, "waiting twice is harmless"


@pytest.mark.parametrize("written", [-1, 2])
def test_batches_of_images_of_several_sizes(machine, written):
    here = machine()
    with here.open(here.plan(batch=written), batch=2) as detector:
        backend = detector.backend
        backend.enqueue(0, [IMAGE, np.zeros((64, 64, 3), np.uint8)])
        boxes, counts = backend.wait(0)
        assert counts.tolist() == [2, 2]
        np.testing.assert_allclose(boxes[1, :2, :4], EXPECTED[:, :4] / 2, atol=1e-3)
        backend.enqueue(0, [IMAGE])
        np.testing.assert_allclose(backend.wait(0)[0][0, :2, :4], EXPECTED[:, :4], atol=1e-3)
        with pytest.raises(SpecError):
            backend.enqueue(0, [IMAGE] * 3)
        with pytest.raises(SpecError):
            backend.enqueue(0, [np.zeros((4, 4), np.uint8)])


def test_without_graphs_the_calls_are_made_one_by_one(machine):
    here = machine()
    here.gpu.refuses_graphs = True
    with here.open(here.plan()) as detector:
        assert "call by call" in detector.backend.description
        assert_expected(detector(IMAGE))
    assert "cuGraphLaunch" not in here.gpu.names() and not here.gpu.held


@pytest.mark.parametrize("zero_copy", [True, False, None])
def test_where_memory_is_shared_images_are_read_in_place_or_copied(machine, zero_copy):
    here = machine(integrated=True)
    with here.open(here.plan(), zero_copy=zero_copy) as detector:
        assert_expected(detector(IMAGE))
        before = len(here.gpu.calls)
        detector(IMAGE)
        copied = "cuMemcpyHtoDAsync" in here.gpu.names()[before:]
        assert ("images copied" if copied else "images read in place") in detector.backend.description
        assert zero_copy is None or copied is not zero_copy
    assert not here.gpu.held and not here.gpu.faults


@pytest.mark.parametrize("zero_copy", [False, True])
def test_the_loop_reads_where_the_source_has_written(machine, zero_copy):
    """The ring's buffers are the backend's: of later frames no byte is copied on the host."""
    here = machine(integrated=True)
    with here.open(here.plan(), zero_copy=zero_copy) as detector:
        allocate = detector.backend.allocate
        image = allocate((128, 128, 3))
        image[:] = 90
        assert_expected(detector(image))
        words = detector.backend._slots[0].images[0]
        assert bool(words[0] == image.ctypes.data) is zero_copy
        before = len(here.gpu.calls)
        assert len(detector(image)) == 2
        copies = here.gpu.names()[before:].count("cuMemcpyHtoDAsync")
        assert copies == (0 if zero_copy else 1)
    image[:] = 7  # it outlives the backend
    assert allocate((4, 4, 3)) is None and not here.gpu.faults and here.gpu.left
    del image
    assert not here.gpu.left


@pytest.mark.parametrize(("integrated", "capability", "lends"), [(True, (5, 3), False), (True, (7, 2), True),
                                                                  (False, (6, 1), True)])  # fmt: skip
def test_memory_that_the_processor_does_not_cache_is_not_lent(machine, integrated, capability, lends):
    """On a Nano or TX2 a sink would read such images byte by byte from memory."""
    here = machine(integrated=integrated, capability=capability)
    with here.open(here.plan()) as detector:
        assert (detector.backend.allocate((4, 4, 3)) is not None) is lends
        here.gpu.fail_at = len(here.gpu.calls) + 1
        assert detector.backend.allocate((4, 4, 3)) is None, "where there is no such memory, any other will do"


def test_a_pipeline_over_the_device(machine):
    here = machine()
    with here.open(here.plan()) as detector:
        lent, lend = [], detector.backend._device.gpu.lend
        detector.backend._device.gpu.lend = lambda *arguments: [lend(*arguments), lent.append(arguments)][0]
        results = [result.frame.index for result in Pipeline(detector, "synthetic://64x64?frames=60")]
        assert results == list(range(60)) and lent and set(lent) == {((64, 64, 3), False)}
    assert not here.gpu.faults


def test_raw_outputs_where_the_host_decodes(machine):
    here = machine()
    plan = plan_file.load_plan(here.plan(dtype="float16"))
    backend = tensorrt.TensorRTBackend(plan, SPEC, None, BackendOptions())
    backend.enqueue(0, [IMAGE])
    backend.wait(0)
    np.testing.assert_allclose(backend.outputs(0)[0], OUTPUT.astype(np.float16))
    backend.close()
    assert not here.gpu.held


def test_outputs_that_the_gpu_has_decoded_are_copied_when_somebody_asks(machine):
    here = machine()
    with here.open(here.plan(dtype="float16")) as detector:
        detector(IMAGE)
        before = len(here.gpu.calls)
        np.testing.assert_allclose(detector.backend.outputs(0)[0], OUTPUT.astype(np.float16))
        assert here.gpu.names()[before:].count("pagelocked_empty") == 0, "the first look has allocated the memory"
    assert not here.gpu.held and not here.gpu.faults


def test_outputs_that_overflow_on_the_gpu_are_seen(machine, caplog):
    here = machine()
    here.answer = np.full_like(OUTPUT, np.inf)
    with here.open(here.plan(dtype="float16")) as detector:
        assert not len(detector(IMAGE)) and detector.watch.bad == 1
    assert "float16 overflow" in caplog.text


GIVE_BACK = {
    "mem_free", "host_free", "pop", "detach", "cuGraphDestroy", "cuCtxPushCurrent", "cuMemFree", "cuMemFreeHost",
    "cuEventDestroy", "cuDevicePrimaryCtxRelease",
}  # fmt: skip


def clean(gpu) -> bool:
    return not (gpu.held or gpu.contexts or gpu.graphs or gpu.left)


def faults(machine) -> int:
    """Calls from opening to closing."""
    here = machine()
    with here.open(here.plan()) as detector:
        detector(IMAGE)
    return len(here.gpu.calls)


def test_any_call_may_fail(machine):
    """An error of ours with a way out, or a graph less; nothing stays behind, and nothing is given back twice."""
    for number in range(faults(machine)):
        here = machine()
        here.gpu.fail_at = number
        try:
            with here.open(here.plan()) as detector:
                assert_expected(detector(IMAGE))
        except EdgeError as error:
            assert error.hint, here.gpu.calls[number]
        if here.gpu.left:
            gc.collect()  # an error's frames may hold a slot
        assert clean(here.gpu) or here.gpu.calls[number][0] in GIVE_BACK, here.gpu.calls[number]
        assert not here.gpu.faults


def test_a_damaged_plan_is_an_error_in_words(machine, tmp_path):
    here = machine()
    path = tmp_path / "m.plan"
    path.write_bytes(b"not a plan")
    with pytest.raises(DeviceError, match="refuses") as caught:
        here.open(str(path))
    assert "edge-build" in str(caught.value.hint) and not here.gpu.held
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="empty"):
        here.open(str(path))
    with pytest.raises(ModelError, match="no such plan"):
        here.open(str(tmp_path / "none.plan"))


def passport_of(path: str, **change) -> Passport:
    place = {"tensorrt": "tensorrt 10.3.0", "compute_capability": "8.7", **change}
    io = ModelIO("images", (1, 3, 64, 64), {"output0": OUTPUT.shape}, {}, {"images": "float32", "output0": "float32"})
    made = Passport(SPEC, io, "int8", {}, {}, "", "", Platform(**place), 1.0, f"edge-build m.onnx -o {path}")
    passport.passport_path(plan_file.Path(path)).write_text(made.to_json(), encoding="utf-8")
    return made


def test_a_passport_describes_the_model_and_is_read_without_cuda(machine):
    here = machine()
    path = here.plan()
    passport_of(path)
    with Detector.open(path) as detector:
        assert detector.model.spec == SPEC and "int8" in detector.backend.description
        assert_expected(detector(IMAGE))


@pytest.mark.parametrize(
    ("change", "said", "touched"),
    [
        ({"tensorrt": "tensorrt 8.6.2"}, "it was built with tensorrt 8.6.2, but here is tensorrt 10.3.0", False),
        ({"compute_capability": "7.2"}, "it was built for a GPU of compute capability 7.2, but this one has 8.7", True),
        ({"board": "NVIDIA Jetson Orin Nano", "compute_capability": "8.7"}, "it was built on NVIDIA Jetson", False),
    ],
)
def test_a_plan_for_elsewhere_says_so_and_how_to_build_it_here(machine, change, said, touched):
    """On a computer the GPU is known from CUDA alone, and asked before the plan is deserialised."""
    here = machine()
    path = here.plan()
    passport_of(path, **change)
    with pytest.raises(ModelError, match=said) as caught:
        Detector.open(path)
    assert f"edge-build m.onnx -o {path}" in str(caught.value.hint)
    assert bool(here.gpu.calls) is touched and "deserialize_cuda_engine" not in tensorrt_api.names(here.lib.calls)
    assert not here.gpu.held and not here.gpu.contexts


def test_a_description_that_reaches_outside_the_outputs_is_refused(machine):
    """A kernel would read on: the check is that of the host's decoder."""
    here = machine()
    level = Level((4000, 1), View(0, 0, 0, 1, 4000), View(0, 16000, 0, 1, 4000))
    plan = plan_file.load_plan(here.plan())
    with pytest.raises(SpecError, match="the head reads"):
        tensorrt.TensorRTBackend(plan, SPEC, DecodeSpec("cxcywh", (level,), 3), BackendOptions())
    assert not here.gpu.held and not here.gpu.contexts


def test_ultralytics_files_open(machine):
    here = machine()
    data = json.dumps({"task": "detect", "imgsz": [64, 64], "names": {"0": "a", "1": "b", "2": "c"}}).encode()
    path = here.plan(named="m.engine", prefix=len(data).to_bytes(4, "little") + data)
    with Detector.open(path) as detector:
        assert detector.model.spec.family == "yolo_v8" and detector.model.spec.labels == ("a", "b", "c")
        assert_expected(detector(IMAGE))


def test_plans_of_others_open(machine):
    here = machine()
    io = tensorrt.read_io(here.plan(batch=-1), None, 4)
    assert io.input_shape == (4, 3, 64, 64) and io.outputs == {"output0": (4, *OUTPUT.shape[1:])}
    assert not here.gpu.held and not here.gpu.contexts


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(cuda, "missing", lambda: "pycuda is not installed")
    monkeypatch.setattr(trt, "missing", lambda: None)
    assert tensorrt.available() == "pycuda is not installed"
    with pytest.raises(BackendUnavailable, match="pycuda"):
        cuda.Device()


def test_a_driver_before_cuda_11_4_makes_graphs_by_its_old_call(machine):
    here = machine("8.0", lacks=("cuGraphInstantiateWithFlags",))
    with here.open(here.plan()) as detector:
        assert_expected(detector(IMAGE))
        assert "CUDA graphs" in detector.backend.description and "cuGraphInstantiate" in here.gpu.names()
    assert not here.gpu.held and not here.gpu.graphs and not here.gpu.faults


@pytest.mark.parametrize(
    "name", ["cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphLaunch", "cuGraphInstantiate"]
)
def test_a_driver_that_lacks_a_call_of_graphs_is_never_a_traceback(machine, name):
    here = machine("8.0", lacks=(name, "cuGraphInstantiateWithFlags"))
    with here.open(here.plan()) as detector:
        assert_expected(detector(IMAGE))
        assert "call by call" in detector.backend.description
    assert not here.gpu.held and not here.gpu.graphs and here.gpu.recording is None


def test_rtx_works_in_memory_of_ours_so_that_it_can_be_captured(machine):
    here = machine("rtx")
    with here.open(here.plan(), slots=2) as detector:
        assert_expected(detector(IMAGE))
        assert "CUDA graphs" in detector.backend.description
    assert [name for name, _ in here.lib.calls].count("set_device_memory") == 2 and not here.gpu.held


def test_rtx_is_asked_before_it_is_captured(machine):
    here = machine("rtx")
    here.gpu.refuses_graphs = True
    with here.open(here.plan()) as detector:
        assert_expected(detector(IMAGE))
        assert "call by call" in detector.backend.description
    assert "cuStreamBeginCapture_v2" not in here.gpu.names()


def listed(machine, more=()) -> str:
    """A plan as trtexec makes it of EfficientNMS outputs: whole numbers, and perhaps a second input."""
    io = {
        "images": ((1, 3, 64, 64), "float32"),
        **dict(more),
        "num_dets": ((1, 1), "int32"),
        "det_boxes": ((1, 9, 4), "float32"),
        "det_scores": ((1, 9), "float16"),
        "det_classes": ((1, 9), "int32"),
    }

    def run(images, rest) -> None:
        machine.seen.append([array.copy() for array in rest[: len(more)]])
        count, boxes, scores, classes = rest[len(more) :]
        count[:], boxes[:], scores[:], classes[:] = 2, (1, 1, 5, 5), 0.75, 2
        for number, (cx, cy, w, h, score, label) in enumerate(ROWS):
            boxes[0, number] = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
            scores[0, number], classes[0, number] = score, label

    path = machine._folder / "listed.plan"
    path.write_bytes(tensorrt_api.plan(io, run, machine.gpu))
    return str(path)


@pytest.mark.parametrize("version", tensorrt_api.VERSIONS)
def test_whole_numbers_of_a_list_are_read_on_the_gpu(machine, version):
    here = machine(version)
    with Detector.open(listed(here), family="finished", labels="a,b,c") as detector:
        assert_expected(detector(IMAGE))
        assert "numpy" not in detector.backend.description


def test_a_plan_of_a_list_is_recognised_by_one_run(machine):
    here = machine()
    with Detector.open(listed(here), labels="a,b,c") as detector:
        assert detector.model.spec.family == "finished"
        assert_expected(detector(IMAGE))


@pytest.mark.parametrize("version", ["8.2", "10.3"])
def test_the_second_input_of_a_plan_is_given_once(machine, version):
    here = machine(version)
    path = listed(here, [("orig_target_sizes", ((1, 2), "int32"))])
    with Detector.open(path, family="finished", labels="a,b,c") as detector:
        assert_expected(detector(IMAGE))
    assert here.seen[-1][0].tolist() == [[64, 64]]


def test_a_plan_whose_lists_have_any_length_is_refused(machine):
    here = machine()
    io = {"images": ((1, 3, 64, 64), "float32"), "output": ((-1, 7), "float32")}
    path = here._folder / "any.plan"
    path.write_bytes(tensorrt_api.plan(io, lambda images, outputs: None, here.gpu))
    with pytest.raises(ModelError, match="output has another number of rows for each image"):
        Detector.open(path, family="finished")
