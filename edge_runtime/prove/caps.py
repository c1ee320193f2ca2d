"""Compares the caps of the power mode with those of the kernel."""

from __future__ import annotations

from edge_runtime.errors import BoardError
from edge_runtime.jetson import caps, nvpmodel
from edge_runtime.prove.steps import Skip, Task

HINT = "is nvpmodel.service failing (systemctl status nvpmodel), or jetson_clocks on?"


def prove(task: Task) -> str:
    """Returns the mode, and how many of its caps were compared.

    Raises:
        Skip: there are no modes, or none of the caps can be read.
        BoardError: a cap is not what the mode says.
    """
    try:
        conf = nvpmodel.load_conf(task.board)
    except BoardError as error:
        raise Skip(str(error), error.hint) from error
    mode = nvpmodel.current(task.board, conf)
    if mode is None:
        raise BoardError("the current power mode is not known", hint=f"/{nvpmodel.STATUS} names none: sudo nvpmodel -q")
    found = caps.compare_caps(task.board, conf, mode)
    task.figures.update(mode=mode.name, compared=found.read, differing=list(found.differing))
    task.figures["modes"] = [each.name for each in conf.modes]
    if found.differing:
        raise BoardError(f"{mode.name} is not what it says: {'; '.join(found.differing)}", hint=HINT)
    if not found.read:
        raise Skip(f"the mode is {mode.name}; none of its caps can be read here")
    return f"{mode.name}: all {found.read} caps that can be read are set"
