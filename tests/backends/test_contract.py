"""Every backend: the same model, the same boxes; slots, batches, background inference, errors, repeated close."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edge_runtime import backends, machine
from edge_runtime.backends import BackendOptions, _failures, _host, replay
from edge_runtime.backends import onnxruntime as onnxruntime_member
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import BackendUnavailable, EdgeError, ModelError, SpecError, UsageError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.sources import SourceOptions
from tests.models import MODELS
from tests.tiny import boxes_v8, write_onnx

ROWS = [(32, 32, 16, 8, 0.9, 1), (10, 50, 8, 8, 0.6, 0)]
FLAGS = ModelFlags(family="yolo_v8", labels="a,b,c", resize="letterbox", color="rgb")
IMAGE = np.full((128, 128, 3), 90, np.uint8)
EXPECTED = np.array([[48, 56, 80, 72, 0.9, 1], [12, 92, 28, 108, 0.6, 0]], np.float32)


@pytest.fixture(params=["onnxruntime", "openvino", "replay"])
def backend_name(request) -> str:
    module = __import__(f"edge_runtime.backends.{request.param}", fromlist=["available"])
    if module.available() is not None:
        pytest.skip(module.available())
    return request.param


@pytest.fixture
def engine(backend_name, tmp_path) -> str:
    output = boxes_v8(*ROWS)
    path = write_onnx(tmp_path / "m.onnx", {"output0": output})
    if backend_name == "replay":
        io = onnx_file.read_io(path)
        path = str(tmp_path / "m.replay.npz")
        replay.record(path, io, [[output]])
    return path


def open_detector(engine: str, backend: str, **options) -> Detector:
    return Detector.open(engine, flags=FLAGS, options=BackendOptions(backend=backend, threads=1, **options))


def rows(boxes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return boxes[0, : counts[0]]


def test_boxes_come_back_in_image_pixels(engine, backend_name):
    with open_detector(engine, backend_name) as detector:
        found = detector(IMAGE)
    assert backend_name in detector.backend.description
    np.testing.assert_allclose(found.xyxy, EXPECTED[:, :4], atol=1e-3)
    np.testing.assert_allclose(found.confidence, EXPECTED[:, 4], atol=1e-5)
    assert [found.label(i) for i in range(2)] == ["b", "a"]


@pytest.mark.parametrize("background", [False, True])
def test_slots_are_independent(engine, backend_name, background):
    with open_detector(engine, backend_name, slots=3) as detector:
        backend = detector.backend
        if background:
            backend.start()
            backend.start()
        for slot in range(3):
            backend.enqueue(slot, [np.zeros((64 * (slot + 1), 64 * (slot + 1), 3), np.uint8)])
        for slot in (2, 0, 1):
            found = rows(*backend.wait(slot))
            np.testing.assert_allclose(found[:, :4], EXPECTED[:, :4] * (slot + 1) / 2, atol=1e-3)
            assert set(backend.stage_ms(slot)) == {"preprocess", "inference", "postprocess"}
            assert rows(*backend.wait(slot)) is not None, "waiting twice is harmless"


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_streams_run_at_the_same_time(engine, backend_name, threads):
    """Two slots are in inference at once: each waits there until the other has come, else the barrier breaks."""
    options = BackendOptions(backend=backend_name, threads=threads, streams=2)
    with Detector.open(engine, flags=FLAGS, options=options) as detector:
        backend, both = detector.backend, threading.Barrier(2)
        assert backend.slots == 4, "two for each"
        backend.start()
        for slot in backend._slots:
            slot.run = partial(_together, slot.run, both)
        for slot in range(2):
            backend.enqueue(slot, [IMAGE])
        for slot in range(2):
            np.testing.assert_allclose(rows(*backend.wait(slot)), EXPECTED, atol=1e-3)
        assert backend_name == "replay" or "2 streams" in backend.description
        assert not [thread for thread in backend._workers if not thread.is_alive()]
    assert not backend._workers


def _together(run, both: threading.Barrier):
    both.wait(20)
    return run()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("threads", [2, 4])
def test_streams_keep_the_order_and_the_bits(name, threads):
    """Frames of a pipeline in two streams, against the same frames in one, of as many threads as a stream has."""
    pytest.importorskip(name)
    found = []
    for options in (BackendOptions(name, threads=threads // 2), BackendOptions(name, threads=threads, streams=2)):
        with Detector.open(MODELS / "yolo_v8.onnx", options=options, conf=0.01) as detector:
            results = Pipeline(detector, "demo", max_frames=40, source_options=SourceOptions((320, 240)))
            found.append([(each.frame.index, each.detections.xyxy, each.detections.confidence) for each in results])
    assert [index for index, *_ in found[1]] == list(range(40)) and sum(len(boxes) for _, boxes, _ in found[0])
    for one, two in zip(*found):
        np.testing.assert_array_equal(one[1], two[1])
        np.testing.assert_array_equal(one[2], two[2])


def test_raw_outputs_are_the_networks(engine, backend_name):
    with open_detector(engine, backend_name) as detector:
        detector(IMAGE)
        np.testing.assert_allclose(detector.backend.outputs(0)[0], boxes_v8(*ROWS), atol=1e-6)


def test_thresholds_and_classes(engine, backend_name):
    with open_detector(engine, backend_name, thresholds=Thresholds(conf=0.7)) as detector:
        assert detector(IMAGE).class_id.tolist() == [1]
    with open_detector(engine, backend_name, thresholds=Thresholds(classes=["a"])) as detector:
        assert detector(IMAGE).class_id.tolist() == [0]
    with pytest.raises(SpecError, match="'zebra'") as caught:
        open_detector(engine, backend_name, thresholds=Thresholds(classes=["zebra"]))
    assert "a, b, c" in caught.value.hint


def test_bad_images_and_batches_are_refused(engine, backend_name):
    with open_detector(engine, backend_name) as detector:
        for bad in (IMAGE[..., 0], IMAGE.astype(np.float32), IMAGE[:0], None):
            with pytest.raises(SpecError):
                detector.backend.enqueue(0, [bad])
        with pytest.raises(SpecError, match="2 images for a batch of 1"):
            detector.backend.enqueue(0, [IMAGE, IMAGE])
        assert len(detector(IMAGE)) == 2, "it goes on after an error"


def test_closing_twice_is_harmless(engine, backend_name):
    detector = open_detector(engine, backend_name)
    detector.backend.start()
    detector.close()
    detector.close()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_open_sizes_and_batches(name, tmp_path):
    pytest.importorskip(name)
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8(*ROWS)}, ("N", 3, "H", "W"))
    flags = FLAGS.over(ModelFlags(imgsz=(64, 64)))
    options = BackendOptions(backend=name, batch=4, threads=1)
    with Detector.open(path, flags=flags, options=options) as detector:
        detector.backend.enqueue(0, [IMAGE[:64, :64], IMAGE, IMAGE[:32, :32]])
        boxes, counts = detector.backend.wait(0)
        assert boxes.shape[0] == 4 and counts[:3].tolist() == [2, 2, 2]
        for number, scale in enumerate((1, 2, 0.5)):
            np.testing.assert_allclose(boxes[number, :2, :4], EXPECTED[:, :4] * scale / 2, atol=1e-3)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_half_precision_models_run(name, tmp_path):
    pytest.importorskip(name)
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8(*ROWS)}, dtype=TensorProto.FLOAT16)
    with open_detector(path, name) as detector:
        np.testing.assert_allclose(detector(IMAGE).xyxy, EXPECTED[:, :4], atol=0.1)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "truncated", "no image input"])
def test_bad_files_are_one_error(name, damage, tmp_path):
    pytest.importorskip(name)
    path = tmp_path / "m.onnx"
    if damage == "no image input":
        write_onnx(path, {"output0": boxes_v8()}, (1, 4, 64, 64))
    elif damage != "missing":
        whole = open(write_onnx(path, {"output0": boxes_v8()}), "rb").read()
        path.write_bytes(
            {"empty": b"", "garbage": b"\x93no onnx\xff" * 99, "truncated": whole[: len(whole) // 2]}[damage]
        )
    with pytest.raises(ModelError) as caught:
        open_detector(str(path), name)
    assert caught.value.hint and "\n" not in str(caught.value)


def test_choosing_a_backend():
    assert backends.choose_backend("x.onnx", BackendOptions(device="cuda")).__name__.endswith("onnxruntime")
    with pytest.raises(UsageError, match="does not serve"):
        backends.choose_backend("x.onnx", BackendOptions(backend="openvino", device="cuda"))
    with pytest.raises(UsageError, match="handles"):
        backends.choose_backend("x.tflite", BackendOptions())


def test_a_provider_that_is_missing_is_named(tmp_path):
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine has it")
    path = write_onnx(tmp_path / "m.onnx", {"output0": boxes_v8()})
    with pytest.raises(BackendUnavailable, match="CUDAExecutionProvider") as caught:
        Detector.open(path, flags=FLAGS, options=BackendOptions(device="cuda"))
    assert "gpu" in caught.value.hint


def test_an_error_in_the_background_reaches_the_one_who_waits(engine, backend_name):
    with open_detector(engine, backend_name) as detector:
        backend = detector.backend

        def broken() -> None:
            raise EdgeError("the library failed", hint="try again")

        backend._slots[0].run = broken
        backend.start()
        backend.enqueue(0, [IMAGE])
        with pytest.raises(EdgeError, match="the library failed"):
            backend.wait(0)
        backend.enqueue(1, [IMAGE])
        assert backend.wait(1)[1][0] == 2, "the worker survives"


def test_spinning_follows_the_load_of_the_machine(monkeypatch):
    cores = machine.cores()
    monkeypatch.setattr(_host, "busy_cores", lambda: 0.2)
    assert _host.auto_spinning(BackendOptions(), cores)
    assert not _host.auto_spinning(BackendOptions(spinning=False), cores)
    monkeypatch.setattr(_host, "busy_cores", lambda: float(cores))
    assert not _host.auto_spinning(BackendOptions(), cores)
    assert _host.auto_spinning(BackendOptions(spinning=True), cores)


def test_busy_cores_are_measured():
    assert 0.0 <= _host.busy_cores() <= (os.cpu_count() or 1)


OLD_ORT = "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. "


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            f"[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:{OLD_ORT * 3}Opset 22 is under development "
            "and support for this is limited. Current official support for domain ai.onnx is till opset 19.\n",
            ("opset 22", "knows is 19"),
        ),
        ("Unsupported model IR version: 11, max supported IR version: 9", ("IR version 11", "knows is 9")),
    ],
)
def test_a_file_that_is_younger_than_onnxruntime(said, what):
    error = onnxruntime_member._unreadable("m.onnx", RuntimeError(said))
    assert all(part in str(error) for part in what) and "pip install -U onnxruntime" in error.hint
    assert f"{what[0].rsplit(' ', 1)[0]} {what[1].rsplit(' ', 1)[1]} or older" in error.hint


def test_a_file_that_is_younger_than_the_installed_onnxruntime(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    model = onnx.load(write_onnx(path, {"output0": boxes_v8(*ROWS)}))
    model.ir_version = 99
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"has IR version 99, the newest that onnxruntime .* knows is") as caught:
        open_detector(str(path), "onnxruntime")
    assert "pip install -U onnxruntime" in caught.value.hint


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_a_reason_is_never_cut_off(library):
    reason = "no kernel\n" * 60 + "and this is why"
    assert str(_failures.explained(library, "m.onnx", RuntimeError(reason))).endswith("and this is why")


def test_onnxruntimes_own_log_is_quiet():
    """From 1.23 on it warns of GPUs on every Jetson; the default logger is for all sessions of a process."""
    pytest.importorskip("onnxruntime")
    code = (
        "from edge_runtime.backends import onnxruntime as ours\nimport onnxruntime\n"
        "onnxruntime.set_default_logger_severity = lambda level: print(level)\nours.library()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == ["3"]
