"""Logs: whole rows, columns of the first row, and nothing lost when the disk is full."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edge_runtime.energy.runlog import RunLog, flat
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.power import replay

ROW = {
    "time_s": 1.0,
    "fps": 26.9,
    "total_w": 7.5,
    "rails_w": {"VDD_IN": 7.5, "VDD_SOC": None},
    "latency_ms": {"p50": 30.0},
    "stage_ms": {"inference": {"p50": 20.0, "p99": 21.0}},
    "temperatures_c": {"gpu": 50.0},
    "clocks": {"gpu_mhz": 612.0},
    "gpu_load": 97.0,
    "throttle": {"over_current": 0},
}
COLUMNS = (
    "time_s fps total_w VDD_IN_w VDD_SOC_w latency_p50_ms inference_p50_ms inference_p99_ms gpu_c gpu_mhz gpu_load "
    "throttle_over_current"
).split()


def test_columns_have_units():
    assert list(flat(ROW)) == COLUMNS


def test_a_csv_has_the_columns_of_its_first_row(tmp_path):
    log = RunLog(str(tmp_path / "run.csv"))
    log(ROW)
    log({**ROW, "time_s": 2.0, "temperatures_c": {"gpu": 51.0, "cv0": 40.0}, "clocks": {}})
    rows = list(csv.DictReader((tmp_path / "run.csv").open()))
    assert list(rows[0]) == COLUMNS and rows[1]["gpu_c"] == "51.0" and rows[1]["gpu_mhz"] == ""
    log.close()
    assert replay.open(tmp_path, str(tmp_path / "run.csv")).read_w() == {"VDD_IN": 7.5}


def test_json_lines_have_all(tmp_path):
    log = RunLog(str(tmp_path / "run.jsonl"))
    log(ROW)
    assert json.loads((tmp_path / "run.jsonl").read_text(encoding="utf-8")) == ROW, "each row is written at once"
    log.close()


def test_what_is_no_log(tmp_path):
    with pytest.raises(UsageError, match=r"a log is no 'run\.txt'"):
        RunLog("run.txt")
    with pytest.raises(SinkError, match="cannot be written"):
        RunLog(str(tmp_path / "none" / "run.csv"))


def test_a_full_disk_is_said(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "full.csv").symlink_to("/dev/full")
    log = RunLog(str(tmp_path / "full.csv"))
    with pytest.raises(SinkError, match=r"full\.csv' cannot be written: No space left"):
        log(ROW)
    log.close()


def test_an_earlier_log_stays_until_the_first_row(tmp_path):
    (tmp_path / "run.csv").write_text("earlier", encoding="utf-8")
    log = RunLog(str(tmp_path / "run.csv"))
    assert (tmp_path / "run.csv").read_text(encoding="utf-8") == "earlier"
    log(ROW)
    log.close()
    assert (tmp_path / "run.csv").read_text(encoding="utf-8").startswith("time_s,fps")
