"""INT8 beside fp32 and beside other people's tools: accuracy, speed, memory, time, TensorRT.

    python tools/bench_int8.py accuracy [--only yolov8]               # AP of every model, both backends
    python tools/bench_int8.py peers                                  # the same beside other people's tools
    python tools/bench_int8.py speed                                  # one thread, fp32 and INT8 in turn, and NNCF's
    python tools/bench_int8.py cost                                   # memory on 128 and 512 images, time beside ORT's
    python tools/bench_int8.py versions --other DIR                   # time of calibration and speed of its files, both
    python tools/bench_int8.py methods                                # what ways of the literature bring in accuracy
    python tools/bench_int8.py tensorrt                               # builds every model with TensorRT-RTX, no GPU

Each writes tools/reference/bench_int8_SECTION.{json,md}. Peers (onnxruntime.quantization, nvidia-modelopt, nncf,
tensorrt-rtx) are used where they are installed; what is missing is named in the notes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Optional, Sequence

from bench import int8_accuracy, int8_cost, int8_methods, int8_speed, int8_tensorrt, int8_versions, report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
SECTIONS: Dict[str, Callable[[argparse.Namespace, Path], Sequence[Table]]] = {
    "accuracy": int8_accuracy.measure,
    "peers": int8_accuracy.measure_peers,
    "speed": int8_speed.measure,
    "cost": int8_cost.measure,
    "versions": int8_versions.measure,
    "methods": int8_methods.measure,
    "tensorrt": int8_tensorrt.measure,
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="models whose name contains it")
    parser.add_argument("--other", type=Path, metavar="DIR", help="versions: another checkout, its core compiled")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    args = parser.parse_args(argv)
    args.shared = args.shared.resolve()
    with tempfile.TemporaryDirectory() as folder:
        tables = SECTIONS[args.section](args, Path(folder))
    for table in tables:
        print(table.markdown())
    if not args.only:
        target = ROOT / "tools" / "reference" / f"bench_int8_{args.section}.json"
        conditions = report.machine(("nncf", "nvidia-modelopt", "tensorrt-rtx-cu13-libs"))
        report.save(target, f"INT8: {args.section}", conditions, tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
