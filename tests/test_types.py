from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import BackendUnavailable, SpecError, UsageError
from edge_runtime.imaging.image_file import read_image
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.libraries.extras import install_hint
from edge_runtime.types import Detection, Detections, Frame, Pixels

ROWS = np.array([[1.234, 2, 30.999, 40, 0.98765, 0], [5, 6, 7, 8, 0.5, 7]], np.float32)


def test_from_rows_copies_and_types() -> None:
    rows = ROWS.copy()
    found = Detections.from_rows(rows, ("cat", "dog"))
    rows[:] = 0
    np.testing.assert_array_equal(found.xyxy, ROWS[:, :4])
    np.testing.assert_array_equal(found.confidence, ROWS[:, 4])
    np.testing.assert_array_equal(found.class_id, [0, 7])
    assert (found.xyxy.dtype, found.confidence.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int32)
    assert len(found) == 2


def test_a_class_without_a_name_is_its_number() -> None:
    found = Detections.from_rows(ROWS, ("cat", "dog"))
    assert [found.label(i) for i in range(2)] == ["cat", "7"]


def test_to_dict_is_plain_data() -> None:
    assert Detections.from_rows(ROWS, ("cat",)).to_dict() == [
        {"class_id": 0, "label": "cat", "confidence": 0.9876, "box": [1.23, 2.0, 31.0, 40.0]},
        {"class_id": 7, "label": "7", "confidence": 0.5, "box": [5.0, 6.0, 7.0, 8.0]},
    ]


def tracked(*ids: int) -> Detections:
    return replace(Detections.from_rows(ROWS[: len(ids)], ("cat",)), tracker_id=np.array(ids, np.int32))


def test_ids_go_along_everywhere() -> None:
    found = tracked(4, -1)
    assert [box.tracker_id for box in found] == [4, None]
    assert [row["tracker_id"] for row in found.to_dict()] == [4, None]
    assert found[[1, 0]].tracker_id.tolist() == [-1, 4] and found[0].tracker_id == 4
    assert found == tracked(4, -1) != tracked(4, 5) and found != Detections.from_rows(ROWS, ("cat",))
    assert pickle.loads(pickle.dumps(found)) == found
    part = found[:1]
    part.tracker_id[:] = 9
    assert found.tracker_id.tolist() == [4, -1], "copied"


def test_ids_go_to_supervision() -> None:
    pytest.importorskip("supervision", reason="needs supervision: pip install '.[supervision]'")
    assert tracked(4, -1).to_supervision().tracker_id.tolist() == [4, -1]
    assert Detections.from_rows(ROWS).to_supervision().tracker_id is None


def test_nothing_found() -> None:
    empty = Detections.from_rows(ROWS[:0], ("cat",))
    assert len(empty) == 0 and empty.to_dict() == [] and empty.xyxy.shape == (0, 4)


@pytest.mark.parametrize("count", [0, 2])
def test_to_supervision(count: int) -> None:
    pytest.importorskip("supervision", reason="needs supervision: pip install '.[supervision]'")
    theirs = Detections.from_rows(ROWS[:count], ("cat",)).to_supervision()
    np.testing.assert_array_equal(theirs.xyxy, ROWS[:count, :4])
    np.testing.assert_array_equal(theirs.confidence, ROWS[:count, 4])
    assert theirs.class_id.tolist() == [0, 7][:count]
    assert theirs.data["class_name"].tolist() == ["cat", "7"][:count]


def test_without_supervision_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(BackendUnavailable, match="supervision is not installed") as caught:
        Detections.from_rows(ROWS).to_supervision()
    assert caught.value.hint == install_hint("supervision")


FOUR = Detections.from_rows(
    np.array([[0, 0, 9, 9, 0.9, 0], [1, 1, 8, 8, 0.7, 1], [2, 2, 7, 7, 0.5, 1], [3, 3, 6, 6, 0.25, 7]], np.float32),
    ("cat", "dog"),
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A grey picture of 60x40."""
    path = tmp_path / "photo.png"
    load_cv2().imwrite(str(path), np.full((40, 60, 3), 99, np.uint8))
    return path


def found_in(picture: Any, image: np.ndarray) -> Detections:
    found = Detections.from_rows(ROWS, ("cat",))
    found.found_in(picture, image)
    return found


def test_iteration_gives_plain_values() -> None:
    first, second = Detections.from_rows(ROWS, ("cat", "dog"))
    assert second == Detection((5.0, 6.0, 7.0, 8.0), 0.5, 7, "7")
    assert (first.label, first.class_id, first.confidence) == ("cat", 0, pytest.approx(0.98765))
    for value in (*first.xyxy, first.confidence):
        assert type(value) is float
    assert type(first.class_id) is int and hash(first) == hash(first)


@pytest.mark.parametrize("index", [1, -3, np.int64(1), np.uint8(1)])
def test_a_number_gives_one(index: Any) -> None:
    assert FOUR[index] == list(FOUR)[1] and isinstance(FOUR[index], Detection)


@pytest.mark.parametrize(
    ("index", "kept"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        (slice(9, None), []),
        ([2, 0], [2, 0]),
        ([-1], [3]),
        ([], []),
        ([True, False, False, True], [0, 3]),
        (np.array([1, 1]), [1, 1]),
        (np.zeros(4, bool), []),
        (np.zeros(0, np.int64), []),
        (FOUR.confidence > 0.5, [0, 1]),
        (FOUR.class_id == 1, [1, 2]),
        ((FOUR.class_id == 1) & (FOUR.confidence > 0.5), [1]),
    ],
)
def test_slices_lists_and_masks_give_detections(index: Any, kept: list) -> None:
    part = FOUR[index]
    assert isinstance(part, Detections) and list(part) == [list(FOUR)[i] for i in kept]
    assert part.labels is FOUR.labels
    assert (part.xyxy.shape, part.xyxy.dtype, part.class_id.dtype) == ((len(kept), 4), np.float32, np.int32)


@pytest.mark.parametrize("index", [4, -5, [4], [True, False], np.ones(5, bool), 0.5, [0.5], "cat", None, (0, 1), [[0]]])
def test_an_index_that_fits_nothing_is_an_index_error(index: Any) -> None:
    with pytest.raises(IndexError):
        FOUR[index]


@pytest.mark.parametrize("index", [True, False, np.True_])
def test_a_single_truth_is_no_index(index: Any) -> None:
    with pytest.raises(IndexError):
        FOUR[index]


@pytest.mark.parametrize("index", [slice(None), [0, 1, 2, 3], np.ones(4, bool)])
def test_a_part_is_a_copy(index: Any) -> None:
    part = FOUR[index]
    part.xyxy += 1
    part.confidence[:] = 0
    assert FOUR[0].xyxy == (0, 0, 9, 9) and FOUR[0].confidence == pytest.approx(0.9)


def test_a_part_knows_the_source(photo: Path) -> None:
    part = found_in(photo, read_image(str(photo)))[:1]
    assert (part.source, part.path, part.image_wh) == (str(photo), str(photo), (60, 40))
    assert part.draw().shape == (40, 60, 3)


def test_equal_means_the_same_boxes() -> None:
    same = Detections.from_rows(ROWS, ["cat"])
    assert same == Detections.from_rows(ROWS, ("cat",)) and same == copy.deepcopy(same)
    assert same != Detections.from_rows(ROWS, ("dog",)) and same != same[:1] and same != same[::-1]
    assert same != "text" and same != None  # noqa: E711
    assert Detections.from_rows(ROWS[:0]) == Detections.from_rows(ROWS[:0])
    assert found_in("a.png", ROWS) == found_in("b.png", ROWS), "where it was found does not matter"


def test_an_empty_one_is_false() -> None:
    assert FOUR and not FOUR[:0]


def test_repr_is_one_short_line() -> None:
    assert repr(FOUR) == "Detections(4: 'cat' 0.90, 'dog' 0.70, 'dog' 0.50, '7' 0.25)"
    assert repr(FOUR[:0]) == "Detections(0)"
    many = FOUR[[0] * 300]
    assert repr(many).startswith("Detections(300: 'cat'") and repr(many).endswith(", …)") and len(repr(many)) < 100
    assert "\x1b" not in repr(Detections.from_rows(ROWS, ("\x1b[31mcat",)))


def test_pictures_are_drawn_into_a_copy(photo: Path) -> None:
    image = read_image(str(photo))
    found = Detections.from_rows(ROWS, ("cat",))
    for given in (image, photo, str(photo), image[..., 0]):
        drawn = found.draw(given)
        assert drawn.shape == (40, 60, 3) and drawn.dtype == np.uint8 and (drawn != 99).any()
    assert (image == 99).all()
    assert (found[:0].draw(image) == 99).all()


def test_save_writes_what_draw_gives(photo: Path, tmp_path: Path) -> None:
    image = read_image(str(photo))
    found = found_in(image, image)
    for target in (tmp_path / "a.png", str(tmp_path / "b.png")):
        found.save(target)
        np.testing.assert_array_equal(read_image(str(target)), found.draw(image))
    found.save(tmp_path / "c.jpg", image)
    assert read_image(str(tmp_path / "c.jpg")).shape == (40, 60, 3)
    found.save(tmp_path / "a.png")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png", "c.jpg", "photo.png"]


@pytest.mark.parametrize("spelling", ["itself", "dot", "link", "hard link", "folder link", "image argument"])
def test_the_picture_itself_is_never_written_over(photo: Path, tmp_path: Path, spelling: str) -> None:
    before = photo.read_bytes()
    found = found_in(photo, read_image(str(photo)))
    (tmp_path / "link.png").symlink_to(photo)
    (tmp_path / "folder").symlink_to(tmp_path)
    os.link(photo, tmp_path / "hard.png")
    places = {"dot": "./photo.png", "link": "link.png", "hard link": "hard.png", "folder link": "folder/photo.png"}
    target = f"{tmp_path}/{places.get(spelling, photo.name)}"
    if spelling == "image argument":
        found = Detections.from_rows(ROWS)
    with pytest.raises(UsageError, match="is the picture itself"):
        found.save(target, photo if spelling == "image argument" else None)
    assert photo.read_bytes() == before


@pytest.mark.parametrize("name", ["no_suffix", "a.xyz", "a.jsonl", "none/a.png"])
def test_what_cannot_be_saved_says_so_and_leaves_nothing(photo: Path, tmp_path: Path, name: str) -> None:
    found = found_in(photo, read_image(str(photo)))
    with pytest.raises(UsageError, match="cannot be written") as caught:
        found.save(tmp_path / name)
    assert caught.value.hint and os.listdir(tmp_path) == ["photo.png"]


def test_an_earlier_picture_survives_a_save_that_fails(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"old")
    found = found_in(photo, read_image(str(photo)))
    photo.unlink()
    with pytest.raises(OSError, match=r"is not there|cannot be opened"):
        found.save(tmp_path / "old.png")
    assert (tmp_path / "old.png").read_bytes() == b"old"


def test_an_image_of_another_size_is_refused(photo: Path) -> None:
    found = found_in(photo, read_image(str(photo)))
    with pytest.raises(SpecError, match="60x41"):
        found.draw(np.zeros((41, 60, 3), np.uint8))
    load_cv2().imwrite(str(photo), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(SpecError, match="30x20"):
        found.draw()


def test_results_do_not_keep_their_images() -> None:
    image = np.full((40, 60, 3), 7, np.uint8)
    found = found_in(image, image)
    assert found.source is None and found.path is None and found.draw().shape == image.shape
    assert sys.getrefcount(image) == 2, "somebody holds the image"
    del image
    gc.collect()
    with pytest.raises(UsageError, match="is gone") as caught:
        found.draw()
    assert "save(path, image)" in str(caught.value.hint)


def test_results_travel_between_processes(photo: Path) -> None:
    image = read_image(str(photo))
    for picture in (photo, image):
        found = found_in(picture, image)
        twin = pickle.loads(pickle.dumps(found))
        assert twin == found and (twin.path, twin.image_wh) == (found.path, found.image_wh)
        assert copy.copy(found) == copy.deepcopy(found) == found


def test_to_coco() -> None:
    first, second = Detections.from_rows(ROWS, ("cat",)).to_coco(image_id=42)
    assert second == {"image_id": 42, "category_id": 7, "bbox": [5.0, 6.0, 2.0, 2.0], "score": 0.5}
    assert first["bbox"] == pytest.approx([1.234, 2, 29.765, 38], abs=1e-3) and first["category_id"] == 0
    ids = {0: 18, 7: 90}
    assert [row["category_id"] for row in Detections.from_rows(ROWS).to_coco("a", ids)] == [18, 90]
    assert [row["category_id"] for row in FOUR[:3].to_coco("a", [17, 18])] == [17, 18, 18]
    with pytest.raises(UsageError, match="no category id"):
        FOUR.to_coco(1, [17, 18])
    assert FOUR[:0].to_coco() == []


def test_pycocotools_reads_to_coco() -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO()
    coco.dataset = {"images": [{"id": 5}], "categories": [{"id": 0}, {"id": 7}], "annotations": []}
    coco.createIndex()
    loaded = coco.loadRes(Detections.from_rows(ROWS).to_coco(5))
    assert [row["bbox"] for row in loaded.loadAnns(loaded.getAnnIds())][1] == [5.0, 6.0, 2.0, 2.0]


@pytest.mark.parametrize("count", [0, 2])
def test_to_pandas(count: int) -> None:
    pytest.importorskip("pandas", reason="needs pandas")
    table = Detections.from_rows(ROWS[:count], ("cat",)).to_pandas()
    assert list(table.columns) == ["x1", "y1", "x2", "y2", "confidence", "class_id", "label"]
    np.testing.assert_array_equal(table[["x1", "y1", "x2", "y2"]].to_numpy(), ROWS[:count, :4])
    assert table["label"].tolist() == ["cat", "7"][:count] and table["class_id"].tolist() == [0, 7][:count]
    assert str(table["x1"].dtype) == "float32" and str(table["class_id"].dtype) == "int32"


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BackendUnavailable, match="pandas is not installed") as caught:
        FOUR.to_pandas()
    assert caught.value.hint == "pip install pandas"


def test_a_frame_knows_its_size() -> None:
    assert Frame(np.zeros((40, 60, 3), np.uint8), "a", 0, 0.0).image_wh == (60, 40)


def nv12(width: int = 60, height: int = 40) -> Pixels:
    planes = np.full((height, width), 90, np.uint8), np.full((height // 2, width // 2, 2), 140, np.uint8)
    return Pixels("nv12", planes, width, height)


def test_a_frame_makes_its_image_at_the_first_use_and_keeps_it() -> None:
    frame = Frame(None, "a", 0, 0.0, pixels=nv12())
    assert frame.image_wh == (60, 40) and frame.picture is frame.pixels and frame.made is None
    assert "60x40" in repr(frame) and frame.made is None
    image = frame.image
    assert frame.image is image is frame.made and image.shape == (40, 60, 3)
    np.testing.assert_array_equal(image, nv12().bgr())


def test_a_frame_of_an_image_is_detected_in_it() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    assert Frame(image, "a", 0, 0.0).picture is image
    with pytest.raises(UsageError, match="without a picture"):
        Frame(None, "a", 0, 0.0)


def test_a_frame_that_is_given_another_image_is_detected_in_that() -> None:
    frame, image = Frame(None, "a", 0, 0.0, pixels=nv12()), np.zeros((20, 30, 3), np.uint8)
    frame.image = image
    assert frame.picture is image and frame.image_wh == (30, 20)


@pytest.mark.parametrize(("shape", "used"), [((40, 60, 3), True), ((40, 61, 3), False)])
def test_a_frame_makes_its_image_in_what_is_lent(shape: Any, used: bool) -> None:
    spare, frame = np.zeros(shape, np.uint8), Frame(None, "a", 0, 0.0, pixels=nv12())
    frame.lend(spare)
    assert frame.made is spare
    assert (frame.image is spare) == used and frame.image.shape == (40, 60, 3)


def test_frames_travel_between_processes() -> None:
    image = np.full((40, 60, 3), 7, np.uint8)
    for frame in (Frame(image, "a", 3, 0.5, "a.png"), Frame(None, "a", 3, 0.5, pixels=nv12())):
        for twin in (pickle.loads(pickle.dumps(frame)), copy.deepcopy(frame), copy.copy(frame)):
            assert (twin.source, twin.index, twin.timestamp_s, twin.path) == ("a", 3, 0.5, frame.path)
            np.testing.assert_array_equal(twin.image, frame.image)


def test_threads_that_ask_for_an_image_get_the_same() -> None:
    for _ in range(20):
        frame = Frame(None, "a", 0, 0.0, pixels=nv12(640, 480))
        with ThreadPoolExecutor(4) as pool:
            images = list(pool.map(lambda each: each.image, [frame] * 4))
        assert len({id(image) for image in images}) == 1
