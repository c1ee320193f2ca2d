"""Range tables: what is written is read, what cannot be used is refused by the tensor's name."""

from __future__ import annotations

import json

import pytest

from edge_runtime.calibrate.ranges.table import Origin, RangeTable, legacy_number
from edge_runtime.errors import ModelError, UsageError

ORIGIN = Origin("m", "i", "p", "entropy")


def table(**ranges):
    return RangeTable(ORIGIN, ranges, {"images": 3})


def test_round_trip(tmp_path):
    made = table(a=(-1.5, 0.1), b=(0.0, 1e-9))
    assert RangeTable.from_json(made.to_json()) == made
    (tmp_path / "x.ranges.json").write_text(made.to_json(), encoding="utf-8")
    assert RangeTable.load(tmp_path / "x.ranges.json") == made


@pytest.mark.parametrize(
    "bad", [(float("nan"), 1.0), (0.0, float("inf")), (0.0, 0.0), (0.5, 1.0), (-2.0, -1.0), (1.0, -1.0)]
)
def test_useless_ranges_are_refused_by_name(bad):
    with pytest.raises(ModelError, match="the range of conv7"):
        table(fine=(0.0, 1.0), conv7=bad)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99, "origin": {}, "ranges": {}}'])
def test_what_is_not_a_table(text, tmp_path):
    with pytest.raises(ModelError) as failure:
        RangeTable.from_json(text)
    assert failure.value.hint
    with pytest.raises(ModelError, match="cannot be read"):
        RangeTable.load(tmp_path / "nowhere.json")


def test_the_file_is_plain(tmp_path):
    content = json.loads(table(a=(0.0, 1.0)).to_json())
    assert content["ranges"] == {"a": [0.0, 1.0]} and content["origin"]["method"] == "entropy"


def test_what_stays_in_float_and_was_kept_comes_back():
    made = RangeTable(Origin("m", "i", "p", "auto", ("conv1",)), {"a": (-1.0, 2.0), "b": (0.0, 1.0)}, {}, ("b",))
    assert RangeTable.from_json(made.to_json()) == RangeTable.from_json(made.to_json(1)) == made
    assert "\n" not in made.to_json() and made.to_json(1).count("\n") > 10


def test_the_legacy_cache_holds_big_endian_scales():
    made = RangeTable(Origin("m", "i", "p", "mse"), {"data": (0.0, 1.0), "b": (-4.0, 1.0)}, {}, ("b",))
    assert made.legacy_cache() == "TRT-8502-EntropyCalibration2\ndata: 3c010204\n"
    assert made.legacy_cache("10.3.0") == "TRT-100300-EntropyCalibration2\ndata: 3c010204\n"


@pytest.mark.parametrize(
    ("version", "number"),
    [("8.5.2", 8502), ("8.5.10", 8510), ("8.0.1.6", 8001), ("7.2.2", 7202), ("8.6.2.3", 8602), ("10.3.0.26", 100300),
     ("10.13.3.9", 101303), ("10.7", 100700), ("10.16.1.11.post1", 101601)],
)  # fmt: skip
def test_versions_as_each_tensorrt_writes_its_own(version, number):
    assert legacy_number(version) == number


@pytest.mark.parametrize("version", ["", "10", "ten", "8.5.2-1", "11.0.0", "11.4.0.106"])
def test_versions_that_read_no_cache_are_refused(version):
    with pytest.raises(UsageError) as caught:
        legacy_number(version)
    assert caught.value.hint


@pytest.mark.parametrize(
    "ends", [[0, 1e30], [-1e-30, 1e-30], [0, 1e-13], [-1e13, 0], ["0", 1], [0], [0, 1, 2], None, 3]
)
def test_ranges_that_no_network_has_are_not_used(ends, tmp_path):
    origin = {"model": "a", "images": "b", "preprocessing": "c", "method": "mse", "keep": []}
    content = {"format": 2, "origin": origin, "about": {}, "free": [], "ranges": {"good": [-1, 2], "edited": ends}}
    (tmp_path / "t.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError, match=r"t\.json: range table: .*edited") as caught:
        RangeTable.load(tmp_path / "t.json")
    assert caught.value.hint


def test_a_tiny_end_beside_a_large_one_is_a_range(tmp_path):
    table = RangeTable(Origin("a", "b", "c", "mse"), {"silu": (-1e-30, 6.0)}, {})
    (tmp_path / "t.json").write_text(table.to_json(1), encoding="utf-8")
    assert RangeTable.load(tmp_path / "t.json") == table
