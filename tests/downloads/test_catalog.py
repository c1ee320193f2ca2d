"""The entries: each says what the shared files, the licences and the measured figures say; and how a file is known."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Dict, List

import pytest

from edge_runtime.backends import onnxruntime
from edge_runtime.cli import _flags
from edge_runtime.detect.understand import describe
from edge_runtime.downloads import catalog, listed
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.model.recipe import ModelFlags
from tests.tiny import boxes_v8, write_onnx

ROOT = Path(__file__).resolve().parents[2]
NAMES = listed.names()
GOOD = (listed.ENTRIES / "yolox_nano.toml").read_text(encoding="utf-8")


def table(path: Path) -> List[Dict[str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


@pytest.fixture
def index(shared: Path) -> Dict[str, Dict[str, str]]:
    """The row of the shared index for each entry, by the SHA-256 of the file itself."""
    rows = {}
    for row in table(shared / "models" / "INDEX.tsv"):
        rows[hashlib.sha256((shared / "models" / row["file"]).read_bytes()).hexdigest()] = row
    return {name: rows[catalog.load_entry(name).sha256] for name in NAMES}


def test_there_are_entries_and_each_is_whole() -> None:
    assert "yolox_nano" in NAMES and len(NAMES) >= 4
    for name in NAMES:
        entry = catalog.load_entry(name)
        assert entry.file_name == f"{name}.onnx" and re.fullmatch("[a-z0-9_]+", name)
        assert entry.recipe.family and entry.recipe.labels and entry.recipe.imgsz
        assert {"resize", "color", "mean", "std"} <= entry.recipe.said().keys(), "nothing is left to be assumed"
        assert ("missing" in entry.measured) != ("coco_101" in entry.measured)


@pytest.mark.parametrize("name", NAMES)
def test_addresses_are_pinned(name: str) -> None:
    first, *others = catalog.load_entry(name).addresses
    assert re.match(r"https://raw\.githubusercontent\.com/[\w-]+/[\w.-]+/[0-9a-f]{40}/", first)
    for other in others:
        assert re.fullmatch(r"https://api\.github\.com/repos/[\w-]+/[\w.-]+/git/blobs/[0-9a-f]{40}", other)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_names_a_file_as_it_was_found(name: str, index: Dict[str, Dict[str, str]], shared: Path) -> None:
    """It is a Git object of its own, so it is no pointer of Git LFS, and its number is that of the second address."""
    entry, row = catalog.load_entry(name), index[name]
    content = (shared / "models" / row["file"]).read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert row["note"].startswith("as found") and blob == row["source_blob"]
    assert entry.size_bytes == len(content) and entry.licence == row["licence_of_repo"]
    repo = row["source_repo"]
    assert list(entry.addresses) == [
        f"https://raw.githubusercontent.com/{repo}/{row['source_head_commit']}/{row['source_path']}",
        f"https://api.github.com/repos/{repo}/git/blobs/{blob}",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_what_the_reference_was_measured_with(
    name: str, index: Dict[str, Dict[str, str]], shared: Path
) -> None:
    known = {row["file"]: row["flags"] for row in table(shared / "models" / "AP.tsv")}
    flags = known.get(index[name]["file"])
    if flags is None:
        assert name == "ultraface_rfb_320"
        return
    parser = argparse.ArgumentParser()
    _flags.add_model_flags(parser)
    said = _flags.model_flags(parser.parse_args(shlex.split(flags)))
    assert replace(catalog.load_entry(name).recipe, imgsz=None) == said


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_the_one_in_the_reference(name: str, index: Dict[str, Dict[str, str]]) -> None:
    reference = json.loads((ROOT / "tools/reference/accuracy.json").read_text(encoding="utf-8"))
    (section,) = reference["sections"].values()
    rows = {row["file"]: row for row in section["rows"] if row["backend"].startswith("onnxruntime")}
    row, measured = rows.get(index[name]["file"]), catalog.load_entry(name).measured
    if row is None:
        assert "missing" in measured
    else:
        assert (measured["coco_101"], measured["AP50"]) == (round(row["ap"], 4), round(row["ap50"], 4))
        assert (ROOT / measured["script"]).is_file()


def test_an_unknown_name_has_the_nearest() -> None:
    with pytest.raises(UsageError, match="no 'yolox_nan'") as caught:
        catalog.load_entry("yolox_nan")
    assert str(caught.value.hint).startswith("did you mean 'yolox_nano'? there is: ")
    for name in ("../recipe", "", "a/b", "*"):
        with pytest.raises(UsageError):
            catalog.load_entry(name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://raw", "http://raw"),
        ("https://raw", "file://raw"),
        ('licence = "Apache-2.0"', 'licence = "AGPL-3.0"'),
        ('sha256 = "fd', 'sha256 = "FD'),
        ("size_bytes = ", "size_bytes = -"),
        ("coco_101 = 0", "coco_101 = 1"),
        ("size_bytes", "bytes"),
        ("[download]", "[downloads]"),
        ("[measured]", "[figures]"),
        ("title = ", "# title = "),
        ('family = "yolox"', "family = 3"),
        ("sha256 = ", "sha256 = 7 # "),
        ("= [", "= [["),
    ],
)
def test_a_broken_entry_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    path = tmp_path / "x.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert catalog.read_entry(path).name == "x"
    other = tmp_path / "y.toml"
    other.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(EdgeError) as caught:
        catalog.read_entry(other)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(None, "home/.local/share"), ("", "home/.local/share"), ("relative", "home/.local/share"), ("/data", "/data")],
)
def test_the_folder_is_where_xdg_says(
    stated: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if stated is not None:
        monkeypatch.setenv("XDG_DATA_HOME", stated)
    assert catalog.folder() == tmp_path / expected / "edge-runtime" / "models"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A detector without metadata, and an entry for it that says other things than would be assumed."""
    path = tmp_path / "any name.onnx"
    write_onnx(path, {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    content = path.read_bytes()
    entries = tmp_path / "entries"
    entries.mkdir()
    text = re.sub(r'sha256 = "\w+"', f'sha256 = "{hashlib.sha256(content).hexdigest()}"', GOOD)
    text = re.sub(r"size_bytes = \d+", f"size_bytes = {len(content)}", text)
    text = text.replace('"yolox"', '"yolo_v8"').replace('"coco"', '["a", "b", "c"]').replace("416", "64")
    (entries / "tiny_zoo.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(listed, "ENTRIES", entries)
    return path


def test_a_file_is_known_by_its_content(tiny: Path, tmp_path: Path) -> None:
    found = catalog.identify(str(tiny))
    assert found is not None and found.name == "tiny_zoo"
    content = bytearray(tiny.read_bytes())
    content[-1] ^= 1
    (tmp_path / "flipped.onnx").write_bytes(content)
    (tmp_path / "longer.onnx").write_bytes(tiny.read_bytes() + b"\0")
    for other in ("flipped.onnx", "longer.onnx", "missing.onnx", ".", "nul\0"):
        assert catalog.identify(str(tmp_path / other)) is None


def test_a_known_file_is_read_by_its_recipe_and_says_so(tiny: Path, tmp_path: Path) -> None:
    model = describe(str(tiny), onnxruntime.read_io, ModelFlags())
    assert model.certain and (model.spec.color, model.spec.std, model.spec.labels) == (
        "bgr",
        (1, 1, 1),
        ("a", "b", "c"),
    )
    assert model.notes == ("by its SHA-256 this is tiny_zoo of edge-zoo, whose recipe is used",)
    stated = describe(str(tiny), onnxruntime.read_io, ModelFlags(color="rgb", labels="x,y,z"))
    assert (stated.spec.color, stated.spec.std, stated.spec.labels) == ("rgb", (1, 1, 1), ("x", "y", "z"))
    content = bytearray(tiny.read_bytes())
    other = tmp_path / "other.onnx"
    other.write_bytes(bytes(content).replace(b"tiny", b"TINY"))
    assert describe(str(other), onnxruntime.read_io, ModelFlags()).spec.color == "rgb"


@pytest.mark.parametrize("name", NAMES)
def test_each_real_file_is_read_without_a_flag(
    name: str, index: Dict[str, Dict[str, str]], shared: Path, tmp_path: Path
) -> None:
    path = tmp_path / "renamed.onnx"
    shutil.copy(shared / "models" / index[name]["file"], path)
    model = describe(str(path), onnxruntime.read_io, ModelFlags())
    assert model.certain and len(model.notes) == 1 and name in model.notes[0]
    assert model.spec.family == catalog.load_entry(name).recipe.family
    assert model.spec.input_wh == catalog.load_entry(name).recipe.imgsz


def test_an_entry_that_is_missing_is_a_broken_installation(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not there"):
        catalog.read_entry(tmp_path / "gone.toml")
