"""The front door in Python: the shipped model, real photographs, and what README promises, from any folder."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_runtime
from edge_runtime import Detector, Pipeline, errors
from edge_runtime.imaging.image_file import read_image

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = "yolo_nano_voc_int8.onnx"
PHOTOS = {"astronaut.png": "person", "chelsea.png": "cat", "motorcycle_left.png": "motorbike"}


@pytest.fixture(scope="module")
def photos() -> Path:
    """The folder of scikit-image's photographs."""
    skimage = pytest.importorskip("skimage", reason="needs scikit-image: pip install '.[demo]'")
    return Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The shipped model, opened by name from a folder that does not hold it."""
    if not (ROOT / "engines" / SHIPPED).is_file():
        pytest.skip("needs the shipped model")
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    try:
        opened = Detector.open(SHIPPED, threads=1)
    finally:
        os.chdir(before)
    with opened:
        yield opened


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photograph_by_path_array_and_pillow(detector: Detector, photos: Path, name: str) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    path = photos / name
    expected = detector(path)
    assert expected[0].label == PHOTOS[name]
    assert detector(read_image(str(path))) == expected
    assert detector(pillow.open(path)) == expected
    assert detector([str(path), path]) == [expected, expected]


def test_a_photograph_is_drawn_and_saved(detector: Detector, photos: Path, tmp_path: Path) -> None:
    path = photos / "chelsea.png"
    detector(path).save(tmp_path / "found.png")
    drawn, plain = read_image(str(tmp_path / "found.png")), read_image(str(path))
    x1, y1, _, y2 = (round(v) for v in detector(path)[0].xyxy)
    changed = (drawn != plain).any(axis=2)
    assert changed[y1 + 40 : y2, x1].all(), "the left edge of the box is drawn"
    assert not changed[y2 + 5 :].any() and changed.mean() < 0.2


def test_a_pipeline_over_a_path_object_into_one_sink(detector: Detector, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in PHOTOS:
        (folder / name).symlink_to(photos / name)
    summary = Pipeline(detector, folder, tmp_path / "out.jsonl").run()
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert summary["frames"] == len(rows) == 3
    assert [row["detections"][0]["label"] for row in rows] == [PHOTOS[name] for name in sorted(PHOTOS)]


def test_results_of_a_pipeline_know_their_source_and_hold_no_frame(detector: Detector, photos: Path) -> None:
    for result in Pipeline(detector, photos / "chelsea.png"):
        found = result.detections
        assert found.source == found.path == str(photos / "chelsea.png")
        assert found.image_wh == result.frame.image_wh and found.image_wh is not None
        assert not any(isinstance(value, np.ndarray) and value.ndim == 3 for value in vars(found).values())
        assert found.draw().shape == result.frame.image.shape, "a picture is read again"
    for result in Pipeline(detector, "synthetic://64x48", max_frames=1):
        assert result.detections.source == "synthetic://64x48" and result.detections.path is None
        with pytest.raises(edge_runtime.UsageError, match="is gone"):
            result.detections.draw()
        assert result.detections.draw(result.frame.image).shape == (48, 64, 3)


def test_a_pipeline_wants_a_detector() -> None:
    not_open: Any = SHIPPED
    with pytest.raises(edge_runtime.UsageError, match="type str") as caught:
        Pipeline(not_open, 0)
    assert "Detector.open" in str(caught.value.hint)


def test_every_error_is_exported() -> None:
    kinds = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert kinds <= set(edge_runtime.__all__)


def test_checkers_and_programs_see_the_same_names() -> None:
    tree = ast.parse(Path(edge_runtime.__file__).read_text(encoding="utf-8"))
    shown = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("edge_runtime"):
            shown.update({alias.name: node.module for alias in node.names})
    assert sorted(shown) == sorted(edge_runtime.__all__)
    for name, module in shown.items():
        assert getattr(edge_runtime, name) is getattr(import_module(str(module)), name)
    assert set(edge_runtime.__all__) <= set(dir(edge_runtime)) and len(dir(edge_runtime)) == len(set(dir(edge_runtime)))


def test_every_name_is_documented() -> None:
    for name in edge_runtime.__all__:
        assert len(getattr(edge_runtime, name).__doc__) > 20, name


USER_SCRIPT = """
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from edge_runtime import (
    BackendOptions, Detection, Detections, Detector, EdgeError, Frame, ModelFlags, Pipeline, Result, Sink, SinkOptions,
    Source, SourceOptions, Thresholds, UsageError, draw, open_sink, open_source,
)

options = BackendOptions(device="cpu", thresholds=Thresholds(conf=0.3, classes="dog"))
detector = Detector.open(Path("m.onnx"), options=options, flags=ModelFlags(labels=("a", "b")))
with Detector.open("m.onnx", conf=0.3, classes=["dog", 3], labels=["a", "b"], imgsz=640, mean=0, device="cpu") as other:
    image = np.zeros((4, 4, 3), np.uint8)
    one: Detections = other(image)
    one = other("a.jpg")
    one = other(Path("a.jpg"))
    many: List[Detections] = other([image, "a.jpg", Path("b.jpg")])
    many = other(("a.jpg", image))
for box in one:
    corners: Tuple[float, float, float, float] = box.xyxy
    name: str = box.label
first: Detection = one[0]
sure: Detections = one[one.confidence > 0.5]
sure = one[one.class_id == 3][:2][[0]]
rows: List[Dict[str, Any]] = sure.to_coco(image_id=1, category_ids=[1, 2])
picture = draw(one.draw(), one)
one.draw("a.jpg")
one.save("b.jpg")
one.save(Path("b.jpg"), image)
source: Source = open_source(0, SourceOptions(size_wh=(640, 480)))
sink: Sink = open_sink(Path("drawn"), SinkOptions(fps=10))
Pipeline(detector, 0)
Pipeline(detector, Path("a.mp4"), "out.jsonl").run()
Pipeline(detector, ["a.mp4", 0, source], [sink, Path("b.mp4")])
for result in Pipeline(detector, "a.mp4", Path("out.mp4"), max_frames=3):
    frame: Frame = result.frame
    print(result.detections, frame.image_wh, isinstance(result, Result))
try:
    detector("rtsp://camera")
except UsageError as error:
    print(error.hint, isinstance(error, EdgeError))

Detector.open("m.onnx", confidence=0.3)  # type: ignore[arg-type]
Detector.open(3)  # type: ignore[arg-type]
detector(None)  # type: ignore[call-overload]
Pipeline(detector, None)  # type: ignore[arg-type]
one["dog"]  # type: ignore[index]
"""


def test_a_users_script_passes_a_strict_checker(tmp_path: Path) -> None:
    """A line that is wrong carries an ignore, and mypy complains about an ignore that is not needed."""
    pytest.importorskip("mypy", reason="needs mypy: pip install '.[dev]'")
    assert (ROOT / "edge_runtime" / "py.typed").is_file()
    script = tmp_path / "user.py"
    script.write_text(USER_SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "user.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
