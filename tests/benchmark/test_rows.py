"""Rows and results: medians over what is sound, files that are read back, comparisons that know the spread."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from benchmark.test_validity import GOOD, energy

from edge_runtime.benchmark import results, rows
from edge_runtime.benchmark.rows import Case
from edge_runtime.energy.efficiency import Conditions
from edge_runtime.errors import UsageError
from edge_runtime.jetson.nvpmodel import Mode
from edge_runtime.power import Total

CASE = Case("engines/nano.plan", "15W", 1, 2)
CONDITIONS = Conditions(Mode(2, "MODE_15W"), True, idle_w=4.0)


def row(*fps: float, conditions: Conditions = CONDITIONS, **changes: object) -> dict:
    windows = [replace(GOOD, fps=rate, **changes) for rate in fps]
    about = {"board": "B", "accuracy": {"metric": "voc07_11pt", "value": 0.37}}
    return rows.assemble(CASE, about, conditions, Total(("VDD_IN",), "module_input"), windows, 61.0, 30.0)


def test_a_row_is_the_median_of_its_sound_windows():
    found = row(50.0, 52.0, 51.0)
    assert found["valid"] and (found["fps"], found["fps_low"], found["fps_high"]) == (51.0, 50.0, 52.0)
    assert (found["engine"], found["mode"], found["batch"], found["streams"]) == ("nano.plan", "15W", 1, 2)
    assert found["fps_per_watt"] == 5.1 and found["fps_per_watt_nominal"] == 3.4 and found["fps_engine"] == 61.0
    assert found["fps_per_watt_above_idle"] == 8.5 and found["joules_per_frame"] == pytest.approx(0.19608, abs=1e-5)
    assert found["clocks"]["gpu_mhz"] == 918.0 and found["temperatures_c"] == {"cpu": 55.0, "gpu": 60.0}
    assert len(found["trace"]) == 90 and found["trace"][0] == {"hottest_c": 60.0, "gpu_mhz": 918.0}


def test_what_is_not_sound_is_left_out_with_its_reason():
    windows = [replace(GOOD, fps=50.0), replace(GOOD, fps=10.0, others=0.5), replace(GOOD, fps=52.0)]
    found = rows.assemble(CASE, {}, CONDITIONS, None, windows, None, 30.0)
    assert found["valid"] and found["fps"] == 51.0 and found["windows_sound"] == 2
    assert found["reasons"] == ["other processes used 50% of the cores"]
    assert [window["faults"] for window in found["windows"]] == [[], found["reasons"], []]
    assert not rows.assemble(CASE, {}, CONDITIONS, None, windows[1:], None, 30.0)["valid"], "one window is not enough"
    assert rows.assemble(CASE, {}, CONDITIONS, None, windows[:1], None, 30.0)["valid"], "unless no more was asked for"


def test_caps_that_did_not_take_are_never_published():
    found = row(50.0, 50.0, conditions=replace(CONDITIONS, caps_verified=False))
    assert not found["valid"] and found["reasons"][0] == "the caps of MODE_15W could not be verified"


def test_what_speaks_against_a_row():
    found = rows.assemble(CASE, {}, CONDITIONS, None, [GOOD] * 3, None, 30.0, ["the GPU was 40 % busy"])
    assert not found["valid"] and found["reasons"] == ["the GPU was 40 % busy"]
    refused = rows.refused(CASE, {"board": "B"}, "MODE_10W needs a reboot")
    assert not refused["valid"] and refused["reasons"] == ["MODE_10W needs a reboot"]


def test_files_are_read_back_and_merged(tmp_path):
    first, second = row(50.0, 52.0), {**row(70.0, 71.0), "mode": "30W"}
    path = tmp_path / "a.json"
    path.write_text(results.to_json([first, second], "edge-bench …"), encoding="utf-8")
    assert results.read_rows(path) == json.loads(json.dumps([first, second]))
    again = {**first, "fps": 55.0}
    assert [r["fps"] for r in results.merge_rows([[first, second], [again]])] == [55.0, 70.5]
    lines = list(csv.DictReader(io.StringIO(results.to_csv([first, rows.refused(CASE, {}, "a reason")]))))
    assert (
        lines[0]["VDD_IN_w"] == "10.0" and lines[0]["accuracy_value"] == "0.37" and lines[0]["latency_p50_ms"] == "20.0"
    )
    assert lines[1]["valid"] == "False" and lines[1]["reasons"] == "a reason" and lines[1]["fps"] == ""


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99, "rows": []}', '{"format": 1}'])
def test_what_is_no_result(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError):
        results.read_rows(path)


def test_a_comparison_knows_the_spread():
    before, after = row(50.0, 52.0), row(51.0, 53.0)
    ((_, changes),), left_out = results.compare_rows([before], [after])
    fps = next(change for change in changes if change.name == "fps")
    assert fps.ratio == pytest.approx(52 / 51) and fps.beyond_spread is False and left_out == []
    ((_, changes),), _ = results.compare_rows([before], [row(60.0, 61.0, energy=energy(20.0))])
    found = {change.name: change for change in changes}
    assert found["fps"].beyond_spread is True and found["mean_w"].ratio == 2.0
    assert found["accuracy"].ratio == 0.0 and set(found) == set(results.COMPARED)


def test_a_comparison_leaves_out_what_is_not_valid_or_not_in_both():
    good, bad = row(50.0, 52.0), row(50.0, others=0.5)
    other = {**good, "mode": "30W"}
    found, left_out = results.compare_rows([good, other], [bad])
    assert found == [] and left_out == [
        "nano.plan, 15W, streams 2: not valid in the second: other processes used 50% of the cores",
        "nano.plan, 30W, streams 2: only in the first"]  # fmt: skip
    assert results.compare_rows([], [good])[1] == ["nano.plan, 15W, streams 2: only in the second"]
