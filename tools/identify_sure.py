"""How often edge-identify is wrong about what it calls sure, by the number of pictures without labels.

    python tools/identify_sure.py              # into tools/reference/identify_sure.{json,md}, about ten minutes

Every trained model of ../shared/models is run on the first 48 pictures of coco128 (VOC2007's eval set for models of
VOC), prepared as it is known to need it, and with another channel order, scale or resize. Of these pictures 30 random
parts of each size are judged as edge-identify judges them. Wrong: the best combination is not the known one. Another
resize is often as good as the known one, so its wrong ones are an upper bound.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from accuracy import load_data, read_table
from bench import report
from bench.report import Table
from identify_all import ROOT, Row, data_name, known_flags, same_scale

from edge_runtime import plugins
from edge_runtime.identify import candidates, certainty
from edge_runtime.identify.agreement import Agreement
from edge_runtime.identify.candidates import Candidate
from edge_runtime.identify.contest import Contest, Entry, Round
from edge_runtime.identify.network import Network
from edge_runtime.imaging import image_file
from edge_runtime.model.recipe import ModelFlags

DEFAULT = ROOT / "tools" / "reference" / "identify_sure.json"
PICTURES, TIMES, SEED = 48, 30, 0
ALL = Round(PICTURES, share=0.0, most=99, time=float("inf"))
SIZES = (6, 11, 16, 24, 32)
DIMENSIONS = ("color", "scale", "resize")
COLUMNS = ("dimension", "pictures", "choices", "wrong", "called sure", "of these wrong", "sure in whole samples",
           "of these wrong")  # fmt: skip
Counts = Dict[Tuple[str, int], List[int]]


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose path contains it")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    parser.add_argument("--json", type=Path, default=DEFAULT, metavar="FILE", help="where figures go")
    args = parser.parse_args(argv)
    counts: Counts = {(dimension, size): [0] * 6 for dimension in DIMENSIONS for size in SIZES}
    for row in read_table(args.shared / "models" / "AP.tsv"):
        if args.only in row["file"]:
            print(row["file"], file=sys.stderr, flush=True)
            _count(_weighed(args.shared, row), counts)
    table = _table(counts)
    print(table.markdown())
    report.save(args.json, "How often what edge-identify calls sure is wrong", report.machine(), [table])
    return 0


def _weighed(shared: Path, row: Row) -> List[Entry]:
    """The known combination first, then those that differ from it in one dimension, as judged on each picture."""
    known, path = known_flags(row), str(shared / "models" / row["file"])
    images = [image_file.read_image(each) for each in load_data(data_name(row), shared).paths[:PICTURES]]
    flags = ModelFlags(family=known["family"])
    model = candidates.read_model(path, plugins.load_member("backends", "onnxruntime").read_io, flags)
    entered = [each.resized(known["resize"]) for each in candidates.candidates(model, flags, named=True)]
    base = next(each for each in entered if each.spec.color == known["color"] and same_scale(_scale(each), known))
    others = [each for each in entered if _differences(base, each) == 1]
    tried = [base, *others, *candidates.resizes(base, ModelFlags())]
    contest = Contest(Network(path, model.io, 0), Agreement(), images, tried, limit_s=float("inf"))
    contest.hold([ALL], lambda candidate: [], lambda entries: False, lambda done, phase: None)
    return sorted(contest.entries, key=lambda entry: entry.candidate is not base)


def _scale(candidate: Candidate) -> Row:
    return {"mean": candidate.spec.mean, "std": candidate.spec.std}


def _differences(first: Candidate, second: Candidate) -> int:
    return sum(first.values[name] != second.values[name] for name in DIMENSIONS)


def _count(entries: Sequence[Entry], counts: Counts) -> None:
    random = np.random.default_rng(SEED)
    for size in SIZES:
        for _ in range(TIMES):
            chosen = random.choice(PICTURES, size, replace=False)
            part = [Entry(each.candidate, each.reader, [each.weighed[k] for k in chosen]) for each in entries]
            _judge(part, size, counts)


def _judge(entries: Sequence[Entry], size: int, counts: Counts) -> None:
    judge = Agreement()
    winner = max(entries, key=lambda entry: judge.score(entry.candidate, entry.weighed))
    told: List[Any] = [
        certainty.rivals(winner, entries, certainty.samples(judge, entries, part)) for part in (certainty.CAUTIOUS, 1.0)
    ]
    for dimension in DIMENSIONS:
        wrong = winner.candidate.values[dimension] != entries[0].candidate.values[dimension]
        sure = [all(each.told_apart for each in rivals if each.dimension == dimension) for rivals in told]
        seen = [True, wrong, sure[0], sure[0] and wrong, sure[1], sure[1] and wrong]
        counts[dimension, size] = [old + new for old, new in zip(counts[dimension, size], seen)]


def _table(counts: Counts) -> Table:
    table = Table("Without labels", COLUMNS)
    for (dimension, size), numbers in counts.items():
        table.rows.append((dimension, str(size), *map(str, numbers)))
        table.data.append(dict(zip(COLUMNS[:3], (dimension, size, numbers[0])), counts=numbers))
    table.notes.append(
        f"called sure: ahead of every other value in {certainty.SURE:.0%} of the random samples of a third of the "
        "pictures; in whole samples: of as many as there are."
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
