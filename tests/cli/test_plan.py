"""edge-plan on result files: the plan, the refusal with its way out, and what is no budget."""

from __future__ import annotations

import json

import pytest
from planning.test_search import FOUR, row

from edge_runtime.benchmark import results
from edge_runtime.cli import plan


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(
        results.to_json([*FOUR, {**row("bad.plan"), "valid": False, "reasons": ["throttled"]}], "edge-bench"),
        encoding="utf-8",
    )
    return str(path)


def test_a_plan(file, capsys):
    assert plan.main([file, "--energy", "100Wh", "--time", "12h", "--ap", "0.3", "--fps", "10", "--cameras", "2"]) == 0
    said = capsys.readouterr().out
    assert "plan: a.plan, 15W, on B, 10 FPS for each of 2 cameras, without a motion gate" in said
    assert "of 8.33 W; 100 Wh last 14.3 h (" in said and "20 are needed of 40.00" in said and "50% busy" in said
    assert "extrapolated: watts at 20 FPS: on the line" in said and "the carrier board" in said
    assert "AP: 0.350 (0.331 to 0.369), at least 0.3 is wanted" in said and "bad.plan" not in said


def test_the_same_as_json(file, capsys):
    assert plan.main([file, "--watts", "8W", "--fps", "10", "--gate", "0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    best = found["options"][0]
    assert best["engine"] == "a.plan" and best["gate"] is None and best["watts"]["low"] < 5.5 < best["watts"]["high"]
    assert {option["gate"] for option in found["options"]} == {None, 0.5} and found["left_out"] == []


def test_a_refusal_says_the_nearest_miss_and_a_way_out(file, capsys):
    assert plan.main([file, "--energy", "10Wh", "--time", "2h", "--ap", "0.3", "--fps", "10"]) == 1
    said = capsys.readouterr().err
    assert "nothing meets the budget; the nearest is a.plan, 15W, on B: 5.50 (" in said and "at most 5 are" in said
    assert "hint: --fps 6.66 or --gate 0.62" in said and "or --time 1.81h" in said
    assert plan.main([file, "--energy", "10Wh", "--time", "1.81h", "--ap", "0.3", "--fps", "10"]) == 0
    assert plan.main([file, "--energy", "10Wh", "--watts", "5", "--ap", "0.3", "--fps", "10"]) == 1
    assert "--time" not in capsys.readouterr().err, "it may not stand beside --watts"


def test_an_ap_that_nothing_has(file, capsys):
    assert plan.main([file, "--ap", "0.6"]) == 1
    said = capsys.readouterr().err
    assert "0.350 (0.331 to 0.369) AP where at least 0.6 are wanted" in said and "hint: --ap 0.35\n" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no budget is given"),
        (["--time", "12h"], "--time without --energy"),
        (["--energy", "74Wh", "--time", "12h", "--watts", "8"], "both limit the watts"),
    ],
)
def test_what_is_no_budget(file, capsys, words, said):
    assert plan.main([file, *words]) == 1 and said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--energy", "74"], ["--energy", "0Wh"], ["--energy", "12h"], ["--time", "1e400h"]])
def test_quantities_need_their_unit(file, capsys, words):
    with pytest.raises(SystemExit) as ended:
        plan.main([file, *words])
    assert ended.value.code == 2 and "is not a quantity like" in capsys.readouterr().err


def test_results_that_say_nothing(tmp_path, capsys):
    path = tmp_path / "bench.json"
    path.write_text(
        results.to_json([{**row(), "valid": False, "reasons": ["throttled"]}], "edge-bench"), encoding="utf-8"
    )
    assert plan.main([str(path), "--fps", "1"]) == 1 and "no valid row" in capsys.readouterr().err
    path.write_text("[]", encoding="utf-8")
    assert plan.main([str(path), "--fps", "1"]) == 1 and "hint: " in capsys.readouterr().err
