"""Compares what a power mode promises with what the running kernel has. nvpmodel's own report is not enough.

Its exit code may be 0 although nothing was written (in a container). Its status file may name a mode that the board
refused at boot.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from edge_runtime.jetson import board, nvpmodel
from edge_runtime.jetson.nvpmodel import MASK, UNCAPPED, Conf, Mode, Setting

CAP, TABLE, ONLINE = "MAX_FREQ", "FREQ_TABLE", "CPU_ONLINE"


@dataclass(frozen=True)
class Caps:
    """Result of a comparison.

    Attributes:
        differing: one line per cap that did not take effect: "GPU MAX_FREQ is 1020000000, 25W wants 918000000".
        read: number of caps that could be compared.
    """

    differing: Tuple[str, ...]
    read: int

    @property
    def verified(self) -> bool:
        """Whether at least one cap was compared and all of them agree."""
        return bool(self.read) and not self.differing


def compare_caps(root: Path, conf: Conf, mode: Mode) -> Caps:
    """Compares cores, clock caps and power-gating masks of a mode with the live files.

    Leaves out what cannot be read.
    """
    differing, read = [], 0
    for setting in mode.settings:
        if setting.param != ONLINE and setting.arg != CAP and MASK not in setting.arg:
            continue  # the system itself changes lower limits and power control
        path = conf.live(root, setting)
        live = board.read_text(path) if path else ""
        table = _table(root, conf, setting)
        if not live or (uncapped(setting) and not table):
            continue
        read += 1
        if not (_lifted(conf, setting, live, table) if uncapped(setting) else _agrees(setting.value, live, table)):
            wanted = "does not cap it" if uncapped(setting) else f"wants {setting.value}"
            differing.append(f"{setting.name} is {live}, {mode.name} {wanted}")
    return Caps(tuple(differing), read)


def stands(root: Path, conf: Conf, mode: Mode) -> bool:
    """Whether a mode is set already: both its status and its caps say so."""
    return nvpmodel.current(root, conf) == mode and compare_caps(root, conf, mode).verified


def uncapped(setting: Setting) -> bool:
    """Whether a setting lifts a cap instead of setting one."""
    return setting.value in UNCAPPED or (setting.name == f"EMC {CAP}" and setting.value == "0")


def _agrees(value: str, live: str, table: List[int]) -> bool:
    if not table or not (board.is_whole(live) and board.is_whole(value)):
        return live == value
    place = bisect_left(table, int(value))  # a cap between two steps is rounded, down or up
    return int(live) in (*table[max(0, place - 1) : place + 1], int(value))


def _lifted(conf: Conf, setting: Setting, live: str, table: List[int]) -> bool:
    """Whether no cap of another mode is left. The table may list steps that this board does not reach."""
    values = [row.value for mode in conf.modes for row in mode.settings if row.name == setting.name]
    highest = max((int(value) for value in values if board.is_whole(value)), default=0)
    rounded = table[min(bisect_left(table, highest), len(table) - 1)]
    return live == str(table[-1]) or (board.is_whole(live) and int(live) > rounded)


def _table(root: Path, conf: Conf, setting: Setting) -> List[int]:
    path: Optional[Path] = conf.live(root, setting, TABLE) if setting.arg == CAP else None
    return sorted(int(word) for word in board.read_text(path).split() if board.is_whole(word)) if path else []
