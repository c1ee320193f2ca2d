"""Proves that a machine works: one step after another, each in its own process. The result is one file to send back.

It changes nothing unless a power mode is asked for. It goes on after a failure. Outside the processes of the steps it
uses the standard library only, because anything else may be broken.
"""

from __future__ import annotations

import platform
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, List

from edge_runtime import __version__
from edge_runtime.jetson import board, private, record
from edge_runtime.prove import child
from edge_runtime.prove.steps import FAILED, GPU, PASSED, SKIPPED, Step, StepResult, Task, listed

__all__ = ["Proof", "prove"]
FORMAT = 1
MISSING = "edge-doctor says what is missing, and how to get it"
HOW = {FAILED: "failed", SKIPPED: "was skipped"}
Told = Callable[[str], None]


@dataclass
class Proof:
    """What was proved.

    Attributes:
        machine: board, system, interpreter.
        steps: the result of each step.
        tree: the board's files, as `--sysroot` takes them.
        complete: whether all steps were tried.
        missing: why it proves too little: "no GPU: …"; "" if it proves enough.
        seconds: duration of all steps.
    """

    machine: Dict[str, str]
    steps: List[StepResult] = field(default_factory=list)
    tree: Dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    missing: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every step that could be tried passed and nothing was missing."""
        return self.complete and not self.missing and all(step.state != FAILED for step in self.steps)

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return {"proof": FORMAT, "version": __version__, "ok": self.ok, **asdict(self)}


def prove(
    root: Path = Path("/"),
    power_mode: str = "",
    begun: Told = lambda name: None,
    ended: Callable[[Proof], None] = lambda proof: None,
) -> Proof:
    """Runs all steps.

    Args:
        root: stands for `/`.
        power_mode: mode to set, read back and put back; "" does not change the mode.
        begun: called with the name of each step that begins.
        ended: called with the proof after each step. The last step in it is the newest.
    """
    started = time.monotonic()
    proof = Proof(_machine(root))
    wanted = listed(root, power_mode)
    with tempfile.TemporaryDirectory(prefix="edge-prove-") as folder:
        for number, step in enumerate((Step("board", ""), *wanted)):
            begun(step.name)
            outcome = _try(step, proof, root, folder) if number else _record(proof, root)
            proof.steps.append(_without_names(outcome, root))
            proof.seconds = round(time.monotonic() - started, 1)
            proof.complete = number == len(wanted)
            proof.missing = _missing(proof, wanted) if proof.complete else ""
            ended(proof)
    return proof


def _machine(root: Path) -> Dict[str, str]:
    release = board.l4t(root)
    return {
        "board": board.name(root), "soc": board.soc(root), "jetpack": board.jetpack_version(release), "l4t": release,
        "machine": platform.machine(), "system": platform.release(), "python": platform.python_version(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip


def _record(proof: Proof, root: Path) -> StepResult:
    started = time.monotonic()
    proof.tree = record.record(root)
    files, closed = len(proof.tree["files"]), proof.tree["read_errors"]
    said = f"{files} files recorded" + (f", {len(closed)} could not be read" if closed else "")
    figures = {"files": files, "read_errors": closed}
    return StepResult("board", PASSED, said, seconds=round(time.monotonic() - started, 2), figures=figures)


def _try(step: Step, proof: Proof, root: Path, folder: str) -> StepResult:
    states = {done.name: done.state for done in proof.steps}
    lacking = next((name for name in step.needs if states.get(name) != PASSED), None)
    if lacking:
        return StepResult(step.name, SKIPPED, f'it needs the step "{lacking}", which {HOW[states[lacking]]}')
    outcome = child.run(step, Task(step.room, step.argument, str(root), folder))
    if outcome.state == SKIPPED and step.jetson and board.is_jetson(root):
        return replace(outcome, state=FAILED, hint=outcome.hint or MISSING)
    return outcome


def _without_names(outcome: StepResult, root: Path) -> StepResult:
    """The result without the names, folders and addresses of this machine's users."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        if isinstance(value, list):
            return [plain(part) for part in value]
        return private.without_names(value, root) if isinstance(value, str) else value

    texts = {name: plain(getattr(outcome, name)) for name in ("said", "hint", "figures")}
    return replace(outcome, **texts)


def _missing(proof: Proof, wanted: List[Step]) -> str:
    """Why too little is proved although nothing failed. The GPU's reason comes first, because others follow from it."""
    must = {step.name for step in wanted if step.must}
    skipped = [step for step in proof.steps if step.state == SKIPPED and step.name in must]
    if any(step.state == FAILED for step in proof.steps) or not skipped:
        return ""
    first = next((step for step in skipped if step.name == GPU), skipped[0])
    return first.said if first.name == GPU else f"{first.name}: {first.said}"
