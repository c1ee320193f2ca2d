"""What a replay has found, in words and as plain data."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Dict, List, Sequence

from edge_runtime.blackbox.facts import of_software
from edge_runtime.blackbox.parting import HOST, STAGES, Comparison
from edge_runtime.blackbox.recording import Recording

DECODERS = ("av", "libavcodec", "opencv")
DIFFERS = {
    "tensor": "pictures are equal, so this is a fault of edge-runtime: report it with the recording",
    "decoding": "this is a fault of edge-runtime, or the engine is another one: report it with the recording",
    "tracking": "this is a fault of edge-runtime: report it with the recording",
}


def about(recording: Recording) -> str:
    """One line on a recording: when, why, and of what."""
    said = recording.manifest
    when = "at an unknown time"
    with suppress(TypeError, ValueError, OverflowError, OSError):  # no time, or one that no calendar has
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(said.get("written_s", ""))))
    machine = said.get("machine")
    where = (machine.get("board") or machine.get("machine")) if isinstance(machine, dict) else ""
    names = ", ".join(stream.name for stream in recording.streams)
    return f"recorded {when} on {where or 'an unknown machine'} ({said.get('reason')}): {names}"


def summary(recording: Recording, found: Comparison, backends: Sequence[str], notes: Sequence[str]) -> Dict[str, Any]:
    """Plain data for JSON."""
    for stage in found.stages.values():
        if stage.differ:
            stage.why = _why(stage.name, recording, found, backends, notes)
    return {
        "recording": recording.path, "reason": recording.manifest.get("reason"), **found.to_dict(),
        "engines": [{"recorded": there.description, "here": here} for there, here in zip(recording.engines, backends)],
        "notes": list(notes),
    }  # fmt: skip


def lines(summary: Dict[str, Any]) -> List[str]:
    """The summary for people."""
    said = [f"note: {note}" for note in summary["notes"]]
    missing = summary["frames"] - summary["pictures"]
    if missing:
        said.append(
            f"note: {missing} of {summary['frames']} frames have no picture here: their recorded boxes are used"
        )
    for stage in summary["stages"]:
        total = stage["equal"] + stage["differ"]
        if not total:
            said.append(f"  {stage['stage']:9} not compared: nothing of it was recorded")
            continue
        said.append(f"  {stage['stage']:9} {stage['equal']} of {total} frames equal: {stage['what']}")
        if stage["first"]:
            first = stage["first"]
            said.append(f"            first in frame {first['frame']} of {first['source']}: {first['figure']}")
        if stage["why"]:
            said.append(f"            {stage['why']}")
    return [*said, _sentence(summary)]


def _sentence(summary: Dict[str, Any]) -> str:
    if not summary["frames"]:
        return "there is no result in the recording"
    if summary["equal"]:
        return f"all {summary['frames']} results are equal"
    stage = next(stage for stage in summary["stages"] if stage["stage"] == summary["parts_at"])
    first = stage["first"]
    host = "" if stage["stage"] in HOST else "; what the host computes is equal"
    host = host if not any(s["differ"] for s in summary["stages"] if s["stage"] in HOST) else ""
    return f"they part at the {stage['stage']}, first in frame {first['frame']} of {first['source']}{host}"


def _why(stage: str, recording: Recording, found: Comparison, backends: Sequence[str], notes: Sequence[str]) -> str:
    """What may explain a difference; "" if an earlier stage does."""
    if stage == "picture":
        return _decoders(recording)
    earlier = list(STAGES)[: list(STAGES).index(stage)]
    if stage in ("tensor", "result") and any(found.stages[name].differ for name in earlier):
        return ""
    if stage == "network":
        there = "; ".join(engine.description for engine in recording.engines)
        return f"it was computed by {there}, and here by {'; '.join(backends)}"
    return DIFFERS.get(stage, "") if not notes else ""


def _decoders(recording: Recording) -> str:
    """Versions of the decoders of both machines, if they differ."""
    there, here = recording.manifest.get("software"), of_software()
    there = there if isinstance(there, dict) else {}
    other = [f"{name} {there.get(name)} there, {here.get(name)} here" for name in DECODERS
             if there.get(name) != here.get(name)]  # fmt: skip
    if other:
        return f"another decoder: {', '.join(other)}"
    return "the same libraries decoded it: a picture before it may have been damaged or left out"
