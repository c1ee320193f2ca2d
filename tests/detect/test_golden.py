"""Golden frames: an engine that finds what is stored opens, any other is refused before it gives a result."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_runtime.backends import BackendOptions
from edge_runtime.detect import golden
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.model.shipped import shipped_folder
from edge_runtime.model.spec import GOLDEN_KEY
from tests.models import FLOAT, INT8, MODELS

pytest.importorskip("onnxruntime")
YOLO = MODELS / "yolo_v8.onnx"
HOST = BackendOptions("onnxruntime", "cpu", slots=1, threads=1)


def recorded(path: Path) -> Dict[str, Any]:
    with Detector.open(path, options=HOST) as detector:
        return golden.record(detector.model, detector.backend)


def with_golden(path: Path, target: Path, data: Any) -> Path:
    model = onnx.load(str(path))
    model.metadata_props.add(key=GOLDEN_KEY, value=data if isinstance(data, str) else json.dumps(data))
    onnx.save(model, str(target))
    return target


def opened(path: Path, **keywords: Any) -> Detector:
    return Detector.open(path, options=HOST, **keywords)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return with_golden(YOLO, tmp_path / "stored.onnx", recorded(YOLO))


@pytest.mark.parametrize("path", FLOAT, ids=lambda path: path.stem)
def test_every_family_is_recorded_and_opens_again(path: Path, tmp_path: Path) -> None:
    data = recorded(path)
    assert sorted(data["frames"]) == sorted(golden.FRAMES) and len(json.dumps(data)) < 4000
    assert all(frame["rows"] for frame in data["frames"].values())
    with opened(with_golden(path, tmp_path / "stored.onnx", data)) as detector:
        assert not any("golden" in note for note in detector.model.notes)


@pytest.mark.parametrize("path", INT8, ids=lambda path: path.stem)
def test_what_int8_changes_is_allowed(path: Path, tmp_path: Path) -> None:
    data = recorded(path.with_name(path.name.replace("_int8", "")))
    opened(with_golden(path, tmp_path / "stored.onnx", data)).close()


def damaged(path: Path, factor: float) -> None:
    model = onnx.load(str(path))
    weight = max(model.graph.initializer, key=lambda each: numpy_helper.to_array(each).size)
    values = numpy_helper.to_array(weight) * np.float32(factor)
    weight.CopyFrom(numpy_helper.from_array(values.astype(np.float32), weight.name))
    onnx.save(model, str(path))


@pytest.mark.parametrize("factor", [0.0, -1.0, 3.0])
def test_other_weights_are_refused(stored: Path, factor: float) -> None:
    damaged(stored, factor)
    with pytest.raises(ModelError, match=r"does not find what is stored with it: on \w+.jpg") as caught:
        opened(stored)
    assert "--no-golden" in str(caught.value.hint)
    opened(stored, golden=False).close()


def test_outputs_that_are_not_finite_are_refused(stored: Path) -> None:
    damaged(stored, float("nan"))
    with pytest.raises(ModelError, match="not finite") as caught:
        opened(stored)
    assert "float16" in str(caught.value.hint)


@pytest.mark.parametrize(("place", "by"), [(0, 1), (1, 60), (5, -0.5)], ids=["classes", "boxes", "scores"])
def test_other_results_are_refused(place: int, by: float, tmp_path: Path) -> None:
    trained = shipped_folder() / "yolo_nano_voc.onnx"
    data, places = recorded(trained), {1: (1, 2, 3, 4)}
    for row in (row for frame in data["frames"].values() for row in frame["rows"]):
        changed = places.get(place, (place,))
        row[:] = [value + by if number in changed else value for number, value in enumerate(row)]
        row[0] %= 20
    with pytest.raises(ModelError, match="its scores are off"):
        opened(with_golden(trained, tmp_path / "m.onnx", data))


def test_flags_that_change_the_input_are_a_note(stored: Path) -> None:
    with opened(stored, color="bgr") as detector:
        assert any("golden frames are not compared: flags" in note for note in detector.model.notes)
    with opened(stored, conf=0.99, classes=[0], max_det=1) as detector:  # these change nothing
        assert not any("golden" in note for note in detector.model.notes)


def test_a_reason_is_a_note(tmp_path: Path) -> None:
    with opened(with_golden(YOLO, tmp_path / "m.onnx", {"reason": "onnxruntime is away"})) as detector:
        assert "it has no golden frames: onnxruntime is away" in detector.model.notes


def frames(rows: Any, **other: Any) -> Dict[str, Any]:
    return {"tolerance": 0.1, "frames": {name: {"total": 1.0, "rows": rows} for name in golden.FRAMES}, **other}


BAD = {
    "no JSON": "{",
    "a list": "[]",
    "nothing": "{}",
    "no frames": frames([], frames={}),
    "a picture of others": frames([], frames={"../x.jpg": {"total": 1.0, "rows": []}}),
    "a tolerance that allows all": frames([], tolerance=9),
    "a short row": frames([[0, 0.5]]),
    "not finite": frames([[0, 1, 1, 9, 9, float("nan"), 0]]),
    "no total": frames([], frames={name: {"rows": []} for name in golden.FRAMES}),
    "another class": frames([[99, 1, 1, 9, 9, 0.5, 0]]),
}


def test_another_trusted_backend_widens_the_tolerance() -> None:
    with opened(YOLO) as detector:
        data = golden.record(detector.model, detector.backend)
        assert golden.widened(data, detector.model, detector.backend) == data
        near = deepcopy(data)
        for row in near["frames"]["chelsea.jpg"]["rows"]:
            row[5] += 0.3 * (row[5] - row[6])
        wide = golden.widened(near, detector.model, detector.backend)["tolerance"]
        assert data["tolerance"] < wide < golden.MOST_TOLERANCE
        near["frames"]["astronaut.jpg"]["total"] *= 9
        with pytest.raises(ModelError, match="already differ"):
            golden.widened(near, detector.model, detector.backend)


@pytest.mark.parametrize("name", BAD)
def test_damaged_ones_are_errors_in_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="golden frames") as caught:
        opened(with_golden(YOLO, tmp_path / "m.onnx", BAD[name]))
    assert caught.value.hint
