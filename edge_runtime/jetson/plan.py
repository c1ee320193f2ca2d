"""Says what setting a power mode would do, without doing it. It only reads: it needs no root and runs no program."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Optional

from edge_runtime.jetson import board, caps, nvpmodel
from edge_runtime.jetson.caps import CAP, ONLINE
from edge_runtime.jetson.nvpmodel import Conf, Mode, Setting

CLOCKS = {"CPU": 1e3, "GPU": 1e6, "EMC": 1e6}  # keys: how a setting's name begins; values: its unit per MHz


def lines(root: Path, conf: Conf, mode: Mode, remark: str = "") -> List[str]:
    """The command, whether it needs a reboot, which mode is set now, and each cap beside the current value.

    Args:
        remark: printed instead of the mode's name if several modes fitted.
    """
    before, reason = nvpmodel.current(root, conf), nvpmodel.reboot_reason(root, conf, mode)
    now = f"the mode is {before.name} now" if before else "the mode now is not known"
    reboot = f"which needs a reboot ({reason}) and is refused" if reason else "without a reboot"
    found = [*_cores(root, conf, mode), *_clocks(root, conf, mode)]
    return [f"{remark or mode.name}: nvpmodel -m {mode.id}, {reboot}; {now}", *(found or ["  its caps are not known"])]


def _cores(root: Path, conf: Conf, mode: Mode) -> Iterator[str]:
    rows = [row for row in mode.settings if row.param == ONLINE]
    if rows:
        live = [text for row in rows for text in [_live(root, conf, row)] if text]
        now = f", {live.count('1')} now" if live else ""
        yield f"  {'cores':6}{sum(row.value == '1' for row in rows)}{now}"


def _clocks(root: Path, conf: Conf, mode: Mode) -> Iterator[str]:
    """The highest cap of each group, because all members of a group have the same cap."""
    for group, unit in CLOCKS.items():
        rows = [row for row in mode.settings if row.arg == CAP and row.param.split("_")[0] == group]
        if rows:
            wanted = ["not capped" if caps.uncapped(row) else f"at most {_mhz(row.value, unit)}" for row in rows]
            live = [int(text) / unit for row in rows for text in [_live(root, conf, row)] if board.is_whole(text)]
            now = f", {max(live):g} now" if any(live) else ""
            yield f"  {group:6}{' or '.join(dict.fromkeys(wanted))}{now}"


def _mhz(value: str, unit: float) -> str:
    """MHz if the value is a number. Otherwise the value itself, because a mode of the user may contain any text."""
    return f"{int(value) / unit:g} MHz" if board.is_whole(value) else repr(value)


def _live(root: Path, conf: Conf, setting: Setting) -> str:
    path: Optional[Path] = conf.live(root, setting)
    return board.read_text(path) if path else ""
