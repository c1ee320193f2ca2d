"""edge-identify on every trained model of ../shared/models, with all metadata removed, beside what is known of them.

    python tools/identify_all.py                    # all models, three ways, into tools/reference/identify.{json,md}
    python tools/identify_all.py --only yolox --mode labelled

It chooses on the first 32 pictures of coco128, or of VOC2007's eval set for models of VOC: with their labels, without
them, and with no picture but the two that come along. A choice is right if its family is right, and it is the known
preparation, or its AP on other pictures (the 96 others of coco128, the next 200 of VOC2007) is at most 0.005 below the
best of: the known preparation, the same with each other resize, and all choices. UltraFace has no labels here: it
is right if it is the known one. What is measured already is not measured again: remove FILE.partial.json for that.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Dict, Optional, Sequence

import onnx
from accuracy import load_data, open_detector, read_table
from bench import report
from bench.report import Table

from edge_runtime.accuracy import coco, evaluate
from edge_runtime.datasets import Dataset
from edge_runtime.errors import EdgeError
from edge_runtime.identify import search, words
from edge_runtime.model.geometry import RESIZE_MODES
from edge_runtime.model.recipe import ModelFlags

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "tools" / "reference" / "identify.json"
CHOOSING, NEAR, NEEDED = 32, 0.005, 60.0
SAME = 0.5  # of 255: (x - 127.5) / 127.5 is (x - 127) / 128
EVALUATED = {"coco128": 128, "voc2007 eval": 232}  # up to this picture
MODES = ("labelled", "unlabelled", "alone")
ULTRAFACE = {
    "file": "ultraface/version-RFB-320.onnx", "data": "coco_val",
    "flags": "--family ssd --resize stretch --color rgb --mean 127,127,127 --std 128,128,128 --labels face",
}  # fmt: skip
COLUMNS = ("file", "chosen on", "family", "resize", "color", "mean", "std", "AP", "known", "best", "sure", "seconds",
           "CPU s", "pictures", "")  # fmt: skip
Row = Dict[str, Any]


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose path contains it")
    parser.add_argument("--mode", action="append", choices=MODES, help="default: all three; repeatable")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    parser.add_argument("--budget", type=float, default=search.BUDGET_S, help="as for edge-identify")
    parser.add_argument("--json", type=Path, default=DEFAULT, metavar="FILE", help="where figures go")
    args = parser.parse_args(argv)
    done = _Done(args.json.with_suffix(".partial.json"))
    models = [row for row in (*read_table(args.shared / "models" / "AP.tsv"), ULTRAFACE) if args.only in row["file"]]
    with tempfile.TemporaryDirectory() as folder:
        for mode, row in product(args.mode or MODES, models):
            if mode != "labelled" or row is not ULTRAFACE:
                done.once(f"{row['file']} {mode}", lambda: _choose(args, row, Path(folder), mode))  # noqa: B023
    for row in models[: -1 if models and models[-1] is ULTRAFACE else None]:
        _score(args, row, done)
    tables = [_table(done, models, mode) for mode in args.mode or MODES]
    print("\n".join(table.markdown() for table in tables))
    report.save(args.json, "edge-identify on trained models without metadata", report.machine(), tables)
    return 0


class _Done:
    """Results so far, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.results: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def once(self, key: str, measure: Any) -> Any:
        if key not in self.results:
            print(key, file=sys.stderr, flush=True)
            self.results[key] = measure()
            self._path.write_text(json.dumps(self.results, indent=1), encoding="utf-8")
        return self.results[key]


def _without_metadata(path: Path, folder: Path) -> Path:
    model, bare = onnx.load(str(path)), folder / path.name
    del model.metadata_props[:]
    model.producer_name = model.doc_string = ""
    onnx.save(model, str(bare))
    return bare


def _data(args: argparse.Namespace, row: Row, first: int, last: int) -> Dataset:
    data = load_data(data_name(row), args.shared)
    return replace(data, paths=data.paths[first:last], truths=data.truths[first:last])


def data_name(row: Row) -> str:
    """The labelled pictures for a row of AP.tsv."""
    return "coco128" if row["data"] == "coco_val" else str(row["data"])


def _choose(args: argparse.Namespace, row: Row, folder: Path, mode: str) -> Row:
    """What edge-identify says of a file, and how long it took."""
    data, bare = _data(args, row, 0, CHOOSING), _without_metadata(args.shared / "models" / row["file"], folder)
    started, cpu = perf_counter(), process_time()
    try:
        if mode == "labelled":
            pictures = search.labelled(data)
        else:
            pictures = search.unlabelled(data.paths if mode == "unlabelled" else (), data.name)
        found = search.identify(str(bare), ModelFlags(), pictures, args.budget)
    except EdgeError as error:
        return {"error": str(error), "seconds": perf_counter() - started, "cpu_s": process_time() - cpu}
    about = words.summary(found)
    del about["given_up"]
    spec = found.model.spec
    flags = {"family": spec.family, "resize": spec.resize, "color": spec.color, "mean": list(spec.mean),
             "std": list(spec.std), "head_layout": list(spec.head_layout)}  # fmt: skip
    return {**about, "flags": flags, "seconds": perf_counter() - started, "cpu_s": process_time() - cpu}


def known_flags(row: Row) -> Row:
    """What AP.tsv says of a file; the usual scale is not written there."""
    words_ = shlex.split(row["flags"])
    said = dict(zip((word[2:] for word in words_[::2]), words_[1::2]))
    numbers = {name: [float(part) for part in said.get(name, usual).split(",")]
               for name, usual in (("mean", "0,0,0"), ("std", "255,255,255"))}  # fmt: skip
    return {"family": said["family"], "resize": said["resize"], "color": said["color"], **numbers, "head_layout": []}


def _score(args: argparse.Namespace, row: Row, done: _Done) -> None:
    """Measures AP of the known preparation, its other resizes and all choices, on pictures that chose nothing."""
    known = known_flags(row)
    choices = [done.results.get(f"{row['file']} {mode}", {}).get("flags") for mode in MODES]
    for flags in (*({**known, "resize": resize} for resize in RESIZE_MODES), *filter(None, choices)):
        if flags["family"] == known["family"]:
            done.once(_key(row, flags), lambda: _average_precision(args, row, flags))  # noqa: B023


def _key(row: Row, flags: Row) -> str:
    return f"{row['file']} AP {json.dumps(flags, sort_keys=True)}"


def _average_precision(args: argparse.Namespace, row: Row, flags: Row) -> float:
    said = [f"--{name.replace('_', '-')} {_text(value)}" for name, value in flags.items() if value]
    labels = shlex.split(row["flags"])[-1]
    data = _data(args, row, CHOOSING, EVALUATED[data_name(row)])
    path = args.shared / "models" / row["file"]
    with open_detector(path, " ".join([*said, "--labels", labels]), "onnxruntime", 2) as detector:
        found = evaluate.detect(detector, data)
    return coco.average_precision(found.rows, found.truths, len(found.labels))[0]["AP"]


def _text(value: Any) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _table(done: _Done, models: Sequence[Row], mode: str) -> Table:
    table = Table(
        {"labelled": "With labels", "unlabelled": "Without labels", "alone": "Without pictures"}[mode], COLUMNS
    )
    for row in models:
        found = done.results.get(f"{row['file']} {mode}")
        if found:
            _add(table, done, row, found)
    right = sum(entry["right"] for entry in table.data)
    scored = [entry for entry in table.data if entry["ap_best"]]
    near = sum(entry["ap"] >= entry["ap_best"] - NEAR for entry in scored)
    slow = [entry for entry in table.data if entry["seconds"] > NEEDED]
    table.notes += [
        f"right: {right} of {len(table.data)}; AP at most {NEAR} below the best: {near} of {len(scored)}; "
        f"over {NEEDED:.0f} s: {len(slow)}.",
        "AP is that of other pictures than those of the choice; known: of the known preparation; best: of it, of its "
        "other resizes and of all choices.",
        "seconds are those of a machine that did other work at the same time; CPU s are of all threads together.",
    ]
    return table


def _add(table: Table, done: _Done, row: Row, found: Row) -> None:
    known, chosen = known_flags(row), found.get("flags")
    scores = {key: value for key, value in done.results.items() if key.startswith(f"{row['file']} AP ")}
    best, truth = max(scores.values(), default=0.0), scores.get(_key(row, known), 0.0)
    own = scores.get(_key(row, chosen), 0.0) if chosen else 0.0
    right = _is_right(chosen, known, own, best)
    verdict = "" if right else "WRONG" if chosen else f"ERROR {found['error']}"
    said = [_text(chosen[name]) for name in ("family", "resize", "color", "mean", "std")] if chosen else [""] * 5
    figures = [f"{value:.4f}" if scores else "" for value in (own, truth, best)]
    sure = "yes" if found.get("sure", "").startswith("sure: ") else "in part"
    table.rows.append((row["file"], data_name(row), *said, *figures, sure, f"{found['seconds']:.0f}",
                       f"{found['cpu_s']:.0f}", str(found.get("pictures", 0)), verdict))  # fmt: skip
    table.data.append({"file": row["file"], **found, "known": known, "ap": own, "ap_known": truth, "ap_best": best,
                       "right": right})  # fmt: skip


def _is_right(chosen: Optional[Row], known: Row, ap: float, best: float) -> bool:
    if chosen is None or chosen["family"] != known["family"]:
        return False
    same = same_scale(chosen, known) and all(chosen[name] == known[name] for name in ("resize", "color"))
    return same or (bool(best) and ap >= best - NEAR)


def same_scale(first: Row, second: Row) -> bool:
    """Whether two have the same mean and std, as far as a picture can tell."""
    return all(abs(a - b) <= SAME for name in ("mean", "std") for a, b in zip(first[name], second[name]))


if __name__ == "__main__":
    sys.exit(main())
