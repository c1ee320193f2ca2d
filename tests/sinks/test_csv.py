"""CSV: rows, quotes, and text that no spreadsheet computes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError
from edge_runtime.sinks import SinkOptions
from edge_runtime.types import Detections
from edge_runtime.types.places import LineState, PlaceStates, ZoneState
from tests.sinks.results import result


def rows(path: Path) -> List[Dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_row_per_box(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.csv"))
    sink.write(result(7, path="photos/bus.jpg"))
    sink.close()
    first, second = rows(tmp_path / "out.csv")
    assert first == {
        "source": "cam", "path": "photos/bus.jpg", "frame": "7", "timestamp_s": "0.28", "width": "64", "height": "48",
        "class_id": "0", "label": "person", "confidence": "0.9", "x1": "4.0", "y1": "20.0", "x2": "40.0", "y2": "44.0",
    }  # fmt: skip
    assert (second["label"], second["x2"]) == ("cat", "60.0")


def test_ids_are_a_column(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.csv"))
    tracked = result(7)
    tracked.detections.tracker_id = np.array([3, -1], np.int32)
    sink.write(tracked)
    sink.close()
    first, second = rows(tmp_path / "out.csv")
    assert list(first)[-5:] == ["tracker_id", "crossed", "zones", "dwell_s", "lines"]
    assert (first["zones"], first["dwell_s"], first["lines"]) == ("", "", "") and (
        first["tracker_id"],
        second["tracker_id"],
    ) == ("3", "")


def test_lines_and_zones_of_each_object(tmp_path: Path) -> None:
    found = result(7)
    found.detections.tracker_id = np.array([3, 4], np.int32)
    square = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))
    found.places = PlaceStates(
        (LineState("gate", square[:2], 3, 1, ((3, "in"),)), LineState("=door", square[:2], 0, 2)),
        (ZoneState("yard", square, ((3, 2.5), (4, 0.125))), ZoneState("ramp", square, ((4, 1.0),))),
    )
    sink = sinks.open(str(tmp_path / "out.csv"))
    sink.write(found)
    sink.close()
    first, second = rows(tmp_path / "out.csv")
    names = ("crossed", "zones", "dwell_s", "lines")
    counts = "gate 3 in 1 out; =door 0 in 2 out"
    assert [first[name] for name in names] == ["gate in", "yard", "2.5", counts]
    assert [second[name] for name in names] == ["", "yard; ramp", "0.125; 1.0", counts]


def test_the_columns_stay_the_same(tmp_path: Path) -> None:
    """Of two sources, one may have ids."""
    tracked = result(7)
    tracked.detections.tracker_id = np.array([3, -1], np.int32)
    for ids in (True, False):
        sink = sinks.open(str(tmp_path / "out.csv"), SinkOptions(ids=ids))
        sink.write(result(1))
        sink.write(tracked)
        sink.close()
        found = rows(tmp_path / "out.csv")
        assert [row.get("tracker_id") for row in found] == (["", "", "3", ""] if ids else [None] * 4)
        assert all(None not in row for row in found), "no row is longer than the header"


def test_text_is_quoted_and_numbers_are_not(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.csv"))
    sink.write(result(1, source="0"))
    sink.close()
    assert (
        (tmp_path / "out.csv")
        .read_text(encoding="utf-8")
        .splitlines()[1]
        .startswith('"0","",1,0.04,64,48,0,"person",0.9,4.0,')
    )


def test_frames_without_boxes_have_no_row(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.csv"))
    for number in range(3):
        item = result(number)
        if number != 1:
            item.detections = Detections.from_rows(np.empty((0, 6), np.float32))
        sink.write(item)
    sink.close()
    assert [row["frame"] for row in rows(tmp_path / "out.csv")] == ["1", "1"]
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith('"source","path","frame"')


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "\t=1", "\r=1", "a\nb", 'say "x", y']
)
@pytest.mark.parametrize("place", ["label", "source", "path"])
def test_no_cell_is_a_formula_or_breaks_a_row(tmp_path: Path, text: str, place: str) -> None:
    item = result(0)
    if place == "label":
        item.detections.labels = (text, text)
    else:
        setattr(item.frame, place, text)
    sink = sinks.open(str(tmp_path / "out.csv"))
    sink.write(item)
    sink.close()
    first, _ = rows(tmp_path / "out.csv")
    assert not first[place].startswith(tuple("=+-@\t\r\n")) and first["class_id"] == "0"
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_an_earlier_file_stays_until_the_first_result(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("earlier", encoding="utf-8")
    sink = sinks.open(str(path))
    assert path.read_text(encoding="utf-8") == "earlier"
    sink.write(result(0))
    assert len(rows(path)) == 2, "each frame is there at once"
    sink.close()


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "full.csv").symlink_to("/dev/full")
    sink = sinks.open(str(tmp_path / "full.csv"))
    with pytest.raises(SinkError, match="No space left"):
        sink.write(result(0))
    sink.close()
