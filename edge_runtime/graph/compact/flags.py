"""The flags of compaction that two commands have."""

from __future__ import annotations

import argparse

from edge_runtime.graph.compact import MULTIPLE, TOLERANCE


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The limits of compaction; `compact` checks their values."""
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="0..1",
        help=f"relative difference of an output that compaction may make, default {TOLERANCE:.0e}",
    )
    parser.add_argument(
        "--multiple",
        type=int,
        default=MULTIPLE,
        metavar="N",
        help=f"compaction leaves a multiple of N filters in a layer, or all, default {MULTIPLE}; 1 removes all it can",
    )
