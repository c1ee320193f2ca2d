"""The float16 form of every model beside its float32 form: boxes, the largest value, what stays in float32, bytes.

    python tools/half_all.py [--only SUBSTRING] [--shared DIR] [--images 16] [--again]

Writes tools/reference/half.{json,md}. A model that is in the JSON file with as many pictures is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from accuracy import load_data
from bench import report
from bench.report import Table
from build_matrix import models

from edge_runtime import build
from edge_runtime.build import forms, half_verdict
from edge_runtime.cli._flags import add_model_flags, model_flags
from edge_runtime.datasets import Dataset
from edge_runtime.detect.evidence import described
from edge_runtime.graph.half import half

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tools" / "reference" / "half.json"
TITLE = "Float16 beside float32"
COLUMNS = ("model", "float32 MB", "float16 MB", "stays in float32", "largest value", "weights that vanish", "boxes",
           "agree", "corners move, px", "at most, px", "scores move")  # fmt: skip
NOTES = (
    f"Compared: {half_verdict.COMPARED}. Sizes are those of the ONNX files.",
    "Stays in float32: nodes by what they do; `needed` are those that these pictures or the weights demand.",
    "Agreement is of boxes of at least 0.25 confidence. Corners move in pixels of the pictures.",
)


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose path contains it")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    parser.add_argument("--images", type=int, default=16, metavar="N", help="pictures of COCO, default 16")
    parser.add_argument("--again", action="store_true", help="run models that are in the file, too")
    parser.add_argument("--json", type=Path, default=TARGET, metavar="FILE", help="default tools/reference/half.json")
    args = parser.parse_args(argv)
    rows = [] if args.again else done(args.json, args.images)
    labelled = load_data("coco_val", args.shared, args.images)
    data = replace(labelled, truths=(), labels=(), relative=False)
    for path, flags in models(args.shared):
        known = {row["model"] for row in rows}
        if args.only in str(path) and path.stem not in known:
            rows.append(measured(path, flags, data))
            save(args.json, rows)
    print(save(args.json, rows).markdown())
    return 0


def done(path: Path, images: int) -> List[Dict[str, Any]]:
    """The rows of an earlier run with as many pictures."""
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))["sections"][TITLE]["rows"]
    return [row for row in rows if row["pictures"] == images]


def measured(path: Path, flags: str, data: Dataset) -> Dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_model_flags(parser)
    spec = described(str(path), model_flags(parser.parse_args(flags.split()))).spec
    source = build.load_input(str(path), spec)
    made, verdict = half_verdict.judge(source, data, lambda label, total: lambda: None)
    network = forms.float_form(source)
    whole = len(network.model.SerializeToString())
    halved = len(half(network, made.keep).SerializeToString())
    print(path.stem, verdict.sentence(), *verdict.notes(), sep="\n  ", flush=True)
    return {"model": path.stem, "float32_bytes": whole, "float16_bytes": halved, **verdict.summary()}


def save(path: Path, rows: List[Dict[str, Any]]) -> Table:
    table = Table(TITLE, COLUMNS, notes=list(NOTES), data=rows)
    table.rows += [line(row) for row in rows]
    report.save(path, "Float16", report.machine(), [table])
    return table


def line(row: Dict[str, Any]) -> Sequence[str]:
    kinds = [f"{reason} ({count})" for reason, count in row["float32_kinds"].items()]
    needed = [f"needed ({len(row['float32_layers'])})"] if row["float32_layers"] else []
    _, node, size = row["largest"]
    operator, _, name = node.partition(" ")
    return (
        row["model"], f"{row['float32_bytes'] / 1e6:.1f}", f"{row['float16_bytes'] / 1e6:.1f}",
        ", ".join([*kinds, *needed]) or "nothing", f"{size:.0f} ({operator} {name.split('/')[-1]})",
        f"{row['vanished_weights'] / max(1, row['weights']):.1%}", f"{row['boxes']} in {row['pictures']}",
        f"{row['agreement']:.1%}", f"{row['moved_px']:.2f}", f"{row['most_px']:.2f}", f"{row['score_drift']:.4f}",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
