"""Builds the same network, written in the ways of many exporters, to float16 and to INT8 with TensorRT-RTX.

    python tools/forms_all.py [--only SUBSTRING] [--target SM86] [--shared DIR]

The forms are those of tests/rewrites.py and, beside the checkout, of shared/cases. Each is built on the CPU, or is
refused by the name of the operator that TensorRT lacks. INT8 takes its ranges from two images: here it is the builder
that is tried, not accuracy. Writes tools/reference/forms.{json,md}.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

import onnx
from bench import report
from bench.report import Table

from edge_runtime import build, calibrate, datasets
from edge_runtime.build import BuildInput, BuildOptions
from edge_runtime.detect.evidence import described
from edge_runtime.errors import EdgeError
from edge_runtime.model.recipe import ModelFlags

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.models import MODELS, PICTURES  # noqa: E402
from tests.rewrites import REWRITES  # noqa: E402

COLUMNS = ("form", "precision", "built", "MB", "convolutions, by what they read", "")
PRECISIONS = ("fp16", "int8")
Writer = Callable[[Path], None]


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="forms whose name contains it")
    parser.add_argument("--target", default="SM86", help="compute capability to build for")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    args = parser.parse_args(argv)
    table = Table(f"Plans for {args.target}, built without a GPU", COLUMNS)
    for name, write, images in forms(args.shared):
        if args.only in name:
            for precision, row in tried(write, images, args.target):
                _note(table, name, precision, row)
    print(table.markdown())
    if not args.only:
        conditions = report.machine(("tensorrt-rtx-cu13-libs",))
        report.save(ROOT / "tools" / "reference" / "forms.json", "Forms of one network", conditions, [table])
    return 0 if all(row["ok"] for row in table.data) else 1


def forms(shared: Path) -> Iterator[Tuple[str, Writer, Sequence[str]]]:
    """Every form: its name, a function that writes it to a file, and images for INT8."""
    small = [str(path) for path in PICTURES]
    for name, change in REWRITES.items():
        yield f"tests {name}", _saved(lambda change=change: change(onnx.load(MODELS / "yolo_v8.onnx"))), small
    if not (shared / "cases" / "_lib").is_dir():
        return
    sys.path.insert(0, str(shared / "cases" / "_lib"))
    written, more = importlib.import_module("gen"), importlib.import_module("gen2")
    images = datasets.open(str(shared / "data" / "coco128")).paths[:2]
    made = {**written.G, "zerobranch": more.zerobranch, "infmask": more.infmask}
    for name, make in made.items():
        yield f"cases {name}", _saved(make) if make else lambda path: written.external(str(path.parent)), images


def _saved(make: Callable[[], onnx.ModelProto]) -> Writer:
    return lambda path: onnx.save(make(), str(path))


def tried(write: Writer, images: Sequence[str], target: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """What became of one form in each precision."""
    with tempfile.TemporaryDirectory() as folder:
        path, plan = Path(folder, "model.onnx"), Path(folder, "model.plan")
        try:
            write(path)
        except RuntimeError as error:  # the converter of this version of onnx cannot write an old opset
            print(f"not written: {error}")
            return
        for precision in PRECISIONS:
            try:
                source = _source(str(path), images if precision == "int8" else ())
                made = build.build(source, plan, BuildOptions(precision, compute_capability=target))
            except EdgeError as error:
                lacks = re.match(r"TensorRT does not support (\w+)", error.message)
                yield precision, {"error": error.message, "bytes": 0, "convolutions": {}, "ok": bool(lacks)}
                continue
            kinds = dict(made.convolutions)
            yield precision, {"error": "", "bytes": plan.stat().st_size, "convolutions": kinds, "ok": True}


def _source(path: str, images: Sequence[str]) -> BuildInput:
    spec = described(path, ModelFlags()).spec
    model = calibrate.calibrate(path, spec, images, method="minmax").model if images else None
    return build.load_input(path, spec, model)


def _note(table: Table, name: str, precision: str, row: Dict[str, Any]) -> None:
    table.data.append({"form": name, "precision": precision, **row})
    kinds = ", ".join(f"{count} {kind}" for kind, count in row["convolutions"].items())
    table.rows.append((name, precision, row["error"][:100] or "yes", f"{row['bytes'] / 1e6:.1f}", kinds,
                       "ok" if row["ok"] else "MISSED"))  # fmt: skip
    print(*table.rows[-1], flush=True)


if __name__ == "__main__":
    sys.exit(main())
