"""The study of this machine: tools/study.toml with forms that are made first, into tools/reference/study/.

python tools/study.py --repeats 2                            # 45 minutes, of a machine that does nothing else
python tools/study.py --seconds 5 --repeats 2 --max-images 40    # a quick look: no speed is valid

Flags are those of edge-bench. The page, the same as Markdown and the rows as JSON are written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Optional, Sequence

from bench import pruned_zoo

from edge_runtime.cli import bench as edge_bench
from edge_runtime.files import atomic
from edge_runtime.graph.compact import compact
from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network
from edge_runtime.model import onnx_file

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "engines" / "yolo_nano_voc.onnx"
DEAD, SIDE, MOST = 0.5, 320, 1e-3  # part of the filters, pixels, difference: random weights are sensitive to rounding


def main(argv: Optional[Sequence[str]] = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if "-h" in words or "--help" in words:
        print(__doc__)
        return 0
    os.chdir(ROOT)  # so that the page names files from the checkout
    (ROOT / "tools/reference/study").mkdir(exist_ok=True)
    make_forms(ROOT / "out" / "study")
    return edge_bench.main(["tools/study.toml", *words])


def make_forms(folder: Path) -> None:
    """Writes the FP16 form of what we ship, and YOLO Nano with dead filters, as pruning leaves it, before and after.

    The pruned network has random weights, because no trained one has dead filters. Its rows say what compaction brings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dead = pruned_zoo.pruned("yolo_nano", DEAD, pruned_zoo.FORMS[1], SIDE)
    made = {
        "yolo_nano_voc_fp16.onnx": half(Network(onnx_file.load_onnx(str(SHIPPED)))),
        "yolo_nano_dead.onnx": dead,
        "yolo_nano_compacted.onnx": compact(dead, tolerance=MOST)[0],
    }
    for name, network in made.items():
        atomic.replace_file(folder / name, network.SerializeToString())


if __name__ == "__main__":
    raise SystemExit(main())
