"""What came out of the rows: their tests, and the page about all of them."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Sequence
from xml.etree import ElementTree

from oldlibs.boxes import EVAL_IMAGES, compare
from oldlibs.environment import ROOT, ROWS, Environment
from oldlibs.machines import MACHINES

NEWEST = "newest"
PAGE = ROOT / "tools" / "reference" / "rows.md"
INTRODUCTION = (
    "# Rows of old libraries", "",
    "Written by `python tools/rows.py --table`. The tests are `all`, or `short`: those that meet the libraries.",
    "Each log is of README's own words; `[tensorrt]` is left out when they are run: pycuda wants CUDA.", "",
)  # fmt: skip
SHORT = (  # what meets the libraries
    "tests/sources", "tests/sinks", "tests/backends", "tests/calibrate", "tests/datasets", "tests/imaging",
    "tests/libraries", "tests/detect", "tests/accuracy/test_evaluate.py", "tests/test_engines.py",
    "tests/cli/test_detect.py", "tests/cli/test_eval.py",
)  # fmt: skip
ALL = (  # without those of the C++ and CUDA code under sanitizers and compilers, which meet no Python library
    "tests", "--ignore=tests/native/test_sanitized.py", "--ignore=tests/native/test_races.py",
    "--ignore=tests/gpu/test_kernels.py",
)  # fmt: skip


def run_tests(env: Environment, short: bool, jobs: str, arguments: Sequence[str] = ()) -> Dict[str, Any]:
    """Runs pytest in the checkout with a row's libraries.

    Returns:
        "passed", "failed" (names), "skipped" (reason: count), "list" ("all" or "short").
    """
    report = env.folder / "tests.xml"
    report.unlink(missing_ok=True)
    which = [*arguments] or (SHORT if short else ALL)
    command = [str(env.python), "-m", "pytest", "-q", "-n", jobs, "-p", "no:cacheprovider", f"--junitxml={report}"]
    subprocess.run([*command, *which], cwd=ROOT, env={**env.environ(), "CI": "true"}, check=False)
    return {**read_report(report), "list": "short" if short else "all"}


def half(which: int) -> List[str]:
    """Every second file of all tests, from the file of this number on: two halves of about the same time."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / ALL[0]).rglob("test_*.py"))
    return [*files[which::2], *ALL[1:]]


def read_report(path: Path) -> Dict[str, Any]:
    """What pytest's JUnit file says; a missing one is a failure."""
    if not path.is_file():
        return {"passed": 0, "failed": ["pytest did not run"], "skipped": {}}
    passed, failed, skipped = 0, [], Counter()  # type: ignore[var-annotated]
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            skipped[_reason(kinds["skipped"].get("message", ""))] += 1
        else:
            passed += 1
    return {"passed": passed, "failed": failed, "skipped": dict(skipped)}


def save(name: str, **parts: Any) -> None:
    """Adds to what is known about a row."""
    path = ROWS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**load(name), **parts}, indent=1, sort_keys=True), encoding="utf-8")


def load(name: str) -> Dict[str, Any]:
    """What is known about a row."""
    path = ROWS / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def page() -> str:
    """Every row that was run, as Markdown."""
    known = {machine.name: load(machine.name) for machine in MACHINES}
    rows = [(machine, known[machine.name]) for machine in MACHINES if known[machine.name]]
    lines = [*INTRODUCTION]
    lines += ["| row | machine | versions | tests | passed | failed | skipped |", "|---|---|---|---|---|---|---|"]
    for machine, row in rows:
        versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
        tests = row.get("tests", {"list": "none", "passed": 0, "failed": [], "skipped": {}})
        counts = f"{tests['passed']} | {len(tests['failed'])} | {sum(tests['skipped'].values())}"
        trouble = f"**{row['error']}**" if row.get("error") else versions
        lines.append(f"| {machine.name} | {machine.about} | {trouble} | {tests['list']} | {counts} |")
    lines += ["", *_boxes(rows), *_details(rows)]
    return "\n".join(lines).rstrip().replace(f"{ROOT}/", "") + "\n"


def _boxes(rows: Sequence[Any]) -> List[str]:
    """How far each row's boxes are from the newest's, one line a command."""
    reference = load(NEWEST).get("boxes", {})
    old = [(machine.name, row["boxes"]) for machine, row in rows if machine.name != NEWEST and row.get("boxes")]
    if not reference or not old:
        return []
    lines = [
        "## Boxes",
        "",
        f"The largest difference from `{NEWEST}` over all boxes of {_count(reference)}, as the JSON",
    ]
    lines += ["lines give them: to 0.01 px and 0.0001 of confidence.", ""]
    lines += [f"| command | {' | '.join(name for name, _ in old)} |", f"|---|{'---|' * len(old)}"]
    for command in reference:
        found = [str(compare(boxes[command], reference[command])) if command in boxes else "" for _, boxes in old]
        lines.append(f"| {command} | {' | '.join(found)} |")
    figures = [f"{machine.name} {row['figures']['voc07_11pt']:.4f}" for machine, row in rows if row.get("figures")]
    if figures:
        lines += ["", f"edge-eval, voc07_11pt of the INT8 file on {EVAL_IMAGES} photographs: {', '.join(figures)}."]
    return [*lines, ""]


def _count(commands: Dict[str, Any]) -> str:
    pictures = next(iter(commands.values()))
    return f"{len(pictures)} pictures ({sum(map(len, pictures.values()))} boxes)"


def _details(rows: Sequence[Any]) -> List[str]:
    lines = []
    for machine, row in rows:
        lines += [f"## {machine.name}", ""]
        lines += [f"Starts with {', '.join([*machine.tools, *machine.system]) or 'an empty environment'}.", ""]
        lines += ["```", *row.get("log", []), "```", ""]
        tests = row.get("tests", {})
        lines += [f"- failed: {name}" for name in tests.get("failed", [])]
        skipped = sorted(tests.get("skipped", {}).items(), key=lambda item: -item[1])
        lines += [f"- skipped, {count}: {reason}" for reason, count in skipped] + [""]
    return lines


def _reason(message: str) -> str:
    """A skip's reason without what is of this machine or of one test."""
    plain = message.replace("Skipped: ", "").replace(str(ROOT), ".").replace(str(ROOT.parent), "..")
    return plain.splitlines()[0][:120] if plain else "no reason given"
