"""Holds a power mode. The mode before is put back at the end, on Ctrl-C, and by the next run after a kill.

The mode to put back is written to a file, under a lock, before anything is changed. The file survives a reboot.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Callable, Iterable, Optional, Tuple, Type

from edge_runtime.errors import BoardError
from edge_runtime.jetson import board, caps, lock, nvpmodel, switch
from edge_runtime.jetson.nvpmodel import Conf, Mode

STATE = "var/lib/edge-runtime/power.json"


@dataclass(frozen=True)
class HeldMode:
    """Content of the file that says what to put back.

    Attributes:
        before: ID of the mode to put back.
        mode: name of the one that was set.
        clocks: whether jetson_clocks holds them.
        pid, started: the process that holds the mode until its end, and when it began (numbers are used again).
        boot: ID of the boot that the process runs in.
    """

    before: int
    mode: str
    clocks: bool
    pid: int
    started: str
    boot: str

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.boot == _boot() and self.started == _started(self.pid) != ""


class Hold:
    """Holds one mode after another. As a context manager it puts back the mode that was set at the start.

    Args:
        root: stands for `/`.
        owner: process that holds the mode until its end: this one, or a script that calls us.
        jetson_clocks: also hold clocks at each mode's caps.
        settle_s: seconds to wait after each switch.
    """

    def __init__(
        self,
        root: Path,
        *,
        owner: int = 0,
        jetson_clocks: bool = False,
        settle_s: float = switch.SETTLE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root, self._owner, self._clocks = root, owner or os.getpid(), jetson_clocks
        self._settle_s, self._sleep = settle_s, sleep
        self._conf: Conf = nvpmodel.load_conf(root)

    def set(self, wanted: str, settle_s: Optional[float] = None) -> str:
        """Sets a mode by name or ID. Returns its name, with a remark if several modes fitted.

        Args:
            settle_s: seconds to wait this time.

        Raises:
            UsageError: there is no such mode.
            BoardError: another process holds a mode, or the mode needs a reboot, was refused, or did not take effect.
        """
        mode, remark = self._settable(wanted)
        if self._stands(mode):
            return remark or mode.name
        with lock.locked(self._root / STATE, lambda: mode_held_by(self._root, self._owner)):
            self._switch(mode, self._settle_s if settle_s is None else settle_s)
        return remark or mode.name

    def check(self, wanted: str) -> None:
        """Refuses what `set` would refuse, and changes nothing. A mode that another process holds is not looked at.

        Raises:
            UsageError, BoardError: see `set`.
        """
        mode, _ = self._settable(wanted)
        if self._stands(mode):
            return
        for program in (switch.NVPMODEL, switch.CLOCKS)[: 1 + self._clocks]:
            switch.runnable(self._root, program)
        if mode_held(self._root) is None:
            self._before()

    def refuse_unknown(self, modes: Iterable[str]) -> None:
        """Refuses modes that this board does not have.

        Raises:
            UsageError: there is such a one.
        """
        for mode in modes:
            nvpmodel.resolve(self._conf, mode)

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        held = mode_held(self._root)
        if held and held.pid == self._owner:  # a mode that another process holds is put back by that process
            restore(self._root, self._owner, sleep=self._sleep)

    def _settable(self, wanted: str) -> Tuple[Mode, str]:
        """The mode, which needs no reboot, and a remark; see `nvpmodel.resolve`."""
        mode, remark = nvpmodel.resolve(self._conf, wanted)
        switch.refuse_reboot(self._root, self._conf, mode)
        return mode, remark

    def _stands(self, mode: Mode) -> bool:
        """Whether there is nothing to set and nothing to put back, so that root is not needed."""
        return not (self._clocks or mode_held(self._root)) and caps.stands(self._root, self._conf, mode)

    def _switch(self, mode: Mode, settle_s: float) -> None:
        # the mode that a killed run left is still to be put back
        held = mode_held_by(self._root, self._owner) or mode_held(self._root)
        before = held.before if held else self._before()
        self._write(HeldMode(before, mode.name, self._clocks, self._owner, _started(self._owner), _boot()))
        try:
            if held and held.clocks:
                switch.free_clocks(self._root)
            switch.set_mode(self._root, self._conf, mode, settle_s=settle_s, sleep=self._sleep)
            if self._clocks:
                switch.lock_clocks(self._root)
        except BoardError:
            self._forget_where_unchanged(before)
            raise

    def _forget_where_unchanged(self, before: int) -> None:
        """Asks the clocks whether a refused switch changed anything (in a container the status file is wrong)."""
        mode = self._conf.mode(before)
        if mode and caps.compare_caps(self._root, self._conf, mode).verified and not self._clocks:
            forget(self._root)

    def _before(self) -> int:
        mode = nvpmodel.current(self._root, self._conf)
        if mode is None:
            raise BoardError("the current power mode is not known", hint=f"/{nvpmodel.STATUS} names none; nvpmodel -q?")
        return mode.id

    def _write(self, held: HeldMode) -> None:
        path = self._root / STATE
        new = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8") as file:
                json.dump(asdict(held), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except OSError as error:
            raise BoardError(f"{path} cannot be written: {error.strerror}", hint=lock.NO_RIGHT) from error


def mode_held(root: Path = Path("/")) -> Optional[HeldMode]:
    """Reads the file of the held mode. None if no mode is held."""
    try:
        return HeldMode(**json.loads(board.read_text(root / STATE)))
    except (ValueError, TypeError):
        return None


def recover(root: Path = Path("/")) -> str:
    """Puts back the mode that a killed run left behind. Returns a sentence about it, or "" if there was none.

    Raises:
        BoardError: it could not be put back.
    """
    if not _left_behind(root):
        return ""
    with lock.locked(root / STATE):
        held = _left_behind(root)
        if not held:
            return ""  # another process was faster
        mode = _put_back(root, held)
    return f"process {held.pid} was killed and left {held.mode} behind: {mode.name} is back"


def restore(root: Path, owner: int = 0, sleep: Callable[[float], None] = time.sleep) -> Optional[Mode]:
    """Puts back the mode (and clocks) from before. Returns None if nothing is held.

    Args:
        owner: process that may hold the mode; 0 for this process.

    Raises:
        BoardError: another process holds it, or mode and clocks could not be put back. The file then stays.
    """
    if mode_held(root) is None:
        return None
    with lock.locked(root / STATE):
        mode_held_by(root, owner or os.getpid())
        held = mode_held(root)
        return _put_back(root, held, sleep) if held else None


def _left_behind(root: Path) -> Optional[HeldMode]:
    held = mode_held(root)
    return None if held is None or held.alive else held


def _put_back(root: Path, held: HeldMode, sleep: Callable[[float], None] = time.sleep) -> Mode:
    conf = nvpmodel.load_conf(root)
    try:
        if held.clocks:
            switch.free_clocks(root)
    finally:
        before = _recorded(conf, held)
        switch.set_mode(root, conf, before, settle_s=0, sleep=sleep)
    forget(root)
    return before


def _recorded(conf: Conf, held: HeldMode) -> Mode:
    """The mode to put back. It may be gone if the configuration was edited meanwhile."""
    before = conf.mode(held.before)
    if before is None:
        hint = f"sudo edge-power set MODE sets a mode that stays: {', '.join(mode.name for mode in conf.modes)}"
        raise BoardError(f"mode {held.before} is to be put back, but /{nvpmodel.CONF} does not have it", hint=hint)
    return before


def forget(root: Path) -> None:
    """Removes the file: nothing is left to put back."""
    (root / STATE).unlink(missing_ok=True)


def set_for_good(root: Path, wanted: str, settle_s: float = switch.SETTLE_S, jetson_clocks: bool = False) -> str:
    """Sets a mode that stays. Returns its name, with a remark if several modes fitted.

    Raises:
        UsageError, BoardError: see `Hold.set`.
    """
    conf = nvpmodel.load_conf(root)
    mode, remark = nvpmodel.resolve(conf, wanted)
    with lock.locked(root / STATE, lambda: mode_held_by(root, os.getpid())):
        mode_held_by(root, os.getpid())
        switch.set_mode(root, conf, mode, settle_s=settle_s)
        if jetson_clocks:
            switch.lock_clocks(root)
        forget(root)
    return remark or mode.name


def mode_held_by(root: Path, owner: int) -> Optional[HeldMode]:
    """The mode that this owner holds. None if no living process holds one.

    Raises:
        BoardError: another living process holds a mode.
    """
    held = mode_held(root)
    if held is None or not held.alive:
        return None
    if held.pid != owner:
        raise BoardError(f"process {held.pid} holds {held.mode}", hint="wait until it ends, or end it")
    return held


def _started(pid: int) -> str:
    """When a process began, in ticks since boot (field 22 of proc(5)). Empty if there is no such process."""
    fields = board.read_text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _boot() -> str:
    return board.read_text(Path("/proc/sys/kernel/random/boot_id"))
