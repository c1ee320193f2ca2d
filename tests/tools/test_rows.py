"""tools/rows.py: the machines fit pyproject.toml, reports are read rightly, differences are found."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Dict

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("machines", "environment", "boxes", "outcome")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Dict[str, ModuleType]:
    """The parts of the tool, with a folder of results of their own."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    parts = {name: importlib.import_module(f"oldlibs.{name}") for name in PARTS}
    monkeypatch.setattr(parts["outcome"], "ROWS", tmp_path)
    return parts


def bounds() -> Dict[str, str]:
    """Lower bounds of pyproject.toml, by package."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return dict(re.findall(r'"(numpy|onnx|rich|onnxruntime|opencv-python-headless|openvino)>=([\d.]+)', text))


def test_lower_bounds_are_what_a_row_is_tested_with(rows: Dict[str, ModuleType]) -> None:
    tested = dict(package.split("==") for package in rows["machines"].BY_NAME["lowest"].system)
    assert set(bounds()) == set(tested)
    for package, version in bounds().items():
        assert f"{tested[package]}.".startswith(f"{version}."), package


def test_no_key_with_a_dot() -> None:
    """Which pip 20.0 cannot read."""
    for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        assert not re.match(r"[\w-]+\.[\w.-]+\s*=", line), line


def test_the_page_of_results_is_of_these_machines(rows: Dict[str, ModuleType]) -> None:
    page = (ROOT / "tools" / "reference" / "rows.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\w+) \|.*\|.*\|.*\|.*\|.*\|.*\|$", page, re.M)[1:] == list(rows["machines"].BY_NAME)
    assert "/.rows/" not in page and str(Path.home()) not in page


REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="good"/><testcase classname="tests.a" name="better"/>
<testcase classname="tests.a" name="bad"><failure message="no">trace</failure></testcase>
<testcase classname="tests.a" name="worse"><error message="no">trace</error></testcase>
<testcase classname="tests.a" name="one"><skipped message="Skipped: no camera here"/></testcase>
<testcase classname="tests.a" name="two"><skipped message="no camera here"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read(rows: Dict[str, ModuleType], tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(REPORT, encoding="utf-8")
    read = rows["outcome"].read_report(tmp_path / "tests.xml")
    assert read == {"passed": 2, "failed": ["tests.a::bad", "tests.a::worse"], "skipped": {"no camera here": 2}}
    assert rows["outcome"].read_report(tmp_path / "none.xml")["failed"] == ["pytest did not run"]


def test_differences(rows: Dict[str, ModuleType]) -> None:
    compare = rows["boxes"].compare
    cat, dog = ("cat", 0.9, [10.0, 10, 50, 50]), ("dog", 0.4, [12.0, 10, 50, 50])
    assert str(compare({"a": [cat, dog]}, {"a": [dog, cat]})) == "0.00 px, 0.0000"
    moved = ("cat", 0.8, [10.0, 10, 50, 53.5])
    found = compare({"a": [cat]}, {"a": [moved]})
    assert found.pixels == 3.5 and found.confidence == pytest.approx(0.1) and not found.alone
    assert compare({"a": [cat, dog]}, {"a": [cat]}).alone == 0.4
    assert compare({"a": []}, {"a": [cat]}).alone == 0.9
    assert compare({}, {"a": [cat]}).alone == 0.9
    assert compare({"a": [cat]}, {"a": [("cat", 0.9, [200.0, 200, 250, 250])]}).alone == 0.9


def test_the_page(rows: Dict[str, ModuleType], tmp_path: Path) -> None:
    outcome = rows["outcome"]
    cat = ["cat", 0.9, [10.0, 10, 50, 50]]
    tests = {"list": "short", "passed": 7, "failed": ["tests.a::bad"], "skipped": {"no camera here": 2}}
    versions, boxes = {"Python": "3.13.0", "cv2": "5.0.0"}, {"edge-detect": {"a.jpg": [cat]}}
    outcome.save("newest", versions=versions, boxes=boxes, log=["$ pip install ."], tests=tests)
    moved = ["cat", 0.9, [11.5, 10, 50, 50]]
    outcome.save("jetpack5", versions=versions, boxes={"edge-detect": {"a.jpg": [moved]}}, tests=tests)
    outcome.save("jetpack7", error="there is no wheel of that")
    page = outcome.page()
    assert "| newest | a PC with the newest of all | Python 3.13.0, cv2 5.0.0 | short | 7 | 1 | 2 |" in page
    assert "| edge-detect | 1.50 px, 0.0000 |" in page and "of 1 pictures (1 boxes)" in page
    assert "**there is no wheel of that**" in page and "- failed: tests.a::bad" in page
    assert "- skipped, 2: no camera here" in page and "$ pip install ." in page
    assert json.loads((tmp_path / "newest.json").read_text(encoding="utf-8"))["tests"] == tests


def test_a_python_that_is_not_here_is_no_failure(rows: Dict[str, ModuleType]) -> None:
    with pytest.raises(rows["environment"].NoInterpreter, match=r"there is no Python 9\.9"):
        rows["environment"].interpreter("9.9")


def test_what_pip_says_becomes_a_sentence(rows: Dict[str, ModuleType]) -> None:
    said = "WARNING: x\nERROR: Cannot install numpy==1.17.4 and onnxruntime==1.16.3\nERROR: ResolutionImpossible\n"
    assert rows["environment"]._reason(said) == "ERROR: Cannot install numpy==1.17.4 and onnxruntime==1.16.3"


def test_the_short_list_names_tests_that_exist(rows: Dict[str, ModuleType]) -> None:
    assert not [name for name in rows["outcome"].SHORT if not (ROOT / name).exists()]


def test_the_rows_of_five_days_are_all_rows(rows: Dict[str, ModuleType]) -> None:
    tool = importlib.import_module("rows")
    days = [tool.of_day(day) for day in range(100, 105)]
    names = {machine.name for machine in rows["machines"].MACHINES}
    assert {machine.name for whole, _ in days for machine in whole} == names - {"newest"}
    assert all({m.name for m in whole} | {"newest"} < {m.name for m in chosen} for whole, chosen in days)


def test_a_row_has_both_halves_of_all_tests_in_its_turns(rows: Dict[str, ModuleType]) -> None:
    tool, outcome = importlib.import_module("rows"), rows["outcome"]
    turns = {(tool.of_day(day)[0][0].name, tool.of_round(day)) for day in range(100, 110)}
    assert len(turns) == 10
    halves = [{name for name in outcome.half(which) if not name.startswith("--")} for which in (0, 1)]
    assert halves[0] | halves[1] == {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    assert not halves[0] & halves[1]
