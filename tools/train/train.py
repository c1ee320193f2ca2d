"""Trains a detector of the zoo. Kill it at any time: the same command goes on from the last checkpoint.

    python tools/train/train.py --data ../shared/data/voc2007/train --out runs/nano --hours 2
    python tools/train/train.py --data ... --out runs/nano2 --hours 8 --init runs/nano/model.onnx
    python tools/train/train.py --data ... --out runs/nano3 --hours 2 --teacher yolox_nano.onnx --sides 256 320
    python tools/train/train.py --data ... --out runs/narrow --hours 1 --init narrow.onnx --before nano.onnx

Writes OUT/checkpoint.pt (resumable), log.jsonl, plot.png and model.onnx, the best EMA weights on the validation split.
"""

from __future__ import annotations

from typing import Optional, Sequence

import arguments
from run import Run


def main(argv: Optional[Sequence[str]] = None) -> int:
    return arguments.run(Run, arguments.parser(__doc__).parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
