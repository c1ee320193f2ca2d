"""The flags of compaction that two commands have."""

from __future__ import annotations

import argparse
from typing import Tuple

from edge_runtime.graph.compact import MULTIPLE, TOLERANCE


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The limits of compaction; `compact` checks their values. They are None if they are not given, see `limits`."""
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="0..1",
        help=f"relative difference of an output that compaction may make, default {TOLERANCE:.0e}",
    )
    parser.add_argument(
        "--multiple",
        type=int,
        metavar="N",
        help=f"compaction leaves a multiple of N filters in a layer, or all, default {MULTIPLE}; 1 removes all it can",
    )


def limits(args: argparse.Namespace) -> Tuple[float, int]:
    """The tolerance and the multiple, as given or by default."""
    return (
        TOLERANCE if args.tolerance is None else args.tolerance,
        MULTIPLE if args.multiple is None else args.multiple,
    )
