"""Sets a power mode, reads it back, and puts back the mode before."""

from __future__ import annotations

from edge_runtime.errors import BoardError
from edge_runtime.jetson import caps, nvpmodel, switch
from edge_runtime.jetson.hold import Hold
from edge_runtime.jetson.probe import Probe
from edge_runtime.prove.steps import Task

SETTLE_S = switch.SETTLE_S


def prove(task: Task) -> str:
    """Returns the mode that was set, and the one that was put back.

    Raises:
        UsageError: there is no such mode.
        BoardError: it was refused, did not take effect, or the mode before could not be put back.
    """
    conf = nvpmodel.load_conf(task.board)
    before = nvpmodel.current(task.board, conf)
    with Hold(task.board, settle_s=SETTLE_S) as hold:
        said = hold.set(task.argument)
        mode = nvpmodel.current(task.board, conf)
        found = caps.compare_caps(task.board, conf, mode) if mode else caps.Caps((), 0)
        task.figures.update(set=said, mode=mode.name if mode else None, caps_compared=found.read)
        task.figures["clocks"] = Probe(task.board).read().clocks
    after = nvpmodel.current(task.board, conf)
    task.figures.update(before=before.name if before else None, after=after.name if after else None)
    if after != before:
        raise BoardError(f"the mode before is not back: it is {after.name if after else 'unknown'}", hint="edge-power")
    return f"{said} was set, {found.read} of its caps read back; {before.name if before else 'the mode before'} is back"
