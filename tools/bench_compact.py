"""Measures what compaction brings: networks of the zoo with dead filters, before and after, on one thread, in turn.

    python tools/bench_compact.py [--rounds 9] [--only tiny]

Writes tools/reference/bench_compact.{json,md}. The machine's other load is noted; trust the ratios, which are medians
over rounds in which both ran.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import onnxruntime
from bench import pruned_zoo, report, timing
from bench.report import Table
from bench.timing import Case

from edge_runtime.graph.compact import MULTIPLE, TOLERANCE, compact, rounding
from edge_runtime.graph.compact.run import random_feeds

TARGET = Path(__file__).resolve().parent / "reference" / "bench_compact.json"
MOST = 1e-3  # difference; random weights with few dead filters are sensitive to rounding, which a column shows
NETWORKS, SHARES = ("yolo_nano", "tiny_yolo_v3", "leyolo"), (0.0, 0.05, 0.3, 0.5, 0.7)
COLUMNS = ("network", "dead filters", "their constants", "MACs left", "parameters left", "kept for widths",
           "before, ms", "after, ms", "times faster", "difference", "rounding alone")  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--imgsz", type=int, default=416)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help=f"of dead filters, default {SHARES}")
    parser.add_argument("--multiple", type=int, default=MULTIPLE, help=f"of the widths, default {MULTIPLE}")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="networks whose name contains it")
    parser.add_argument("--json", type=Path, default=TARGET, metavar="FILE", help="default tools/reference")
    args = parser.parse_args(argv)
    before = report.load()
    with timing.progress_bar() as progress:
        rows = [
            measure(name, share, form, args, progress)
            for name in NETWORKS
            if args.only in name
            for share in args.shares
            for form in pruned_zoo.FORMS[: None if share else 1]
        ]
    table = _table(rows, args.multiple, before)
    print(table.markdown())
    report.save(args.json, "Compaction", report.machine(), [table])
    return 0


def measure(name: str, share: float, form: str, args: argparse.Namespace, progress: Any) -> Dict[str, Any]:
    """One row: both networks in turn, on one thread of ONNX Runtime."""
    model = pruned_zoo.pruned(name, share, form, args.imgsz)
    made, found = compact(model, tolerance=MOST, multiple=args.multiple)
    feed = {"images": np.random.default_rng(0).random((1, 3, args.imgsz, args.imgsz), np.float32)}
    cases = {"before": _case(model, feed), "after": _case(made, feed)}
    samples = timing.interleave(f"{name} {share:.0%}", cases, args.rounds, progress)
    return {
        "network": name, "share": share, "form": form, "macs": [found.before.macs, found.after.macs],
        "parameters": [found.before.parameters, found.after.parameters], "spare": found.spare,
        "difference": found.difference, "rounding": rounding(model, list(random_feeds(model, 2))),
        "before_ms": round(timing.mid(samples, "before", "ms"), 2),
        "after_ms": round(timing.mid(samples, "after", "ms"), 2),
        "faster": round(timing.ratio(samples, "before", "after", "ms"), 2),
    }  # fmt: skip


def _case(model: Any, feed: Dict[str, Any]) -> Case:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, feed)

    def once() -> Dict[str, float]:
        started = time.perf_counter()
        session.run(None, feed)
        return {"ms": (time.perf_counter() - started) * 1e3}

    return once


def _table(rows: List[Dict[str, Any]], multiple: int, before: List[float]) -> Table:
    table = Table("Compaction on one thread", COLUMNS, data=rows)
    for row in rows:
        left = [f"{row[key][1] / row[key][0]:.0%}" for key in ("macs", "parameters")]
        speeds = [f"{row['before_ms']:.1f}", f"{row['after_ms']:.1f}", f"{row['faster']:.2f}"]
        form = row["form"] if row["share"] else ""
        table.rows.append(
            (
                row["network"],
                f"{row['share']:.0%}",
                form,
                *left,
                f"{row['spare']:,}",
                *speeds,
                f"{row['difference']:.1e}",
                f"{row['rounding']:.1e}",
            )
        )
    table.notes += [
        "weights are random; dead filters are drawn in each convolution with batch normalisation.",
        "heads, gates and depthwise convolutions have no dead filters of their own.",
        f"kept for widths: filters that could go; a layer that loses filters keeps a multiple of {multiple}, or all.",
        f"the difference is relative to the largest value of an output, at random inputs; {TOLERANCE:.0e} is usual.",
        "rounding alone: what the file changes if ONNX Runtime joins none of its operators.",
        f"load average over 1 minute: {before[0]} before, {report.load()[0]} after.",
    ]
    return table


if __name__ == "__main__":
    sys.exit(main())
