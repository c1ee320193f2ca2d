"""Iterative magnitude pruning with rewinding (Frankle et al. 2020, arXiv 1912.05671).

    python tools/train/magnitude.py --data voc/train --out runs/sparse --steps 4000 --rewind 400 --rounds 5 --share 0.37

Every round trains for --steps batches. Then a --share of the weights that are left goes, those of the smallest
magnitude, and the others go back to what they were after --rewind batches of the first round. One more round trains
what is left. OUT/model.onnx is the network of the last round that was validated, and its metadata counts its zeros.
Zeros among the weights make no runtime faster: filters.py removes whole filters. --scope 2:4 prunes once, to the
pattern that the sparse kernels of NVIDIA's GPUs (from Ampere on) can use.
"""

from __future__ import annotations

import argparse
from typing import Optional, Sequence

import arguments
import masks
import rounds
from masks import SCOPES, Masks

from edge_runtime.errors import UsageError


def main(argv: Optional[Sequence[str]] = None) -> int:
    return arguments.run(Magnitude, parser().parse_args(argv))


def parser() -> argparse.ArgumentParser:
    parser = rounds.parser(__doc__)
    parser.add_argument(
        "--share", type=float, default=0.37, help="of the weights left that goes each time, default 0.37"
    )
    parser.add_argument(
        "--scope",
        choices=SCOPES,
        default="global",
        help="the smallest of all, of each convolution, or two of each four",
    )
    return parser


class Magnitude(rounds.Rounds):
    """Masks grow from round to round."""

    method = "magnitude"

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises UsageError for a share that is none."""
        if not 0 < args.share < 1:
            raise UsageError(f"--share is {args.share}", hint="expected a share of the weights, such as 0.37")
        super().__init__(args)
        self.start.masks = self.start.masks or masks.full(self.net)

    @property
    def last(self) -> int:
        return 1 if self.args.scope == "2:4" else super().last

    def prune(self) -> Masks:
        return masks.smaller(self.net, self.start.masks, self.args.share, self.args.scope)

    def begin(self, found: Masks) -> None:
        self.start.masks = found
        masks.apply(self.net, found)

    def stepped(self) -> None:
        masks.apply(self.net, self.start.masks)
        super().stepped()


if __name__ == "__main__":
    raise SystemExit(main())
