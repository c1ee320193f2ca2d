"""Runs a trial of `trials` in a child process: a broken library may crash, hang, or print pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from edge_runtime.libraries import causes

LIMIT_S = 60.0


@dataclass(frozen=True)
class TrialOutcome:
    """Result of a trial.

    Attributes:
        said: what worked, step by step: the version of what was loaded, then what it did.
        reason: why it went no further, with the cause if that is known; "" if everything worked.
        fix: what to do about it.
        notes: remarks that our own code printed.
    """

    said: Tuple[str, ...]
    reason: str = ""
    fix: Optional[str] = None
    notes: Tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """The whole result in one line."""
        return "; ".join(filter(None, [", ".join(self.said), self.reason, *self.notes]))


def attempt(name: str, root: Path = Path("/"), quick: bool = False, limit_s: float = LIMIT_S) -> TrialOutcome:
    """Tries a library in the way that the product uses it.

    Args:
        name: of a function in `trials`.
        root: stands for `/` when the board is read.
        quick: only load it.
        limit_s: seconds after which it is killed.
    """
    command = [sys.executable, "-m", "edge_runtime.doctor.trials", name, *(["--quick"] if quick else [])]
    paths = os.pathsep.join(filter(None, sys.path))  # so that the child imports the same modules as we do
    same = {**os.environ, "PYTHONPATH": paths, "EDGE_SYSROOT": str(root)}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=same, encoding="utf-8",
        errors="replace", start_new_session=True,
    ) as child:  # fmt: skip
        try:
            out, err = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # its own children hold our pipes too
            out, err = child.communicate()
            return _outcome(name, out, err, f"it did not end within {limit_s:g} s")
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    return _outcome(name, out, err, _death(child.returncode, err))


def _outcome(name: str, out: str, err: str, death: str) -> TrialOutcome:
    lines = [line for line in map(_parsed, out.splitlines()) if line]
    said = tuple(line["said"] for line in lines if "said" in line)
    notes = tuple(line[len("note: ") :] for line in err.splitlines() if line.startswith("note: "))
    if any("done" in line for line in lines):
        return TrialOutcome(said, notes=notes)
    failed: Dict[str, Any] = next((line for line in lines if "error" in line), {"error": death, "hint": None})
    generic = f"python -m edge_runtime.doctor.trials {name} shows all that it prints"
    return TrialOutcome(said, *causes.explain(failed["error"], failed["hint"] or generic, err), notes)


def _death(code: int, err: str) -> str:
    """How the child ended, for a child that printed no result."""
    last: List[str] = [line.strip() for line in err.splitlines() if line.strip()][-1:]
    how = f"it ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"
    return ": ".join([how, *last])


def _parsed(line: str) -> Dict[str, Any]:
    """The lines of the child's result. Libraries in it may print other lines."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) and said.keys() & {"said", "error", "done"} else {}
