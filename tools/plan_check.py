"""Checks edge-plan: leaves rows out, predicts them from the others, and compares. A few seconds.

python tools/plan_check.py                # into tools/reference/plan.{json,md}

Three kinds of rows are left out: an engine at a mode (FPS and watts at full load), a rate below full load (watts), and
rows of this project's own tables of processors (FPS). Exit code 1 if a goal is missed over all rows of a kind: FPS
within 10 %, watts within 5 %, or an interval that holds the truth in 9 of 10.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from bench import planned, report
from bench.planned import Row
from bench.report import Table

from edge_runtime.planning.board import Board, Way
from edge_runtime.planning.estimates import Estimate

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "plan.json"
FPS, WATTS, HELD = 0.10, 0.05, 0.9  # what is wanted
COLUMNS = ("rows of", "left out", "predicted", "median error", "largest", "within", "in the interval", "")


@dataclass(frozen=True)
class Tried:
    """A figure that was left out, and what was predicted."""

    truth: float
    found: Estimate

    @property
    def error(self) -> float:
        return abs(self.found.value / self.truth - 1)

    @property
    def held(self) -> bool:
        return self.found.low <= self.truth <= self.found.high


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    parser.add_argument("--reference", type=Path, default=ROOT / "tools" / "reference", help="the tables to take")
    args = parser.parse_args(argv)
    tables = [boards(args.shared), processors(args.reference)]
    for table in tables:
        print(table.markdown())
    report.save(TARGET, "edge-plan beside what it did not see", report.machine(), tables)
    return int(any(row["missed"] for table in tables for row in table.data))


def boards(shared: Path) -> Table:
    """Boards made of the recorded ones."""
    table = Table("Boards made of the recorded ones", COLUMNS)
    kinds: Dict[Tuple[str, float], List[Tried]] = {
        ("an engine at a mode: FPS", FPS): [], ("an engine at a mode: watts", WATTS): [],
        ("half the rate: watts", WATTS): [],
    }  # fmt: skip
    for number, tree in enumerate(planned.recorded(shared)):
        rows = planned.made(tree, number)
        whole, half = ([row for row in rows if ("@" in row["source"]) is paced] for paced in (False, True))
        tried = list(setups(whole))
        found = ([fps for fps, _ in tried if fps], [watts for _, watts in tried if watts], list(rates(whole, half)))
        for (what, wanted), some in zip(kinds, found):
            kinds[what, wanted] += some
            add(table, tree.name, what, some, wanted)
    for (what, wanted), every in kinds.items():
        add(table, "all", what, every, wanted, judged=True)
    table.notes += [
        "Watts without work and under load, and the clocks of the modes, are those of the recorded trees. The rest is "
        "made: see tools/bench/planned.py. No board was measured.",
        "Wanted over all boards: FPS within 10 %, watts within 5 %, or in the interval in 9 of 10.",
    ]
    return table


def processors(reference: Path) -> Table:
    """Tables of this project that were measured."""
    table = Table("Rows that were measured on a processor", COLUMNS)
    every: List[Tried] = []
    for name, rows in planned.measured(reference).items():
        every += (some := [fps for fps, _ in setups(rows) if fps])
        add(table, name, "a model in one arrangement: FPS", some, FPS)
    add(table, "all", "a model in one arrangement: FPS", every, FPS, judged=True)
    return table


def setups(rows: Sequence[Row]) -> Iterator[Tuple[Optional[Tried], Optional[Tried]]]:
    """FPS and watts of each row at full load, predicted from the others."""
    for row in rows:
        board, way = Board("left out", [other for other in rows if other is not row]), Way(row["engine"], 1, 1)
        capacity = board.capacity(way, row["mode"])
        watts = board.watts(way, row["mode"], row["fps"]) if row["mean_w"] else None
        yield capacity and Tried(row["fps"], capacity), watts and Tried(row["mean_w"], watts)


def rates(whole: Sequence[Row], half: Sequence[Row]) -> Iterator[Tried]:
    """Watts of each row of a slower source, predicted from those at full load."""
    board = Board("left out", whole)
    for row in half:
        watts = board.watts(Way(row["engine"], 1, 1), row["mode"], row["fps"])
        if watts:
            yield Tried(row["mean_w"], watts)


def add(table: Table, name: str, what: str, tried: List[Tried], wanted: float, judged: bool = False) -> None:
    if not tried:
        return
    errors = [one.error for one in tried]
    within = sum(error <= wanted for error in errors) / len(tried)
    held = sum(one.held for one in tried) / len(tried)
    missed = judged and within < 1 and held < HELD
    verdict = ("MISSED" if missed else "ok") if judged else ""
    table.rows.append((name, what, str(len(tried)), f"{median(errors):.1%}", f"{max(errors):.1%}",
                       f"{within:.0%} within {wanted:.0%}", f"{held:.0%}", verdict))  # fmt: skip
    table.data.append({"rows": name, "what": what, "predicted": len(tried), "errors": errors, "within": within,
                       "held": held, "missed": missed})  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
