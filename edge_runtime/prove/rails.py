"""Measures the watts of every rail, idle and while the model runs, with clocks and throttling."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Tuple

from edge_runtime.detect.detector import Detector
from edge_runtime.energy.sampler import Sampler, Span
from edge_runtime.errors import SourceError
from edge_runtime.jetson import record
from edge_runtime.prove import shipped
from edge_runtime.prove.compiler import own_cache
from edge_runtime.prove.steps import PLANS, Skip, Task

IDLE_S, LOAD_S = 5.0, 15.0
SENSORS = ("hwmon", "iio", "powercap")


def prove(task: Task) -> str:
    """Returns the watts.

    Raises:
        Skip: nothing measures here.
        SourceError: a rail cannot be read.
    """
    own_cache(task)
    with ExitStack() as stack:
        sampler = stack.enter_context(Sampler.open(task.board))
        if sampler.meter is None or sampler.total is None:
            raise Skip(sampler.reason, "edge-power says what was looked for")
        detector, load = _load(task)
        stack.callback(detector.close)
        idle = _measured(sampler, lambda until: time.sleep(IDLE_S), IDLE_S)
        loaded = _measured(sampler, lambda until: _run(task, detector, until), LOAD_S)
    task.figures.update(meter=sampler.meter.name, scope=sampler.total.scope, load=load, gaps=sampler.meter.gaps)
    task.figures.update(total=sampler.total.name, idle=_figures(idle), under_load=_figures(loaded))
    unread = [rail for rail in sampler.meter.rails if rail not in idle.rails_w() or rail not in loaded.rails_w()]
    idle_w, load_w = idle.energy.mean_w, loaded.energy.mean_w
    if unread or idle_w is None or load_w is None:
        names = ", ".join(unread) or "a rail"
        raise SourceError(f"{names} cannot be read{_closed(task.board)}", hint="run it with sudo")
    task.figures["throttle"] = _events(idle, loaded)
    return _said(task.figures, idle_w, load_w)


def _said(figures: Dict[str, Any], idle_w: float, load_w: float) -> str:
    events = ", ".join(f"{name} {count}" for name, count in figures["throttle"].items() if count) or "none"
    return (
        f"{figures['total']} {idle_w:.2f} W idle, {load_w:.2f} W with {figures['load']} "
        f"({figures['fps']:.0f} frames per second); throttling meanwhile: {events}"
    )


def _load(task: Task) -> Tuple[Detector, str]:
    """The model as a plan if one was built, else as ONNX."""
    for name in PLANS:
        plan = Path(task.folder, name)
        if plan.is_file():
            return Detector.open(str(plan)), f"{name} on the GPU"
    model = shipped.find_models(Path(task.folder))
    return Detector.open(model.path), f"{model.name} on the processor, as there is no plan"


def _measured(sampler: Sampler, work: Any, seconds: float) -> Span:
    span = sampler.begin()
    work(time.monotonic() + seconds)
    return sampler.end(span)


def _run(task: Task, detector: Detector, until_s: float) -> None:
    frames, picture, started = 0, shipped.pictures()[0], time.monotonic()
    while time.monotonic() < until_s or not frames:
        detector(picture)
        frames += 1
    task.figures["fps"] = round(frames / (time.monotonic() - started), 1)


def _figures(span: Span) -> Dict[str, Any]:
    state = span.states[-1].to_dict() if span.states else {}
    watts = {name: round(value, 3) for name, value in span.rails_w().items()}
    return {"total_w": span.energy.mean_w, "rails_w": watts, "state": state}


def _events(idle: Span, loaded: Span) -> Dict[str, int]:
    """Events that were counted under load, and devices that limited something at any time."""
    before = idle.states[-1].throttle if idle.states else {}
    after = loaded.states[-1].throttle if loaded.states else {}
    events = {name: count - before.get(name, 0) for name, count in after.items() if name != "cooling"}
    cooling: List[int] = [state.throttle["cooling"] for state in loaded.states if "cooling" in state.throttle]
    return {**events, **({"cooling": max(cooling)} if cooling else {})}


def _closed(root: Path) -> str:
    """The first sensor's file that cannot be read, and why."""
    errors = record.record(root, ask=False)["read_errors"]
    path = next((path for path in errors if any(part in path for part in SENSORS)), "")
    return f": {errors[path]} of /{path}" if path else ""
