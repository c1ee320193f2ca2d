"""Sets a power mode and checks that it is set. It never reboots, never prompts and never hangs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, List, Sequence

from edge_runtime.errors import BoardError
from edge_runtime.jetson import caps, nvpmodel
from edge_runtime.jetson.nvpmodel import Conf, Mode
from edge_runtime.jetson.probe import Probe

NVPMODEL, CLOCKS = "usr/sbin/nvpmodel", "usr/bin/jetson_clocks"
TIMEOUT_S = 15.0
SETTLE_S = 10.0  # the clocks are still the old ones in the first seconds after a switch
ASK = "sudo nvpmodel -m {} asks whether the board may restart"
STORED_CLOCKS = "var/lib/edge-runtime/jetson_clocks.conf"


def set_mode(
    root: Path,
    conf: Conf,
    mode: Mode,
    *,
    settle_s: float = SETTLE_S,
    timeout_s: float = TIMEOUT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Sets a mode, reads back whether it took effect, and waits until its clocks are stable.

    Raises:
        BoardError: it needs a reboot (nothing was changed), was refused, or did not take effect.
    """
    refuse_reboot(root, conf, mode)
    said = run_nvpmodel(root, NVPMODEL, ["-m", str(mode.id)], timeout_s)
    _believe(said, mode)
    _verify(root, conf, mode, timeout_s)
    sleep(settle_s)


def refuse_reboot(root: Path, conf: Conf, mode: Mode) -> None:
    """Refuses a mode that cannot be set while the board runs.

    Raises:
        BoardError: it needs a reboot.
    """
    reason = nvpmodel.reboot_reason(root, conf, mode)
    if reason:
        raise BoardError(f"{mode.name} needs a reboot: {reason}", hint=ASK.format(mode.id))


def lock_clocks(root: Path, timeout_s: float = TIMEOUT_S) -> None:
    """Stores the limits of the clocks, then holds all clocks at the caps of the current mode.

    Raises:
        BoardError: jetson_clocks does not exist or failed, or the GPU's clock is not held afterwards.
    """
    stored = root / STORED_CLOCKS
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.unlink(missing_ok=True)  # jetson_clocks refuses to overwrite a file
    run_nvpmodel(root, CLOCKS, ["--store", str(stored)], timeout_s)
    run_nvpmodel(root, CLOCKS, [], timeout_s)
    if not Probe(root).locked:
        raise BoardError("jetson_clocks did not hold the GPU's clock", hint="sudo jetson_clocks --show says more")


def free_clocks(root: Path, timeout_s: float = TIMEOUT_S) -> None:
    """Puts back the limits that `lock_clocks` stored, once. Does nothing if it stored none.

    Raises:
        BoardError: jetson_clocks does not exist, or failed.
    """
    stored = root / STORED_CLOCKS
    if stored.exists():
        run_nvpmodel(root, CLOCKS, ["--restore", str(stored)], timeout_s)
        stored.unlink()


def run_nvpmodel(root: Path, program: str, arguments: Sequence[str], timeout_s: float) -> str:
    """Returns what a board's program prints on both streams. It gets no input.

    After `timeout_s` it is killed with its children.

    Raises:
        BoardError: it does not exist, needs root, took too long, or returned an error.
    """
    name = Path(program).name
    command = [runnable(root, program), *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        errors="replace", start_new_session=True, env={**os.environ, "LC_ALL": "C", "EDGE_SYSROOT": str(root)},
    )  # fmt: skip
    try:
        said = process.communicate(timeout=timeout_s)[0]
    except BaseException as error:  # also on Ctrl-C: no process may stay behind
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        hint = f"run sudo {name} {' '.join(arguments)} by hand and see what it asks"
        raise BoardError(f"{name} did not answer within {timeout_s:g} s", hint=hint) from error
    if process.returncode and "Reboot required" not in said:
        hint = f"run sudo {name} {' '.join(arguments)} by hand"
        raise BoardError(f"{name} failed ({process.returncode}): {_first(said)}", hint=hint)
    return said


def runnable(root: Path, program: str) -> str:
    """The path of a board's program that this process may run.

    Raises:
        BoardError: it does not exist, or needs root.
    """
    found = _executable(root, program)
    if root == Path("/") and os.geteuid() != 0:
        raise BoardError(f"{Path(program).name} needs root", hint='sudo env PATH="$PATH" before the command')
    return found


def _executable(root: Path, program: str) -> str:
    found = shutil.which(str(root / program)) or (shutil.which(Path(program).name) if root == Path("/") else None)
    if found is None:
        hint = "in a container, set the mode on the host: docker/run.sh --power-mode MODE"
        raise BoardError(f"no {Path(program).name} here", hint=hint)
    return found


def _believe(said: str, mode: Mode) -> None:
    """Looks for errors in what nvpmodel prints, because its exit code may be 0 all the same.

    Raises:
        BoardError: it did not set the mode.
    """
    if "ignoring request" in said:
        hint = "set the mode on the host, docker/run.sh --power-mode MODE; the status file may be wrong now"
        raise BoardError("nvpmodel does nothing inside a container", hint=hint)
    if "Reboot required" in said:
        raise BoardError(f"{mode.name} needs a reboot, which was declined", hint=ASK.format(mode.id))
    if "NVPM ERROR" in said:
        raise BoardError(
            f"nvpmodel refused {mode.name}: {_first(said)}", hint=f"run sudo nvpmodel -m {mode.id} by hand"
        )


def _verify(root: Path, conf: Conf, mode: Mode, timeout_s: float) -> None:
    """Asks nvpmodel for the mode, and the kernel for its caps.

    Raises:
        BoardError: either disagrees.
    """
    answer = re.search(r"NV Power Mode: *\S+\s+(\d+)", run_nvpmodel(root, NVPMODEL, ["-q"], timeout_s))
    if not answer or int(answer.group(1)) != mode.id:
        now = answer.group(1) if answer else "unknown"
        raise BoardError(f"{mode.name} was not taken: nvpmodel -q says mode {now}", hint="sudo nvpmodel -q says more")
    differing: List[str] = list(caps.compare_caps(root, conf, mode).differing)
    if differing:
        more = f" and {len(differing) - 2} more" if len(differing) > 2 else ""
        hint = "something else sets clocks: is nvpmodel.service failing, or jetson_clocks on?"
        raise BoardError(f"{mode.name} did not take: {'; '.join(differing[:2])}{more}", hint=hint)


def _first(said: str) -> str:
    """The first line with an error, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if "ERROR" in line), lines[-1] if lines else "it says nothing")
