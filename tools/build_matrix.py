"""Builds every model in every precision with TensorRT-RTX, on the CPU, and lists what became of each.

    python tools/build_matrix.py [--only SUBSTRING] [--target SM86] [--shared DIR]

INT8 takes its ranges from two images: here it is the builder that is tried, not accuracy. Writes
tools/reference/build_matrix.{json,md}.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

from accuracy import read_table
from bench import report
from bench.report import Table

from edge_runtime import build, calibrate, datasets
from edge_runtime.build import BuildInput, BuildOptions
from edge_runtime.cli._flags import add_model_flags, model_flags
from edge_runtime.detect.evidence import described
from edge_runtime.errors import EdgeError
from edge_runtime.graph.network import Network

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("model", "precision", "built", "seconds", "MB", "convolutions, by what they read", "")


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose path contains it")
    parser.add_argument("--target", default="SM86", help="compute capability to build for")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    args = parser.parse_args(argv)
    table = Table(f"Plans for {args.target}, built without a GPU", COLUMNS)
    for path, flags in models(args.shared):
        if args.only in str(path):
            _all_of(path, flags, args, table)
    print(table.markdown())
    if not args.only:
        conditions = report.machine(("tensorrt-rtx-cu13-libs",))
        report.save(ROOT / "tools" / "reference" / "build_matrix.json", "Plans", conditions, [table])
    return 0 if all(row["ok"] for row in table.data) else 1


def models(shared: Path) -> Iterator[Tuple[Path, str]]:
    """Every float model, with the flags that describe it."""
    for row in read_table(shared / "models" / "AP.tsv"):
        if "int8" not in row["file"]:
            yield shared / "models" / row["file"], row["flags"]
    yield shared / "models" / "ultraface" / "version-RFB-320.onnx", ""
    yield ROOT / "engines" / "yolo_nano_voc.onnx", ""


def source(path: Path, flags: str, shared: Path) -> BuildInput:
    """A model with ranges of two images."""
    parser = argparse.ArgumentParser()
    add_model_flags(parser)
    spec = described(str(path), model_flags(parser.parse_args(flags.split()))).spec
    images = datasets.open(str(shared / "data" / "coco128")).paths[:2]
    made = calibrate.calibrate(str(path), spec, images, method="minmax")
    return build.load_input(str(path), spec, made.model)


def quantised(source: BuildInput) -> int:
    """Convolutions that TensorRT's form of a model rounds."""
    network = Network(calibrate.tensorrt_form(source.model, depthwise=False))
    makers = [network.producer(node.input[0]) for node in network.nodes if node.op_type == "Conv"]
    return sum(maker is not None and maker.op_type == "DequantizeLinear" for maker in makers)


def _all_of(path: Path, flags: str, args: argparse.Namespace, table: Table) -> None:
    made = source(path, flags, args.shared)
    wanted = quantised(made)
    for precision in build.PRECISIONS:
        row = _one(made, precision, wanted, args.target)
        table.data.append({"model": path.stem, **row})
        kinds = ", ".join(f"{count} {kind}" for kind, count in row["convolutions"].items())
        table.rows.append((path.stem, precision, row["error"][:80] or "yes", f"{row['seconds']:.1f}",
                           f"{row['bytes'] / 1e6:.1f}", kinds, "ok" if row["ok"] else "MISSED"))  # fmt: skip
        print(*table.rows[-1], flush=True)


def _one(made: BuildInput, precision: str, wanted: int, target: str) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "m.plan")
        try:
            passport = build.build(made, plan, BuildOptions(precision, compute_capability=target))
        except EdgeError as error:
            return {"precision": precision, "error": str(error), "seconds": 0.0, "bytes": 0, "convolutions": {}, "ok": False}  # fmt: skip  # noqa: E501
        kinds = dict(passport.convolutions)
        ok = not precision.startswith("int8") or kinds.get("int8", 0) >= wanted
        about = {"precision": precision, "error": "", "seconds": passport.seconds, "bytes": plan.stat().st_size}
        return {**about, "convolutions": kinds, "quantised": wanted, "ok": ok}


if __name__ == "__main__":
    sys.exit(main())
