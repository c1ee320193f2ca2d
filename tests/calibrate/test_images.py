"""Image sets: what is held out, and manifests that mean the very same pictures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sinks.results import small_disk

from edge_runtime.calibrate import diverse, images, survey
from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError, SourceError, UsageError
from edge_runtime.types import Frame, Truth


def data(count: int) -> Dataset:
    return Dataset("some", tuple(f"{number:05}.jpg" for number in range(count)), (), ())


@given(count=st.integers(2, 1500), most=st.integers(1, 600))
def test_nothing_is_in_both_parts(count, most):
    found = images.divide(data(count), most, hold_out=True)
    kept, held = set(found.paths), set(found.held_out.paths)
    assert not kept & held and kept | held <= set(data(count).paths)
    assert len(kept) <= most and list(found.paths) == sorted(found.paths)


@pytest.mark.parametrize(
    ("count", "most", "kept", "held"),
    [(128, 512, 103, 25), (1000, 512, 512, 102), (10, 512, 8, 2), (4, 512, 3, 1), (1, 512, 1, 0)],
)
def test_how_many(count, most, kept, held):
    found = images.divide(data(count), most, hold_out=True)
    assert (len(found.paths), len(found.held_out.paths)) == (kept, held)
    assert bool(found.notes) == (count < images.FEW)


@pytest.mark.parametrize(
    ("count", "kept", "held"), [(100, 64, 36), (60, 48, 12), (36, 29, 7), (500, 400, 100), (160, 64, 96), (1, 1, 0)]
)
def test_labels_are_kept_for_the_check(count, kept, held):
    """Few labelled pictures say more about the loss than about the ranges."""
    empty = Truth(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool))
    found = images.divide(replace(data(count), truths=(empty,) * count), 512, hold_out=True)
    assert (len(found.paths), len(found.held_out.paths)) == (kept, held)
    assert len(found.held_out.truths) == held


@pytest.mark.parametrize(("count", "most"), [(10_000, 512), (900, 512), (400, 512), (60, 512)])
@pytest.mark.parametrize("hold_out", [True, False])
def test_both_parts_come_from_all_over_the_order(count, most, hold_out):
    """The order is often that of time or of folders: each tenth of it gives its share to both parts."""
    found = images.divide(data(count), most, hold_out)
    for part in (found.paths, found.held_out.paths) if hold_out else (found.paths,):
        numbers = np.array([int(Path(path).stem) for path in part])
        shares = np.histogram(numbers, 10, (0, count))[0]
        assert shares.max() - shares.min() <= 2 + 0.1 * shares.mean()


def test_cameras_that_take_turns_are_all_held_out():
    """Every fifth picture would always be of the same one of five cameras."""
    held = images.divide(data(400), 512, True).held_out.paths
    cameras = np.bincount([int(Path(path).stem) % 5 for path in held], minlength=5)
    assert (cameras > 0).all()
    assert images.divide(data(400), 512, True).held_out.paths == held, "the same in each run"


def test_pictures_named_one_by_one(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).touch()
    named = [str(tmp_path / "b.jpg"), str(tmp_path / "a.PNG")]
    assert images.picture_set(named).paths == tuple(named), "in the order they were named"
    for wrong in ("notes.txt", "none.jpg", "."):
        with pytest.raises(DatasetError, match="is not a picture"):
            images.picture_set([*named, str(tmp_path / wrong)])


def test_without_a_verdict_all_are_used():
    found = images.divide(data(128), 512, hold_out=False)
    assert len(found.paths) == 128 and not found.held_out.paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), generator.integers(0, 255, (40, 60, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture", encoding="utf-8")
    return tmp_path


def test_a_folder(folder):
    found = images.read_image_set(str(folder))
    assert len(found.paths) == 5 and not found.truths
    with pytest.raises(DatasetError, match="no pictures in"):
        images.read_image_set(str((folder / "empty").mkdir() or folder / "empty"))


def test_labelled_data(shared):
    found = images.read_image_set(str(shared / "data/voc2007"), split="calib")
    part = images.divide(found, 512, hold_out=True)
    assert len(part.held_out.paths) == len(part.held_out.truths) == 36 and part.held_out.labels


def test_manifests_come_back(folder, tmp_path_factory):
    paths = images.read_image_set(str(folder)).paths
    manifest = tmp_path_factory.mktemp("m") / "set.toml"
    images.write_manifest(manifest, paths, str(folder), "Five of them.")
    assert [Path(path).resolve() for path in images.read_image_set(str(manifest)).paths] == [
        Path(p).resolve() for p in paths
    ]
    moved = tmp_path_factory.mktemp("moved")
    for path in paths:
        (moved / Path(path).name).write_bytes(Path(path).read_bytes())
    assert len(images.read_image_set(str(manifest), str(moved)).paths) == 5
    (moved / "3.png").write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"3\.png is not the picture that the manifest lists"):
        images.read_image_set(str(manifest), str(moved))
    (moved / "3.png").unlink()
    with pytest.raises(DatasetError, match=r"3\.png is missing"):
        images.read_image_set(str(manifest), str(moved))


@pytest.mark.parametrize("text", ["", "folder = 3", "[sha256", 'folder = "."\nsha256 = "no table"'])
def test_damaged_manifests(tmp_path, text):
    (tmp_path / "set.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="is not an image manifest"):
        images.read_image_set(str(tmp_path / "set.toml"))


class Clip:
    """Twelve frames: three scenes of four nearly equal ones."""

    name, live, frame_count = "clip", False, 12

    def __init__(self, frames: int = 12) -> None:
        generator = np.random.default_rng(1)
        scenes = generator.integers(0, 250, (3, 48, 64, 3), np.uint8)
        self._frames = [scenes[number // 4] + np.uint8(number % 4) for number in range(frames)]
        self._next = 0

    def read(self, buffer=None):
        if self._next == len(self._frames):
            return None
        self._next += 1
        return Frame(self._frames[self._next - 1], self.name, self._next - 1, 0.0)


def test_picked_frames_lie_far_apart(tmp_path):
    """Of three scenes, one frame each, although they come one after the other."""
    ticks = []
    paths = diverse.pick(Clip(), 3, tmp_path / "set", None, lambda: ticks.append(None))
    scenes = [int(Path(path).stem) // 4 for path in paths]
    assert scenes == [0, 1, 2] and len(ticks) == 12
    assert cv2.imread(paths[0]).shape == (48, 64, 3)


def test_picking_stops_and_fails_in_words(tmp_path):
    assert len(diverse.pick(Clip(), 8, tmp_path / "a", 5)) == 5
    with pytest.raises(SourceError, match="clip gave no frame"):
        diverse.pick(Clip(0), 8, tmp_path / "b", None)


class Broken(Clip):
    """Breaks after its ninth frame."""

    def read(self, buffer=None):
        if self._next == 9:
            raise SourceError("clip: the connection is gone", hint="check it")
        return super().read(buffer)


def test_a_stream_that_breaks_keeps_what_was_picked(tmp_path):
    said = []
    paths = diverse.pick(Broken(), 4, tmp_path / "set", None, say=said.append)
    assert len(paths) == 4 and said == ["note: clip: the connection is gone: the frames before that are kept"]


def test_pictures_of_an_earlier_run_are_not_used(tmp_path):
    first = diverse.pick(Clip(), 6, tmp_path / "set", None)
    second = diverse.pick(Clip(), 2, tmp_path / "set", None)
    assert len(first) == 6 and sorted(map(str, (tmp_path / "set").iterdir())) == second
    with pytest.raises(SourceError, match="clip gave no frame"):
        diverse.pick(Clip(0), 2, tmp_path / "set", None)
    assert sorted(map(str, (tmp_path / "set").iterdir())) == second, "a run that fails leaves them"


def test_a_disk_that_is_full_while_pictures_are_saved(tmp_path):
    generator = small_disk(tmp_path / "disk", "64k")
    disk = next(generator)
    (disk / "set").mkdir()
    with pytest.raises(UsageError, match=r"\.png cannot be written: No space left"):
        diverse.pick(Noise(), 12, disk / "set", None)
    assert os.listdir(disk) == ["set"] and not os.listdir(disk / "set")
    next(generator, None)


class Noise(Clip):
    """What PNG cannot make small."""

    def __init__(self) -> None:
        super().__init__()
        self._frames = list(np.random.default_rng(1).integers(0, 255, (12, 96, 128, 3), np.uint8))


def test_survey(folder):
    cv2.imwrite(str(folder / "dark.png"), np.full((40, 60, 3), 5, np.uint8))
    cv2.imwrite(str(folder / "copy.png"), cv2.imread(str(folder / "0.png")))
    (folder / "broken.jpg").write_bytes(b"nothing")
    found = survey.survey(images.read_image_set(str(folder)).paths, data(0))
    assert found.count == 7 and found.sizes == (((60, 40), 7),)
    names = [[Path(path).name for path in group] for group in (found.dark, found.blurred, found.unreadable)]
    assert names == [["dark.png"], ["dark.png"], ["broken.jpg"]]
    assert {Path(path).name for pair in found.alike for path in pair} == {"0.png", "copy.png"}
    assert len(found.warnings) == 3 and "only 7 images" in found.warnings[0]
    assert found.summary()["images"] == 7


@pytest.mark.parametrize("shape", [(1, 4000, 3), (4000, 1, 3), (1, 1, 3), (3, 700, 3)])
def test_survey_of_thin_pictures(shape, tmp_path):
    cv2.imwrite(str(tmp_path / "thin.png"), np.full(shape, 90, np.uint8))
    found = survey.survey([str(tmp_path / "thin.png")], data(0))
    assert found.count == 1 and found.sizes == (((shape[1], shape[0]), 1),) and not found.unreadable


def test_survey_counts_classes(shared):
    some = images.divide(
        images.read_image_set(str(shared / "data/voc2007"), split="calib"), 512, hold_out=True
    ).held_out
    found = survey.survey(some.paths[:3], some)
    assert sum(found.classes.values()) == sum(len(truth.class_id) for truth in some.truths)
