"""Writes a proof in plain sentences."""

from __future__ import annotations

import textwrap
from typing import Any, Dict, List

from edge_runtime.prove.steps import FAILED, PASSED, SKIPPED

WIDTH = 116
STATES = (PASSED, FAILED, SKIPPED)
NAMES = 20  # columns of a step's name


def heading(proof: Dict[str, Any]) -> str:
    """The line about the machine."""
    about = proof["machine"]
    linux = f"JetPack {about['jetpack']} (Jetson Linux {about['l4t']})" if about["l4t"] else f"Linux {about['system']}"
    name = about["board"] or f"a computer ({about['machine']})"
    soc = f" ({about['soc']})" if about["soc"] else ""
    return f"edge-runtime {proof['version']} on {name}{soc}, {linux}, Python {about['python']}, {about['time']}"


def line(step: Dict[str, Any]) -> str:
    """The line about one step, with its hint."""
    head, indent = f"{step['state']:8} {step['name']:{NAMES}} ", " " * (NAMES + 10)
    text = textwrap.fill(step["said"], WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    return f"{text}\n{indent}hint: {step['hint']}" if step["hint"] else text


def verdict(proof: Dict[str, Any]) -> str:
    """The last line: counts and verdict."""
    counts = {state: sum(step["state"] == state for step in proof["steps"]) for state in STATES}
    said = f"{', '.join(f'{count} {state}' for state, count in counts.items())}, in {proof['seconds']:.0f} s"
    failed = [step["name"] for step in proof["steps"] if step["state"] == FAILED]
    if not proof["complete"]:
        return f"{said}. It was ended before its last step: this proves nothing yet."
    if failed:
        return f"{said}. Not proved: {', '.join(failed)} failed."
    return f"{said}. Not proved: {proof['missing']}." if proof["missing"] else f"{said}. Everything is proved."


def text(proof: Dict[str, Any]) -> List[str]:
    """All lines of a proof."""
    return [heading(proof), *(line(step) for step in proof["steps"]), "", verdict(proof)]
