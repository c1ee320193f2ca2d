"""`tune`: what it opens, what it keeps, and when it measures. The speeds come from a table; no time is measured."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import cv2
import numpy as np
import pytest

import edge_runtime
from edge_runtime import machine
from edge_runtime.backends import BackendOptions, onnxruntime, openvino
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError, SourceError, UsageError
from edge_runtime.loop.targets import open_source
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.sources import SourceOptions
from edge_runtime.tuning import trials, tuner
from edge_runtime.tuning.cache import Cache
from edge_runtime.tuning.tuner import Tuned, tune
from tests.models import MODELS, PICTURES

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
FILE, CAMERA = "synthetic://64x48", "0"  # a camera is never opened here


class Bench:
    """Stands for the measurements: a speed for each backend and number of streams; counts the windows."""

    def __init__(self) -> None:
        self.speeds: Dict[Any, float] = {("openvino", 2): 30.0}
        self.windows: List[BackendOptions] = []
        self.told: List[str] = []
        self.goal = ""

    def throughput(self, detector: Detector, sources: Any) -> float:
        self.goal = "throughput"
        assert all(source.read() is not None for source in sources)
        return self._speed(detector)

    def latency(self, detector: Detector, size_wh: Any, fps: float) -> float:
        self.goal = f"latency of {size_wh} at {fps:g}"
        return self._speed(detector)

    def _speed(self, detector: Detector) -> float:
        self.windows.append(detector.options)
        options = detector.options
        key = (options.backend, f"batches of {options.batch}" if options.batch > 1 else options.streams)
        return self.speeds.get(key, 20.0)


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench()
    monkeypatch.setattr(trials, "throughput", found.throughput)
    monkeypatch.setattr(trials, "latency", found.latency)
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(machine, "Others", lambda: SimpleNamespace(cores=0.0))
    return found


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(shutil.copy(MODELS / "yolo_v8.onnx", tmp_path / "m.onnx"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def options_of(tuned: Tuned) -> BackendOptions:
    with tuned.detector as detector:
        return detector.options


def test_the_fastest_is_opened_and_kept(model: str, cache: Cache, bench: Bench) -> None:
    first = tune(model, FILE, options=BackendOptions(batch=1), cache=cache, tell=bench.told.append)
    assert options_of(first) == BackendOptions("openvino", threads=2, streams=2) and bench.goal == "throughput"
    assert str(first).startswith("openvino, 2 threads in 2 streams: 30.0 images/s (") and "measured now" in str(first)
    assert len(bench.told) == 1 and not first.notes
    bench.windows.clear()
    second = tune(model, FILE, cache=Cache(cache._folder), tell=bench.told.append)
    assert options_of(second) == BackendOptions("openvino", threads=2, streams=2)
    assert not bench.windows and len(bench.told) == 1, "nothing was measured"
    assert second.choice == first.choice and "kept from 20" in str(second) and "--tune again" in str(second)


def test_again_measures_anew_and_kept_never_does(model: str, cache: Cache, bench: Bench) -> None:
    assert options_of(tune(model, FILE, when="kept", cache=cache)) == BackendOptions(threads=2)
    tune(model, FILE, cache=cache).detector.close()
    bench.speeds = {("onnxruntime", 2): 50.0}
    assert options_of(tune(model, FILE, when="kept", cache=cache)).backend == "openvino"
    assert options_of(tune(model, FILE, when="again", cache=cache)).backend == "onnxruntime"
    assert options_of(tune(model, FILE, cache=cache)).backend == "onnxruntime", "the new one is kept"
    with pytest.raises(UsageError, match="when is 'always'"):
        tune(model, FILE, when="always")


def test_a_choice_from_a_busy_machine_is_measured_anew_on_a_quiet_one(
    model: str, cache: Cache, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = SimpleNamespace(cores=1.2)
    monkeypatch.setattr(machine, "Others", lambda: busy)
    monkeypatch.setattr(tuner.time, "sleep", lambda seconds: None)
    assert "other programs used 1.2 cores" in str(tune(model, FILE, cache=cache))
    bench.windows.clear()
    tune(model, FILE, cache=cache).detector.close()
    assert not bench.windows, "it is as busy as before"
    busy.cores = 0.1
    for source, when in (("synthetic://64x48?frames=9", "auto"), (FILE, "kept")):
        assert options_of(tune(model, source, when=when, cache=cache)).backend == "openvino"
    assert not bench.windows, "it is better than nothing where nothing may be measured"
    assert "other programs" not in str(tune(model, FILE, cache=cache)) and bench.windows
    bench.windows.clear()
    busy.cores = 1.5
    tune(model, FILE, cache=cache).detector.close()
    assert not bench.windows, "a quiet machine's choice stays"


def test_a_camera_is_tried_for_latency_without_being_opened(model: str, cache: Cache, bench: Bench) -> None:
    for source in (CAMERA, ["demo", "rtsp://nobody.invalid/1"], "synthetic://64x48@30"):
        options = SourceOptions(size_wh=(640, 480), fps=15)
        tune(model, source, source_options=options, when="again", cache=cache).detector.close()
        assert bench.goal == "latency of (640, 480) at 15"
        assert {options.streams for options in bench.windows} == {1}
    tune(model, CAMERA, when="again", cache=cache).detector.close()
    assert bench.goal == "latency of (1280, 720) at 30"
    tune(model, when="again", cache=cache).detector.close()
    assert bench.goal == "throughput", "without a source there is a pattern"


def _other_cores(patch: pytest.MonkeyPatch, model: str) -> None:
    patch.setattr(machine, "cores", lambda: 4)


def _other_processor(patch: pytest.MonkeyPatch, model: str) -> None:
    patch.setattr(machine, "cpu_name", lambda: "another")


def _other_version(patch: pytest.MonkeyPatch, model: str) -> None:
    patch.setattr(openvino, "version", lambda: "2099.1")


def _other_release(patch: pytest.MonkeyPatch, model: str) -> None:
    patch.setattr("edge_runtime.tuning.task.__version__", "99.0")


def _other_model(patch: pytest.MonkeyPatch, model: str) -> None:
    with open(model, "ab") as file:
        file.write(b"\x7a\x00")  # an empty field


@pytest.mark.parametrize("change", [_other_cores, _other_processor, _other_version, _other_release, _other_model])
def test_a_choice_for_anything_else_is_not_used(
    change: Any, model: str, cache: Cache, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(model, FILE, cache=cache).detector.close()
    change(monkeypatch, model)
    bench.windows.clear()
    tune(model, FILE, cache=cache).detector.close()
    assert bench.windows


def test_a_choice_for_another_goal_batch_or_flag_is_not_used(model: str, cache: Cache, bench: Bench) -> None:
    tune(model, FILE, cache=cache).detector.close()
    for named in (BackendOptions(threads=1), BackendOptions(spinning=False), BackendOptions("onnxruntime")):
        bench.windows.clear()
        tune(model, FILE, options=named, cache=cache).detector.close()
        assert bench.windows, named
    bench.windows.clear()
    tune(model, CAMERA, cache=cache).detector.close()
    assert bench.windows


def test_what_is_named_is_kept_to(model: str, cache: Cache, bench: Bench) -> None:
    named = BackendOptions("onnxruntime", threads=1, streams=1)
    found = tune(model, FILE, options=named, cache=cache)
    assert options_of(found) == named and found.choice is None and not bench.windows, "nothing is left to try"
    assert str(found).startswith("onnxruntime ")
    tune(model, FILE, options=BackendOptions(threads=1), cache=cache).detector.close()
    assert {options.threads for options in bench.windows} == {1} and len({o.backend for o in bench.windows}) == 2


def test_a_short_source_is_not_worth_a_trial(model: str, cache: Cache, bench: Bench) -> None:
    short = "synthetic://64x48?frames=199"
    assert options_of(tune(model, short, cache=cache)) == BackendOptions(threads=2) and not bench.windows
    tune(model, [short] * 4, cache=cache).detector.close()
    assert bench.windows, "four of them are"
    bench.windows.clear()
    tune(model, short, cache=cache).detector.close()
    assert not bench.windows, "what is kept is used"
    tune(model, short, when="again", cache=cache).detector.close()
    assert bench.windows


def test_a_backend_that_does_not_open_is_left_out_with_its_reason(
    model: str, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise ModelError("it has no such operator", hint="another")

    monkeypatch.setattr(openvino, "open", broken)
    tuned = tune(model, FILE, cache=cache)
    assert options_of(tuned).backend == "onnxruntime"
    assert "openvino, 2 threads in 2 streams: it has no such operator" in str(tuned)
    monkeypatch.setattr(onnxruntime, "open", broken)
    with pytest.raises(ModelError, match="no such operator"):
        tune(model, FILE, when="again", cache=cache)


def test_a_broken_library_is_named(model: str, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "available", lambda: "openvino cannot be loaded: no libtbb")
    tuned = tune(model, FILE, cache=cache)
    assert options_of(tuned).backend == "onnxruntime" and "openvino cannot be loaded: no libtbb" in str(tuned)
    monkeypatch.setattr(openvino, "available", lambda: "openvino is not installed")
    assert "openvino" not in str(tune(model, FILE, when="again", cache=cache))


def test_trouble_with_the_cache_is_a_note(model: str, tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    tuned = tune(model, FILE, cache=Cache(tmp_path / "file"))
    assert options_of(tuned).backend == "openvino" and tuned.notes[0].startswith("the arrangement is not kept")
    tune(model, FILE, cache=Cache(tmp_path / "kept")).detector.close()
    (path,) = (tmp_path / "kept").iterdir()
    path.write_text("{", encoding="utf-8")
    (note,) = tune(model, FILE, when="kept", cache=Cache(tmp_path / "kept")).notes
    assert note.startswith(f"{path} is not used, it ")
    tuned = tune(model, FILE, cache=Cache(tmp_path / "kept"))
    assert not tuned.notes and tuned.choice, "it was written anew"


def test_a_source_that_fails_is_a_note_and_the_usual_arrangement(
    model: str, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    tuned = tune(model, str(tmp_path / "a.mp4"), cache=cache)
    assert options_of(tuned) == BackendOptions(threads=2) and "were not measured: " in tuned.notes[0]
    tuned = tune(model, [str(tmp_path / "a.mp4"), "demo"], cache=cache)
    assert options_of(tuned).backend == "openvino", "another source opens"

    def fails(detector: Detector, sources: Any) -> float:
        raise SourceError("the cable was pulled", hint="plug it in")

    monkeypatch.setattr(trials, "throughput", fails)
    tuned = tune(model, FILE, when="again", cache=cache)
    assert options_of(tuned) == BackendOptions(threads=2) and "the cable was pulled" in tuned.notes[0]


def test_a_model_that_does_not_run_on_the_processor_is_opened_as_it_is(
    model: str, cache: Cache, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "on_cores", lambda device: False)
    monkeypatch.setattr(onnxruntime, "on_cores", lambda device: False)
    tuned = tune(model, FILE, cache=cache)
    assert tuned.choice is None and not bench.windows
    tuned.detector.close()
    with pytest.raises(ModelError, match="nothing"):
        tune("nothing.onnx", FILE, cache=cache)


def test_an_open_source_is_refused(model: str, cache: Cache) -> None:
    with closing(open_source("synthetic")) as source, pytest.raises(UsageError, match="synthetic is open already"):
        tune(model, source, cache=cache)  # type: ignore[arg-type]


def test_everything_is_closed_if_it_is_interrupted(model: str, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: List[Detector] = []
    real_open, real_close = Detector.open.__func__, Detector.close  # type: ignore[attr-defined]

    def follow(cls: Any, *arguments: Any, **named: Any) -> Detector:
        opened.append(real_open(cls, *arguments, **named))
        return opened[-1]

    def close(detector: Detector) -> None:
        opened.remove(detector)
        real_close(detector)

    def interrupted(detector: Detector, sources: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, "open", classmethod(follow))
    monkeypatch.setattr(Detector, "close", close)
    monkeypatch.setattr(trials, "throughput", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(model, FILE, cache=cache)
    assert not opened


def test_the_package_has_it() -> None:
    assert edge_runtime.tune is tune and edge_runtime.Tuned is Tuned
    assert tuner.WORTH == 600, "the docstring says so"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("threads", "streams"), [(4, 1), (4, 2), (3, 1), (2, 2)])
def test_every_arrangement_gives_the_same_boxes(backend: str, threads: int, streams: int) -> None:
    images = [cv2.imread(os.fspath(path)) for path in PICTURES]
    flags = ModelFlags()
    with Detector.open(MODELS / "yolo_v8.onnx", flags=flags, backend="onnxruntime", threads=1, conf=0.05) as one:
        expected = one(images)
    named = BackendOptions(backend, threads=threads, streams=streams)
    with Detector.open(MODELS / "yolo_v8.onnx", flags=flags, options=named, conf=0.05) as detector:
        found = detector(images)
    for mine, theirs in zip(found, expected):
        assert len(mine) == len(theirs) > 0
        np.testing.assert_array_equal(mine.class_id, theirs.class_id)
        np.testing.assert_allclose(mine.xyxy, theirs.xyxy, atol=0.05)
        np.testing.assert_allclose(mine.confidence, theirs.confidence, atol=1e-3)
