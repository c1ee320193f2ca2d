"""What two networks say of themselves, where they do not say the same."""

from __future__ import annotations

from typing import Sequence

from edge_runtime.model.spec import ModelSpec

PREPARATION = {"resize": "resize", "color": "channel order", "mean": "mean", "std": "std", "pad_value": "padding"}
DECODING = ("family", "anchors", "strides", "scale_xy", "head_layout", "labels")
LONG = ("anchors", "labels")


def preparation(ours: ModelSpec, theirs: ModelSpec) -> str:
    """How the second prepares pictures otherwise, in words to follow "it has"; "" if it does not."""
    words = [] if ours.input_wh == theirs.input_wh else [_said("input size", ours.input_wh, theirs.input_wh)]
    for name, what in PREPARATION.items():
        stretched = ours.resize == theirs.resize == "stretch" and name == "pad_value"
        if getattr(ours, name) != getattr(theirs, name) and not stretched:
            words.append(_said(what, getattr(ours, name), getattr(theirs, name)))
    return ", ".join(words)


def decoding(ours: ModelSpec, theirs: ModelSpec) -> str:
    """How the second reads its outputs otherwise, in words to follow "it has"; "" if it does not."""
    return ", ".join(_named(name, ours, theirs) for name in DECODING if getattr(ours, name) != getattr(theirs, name))


def _named(name: str, ours: ModelSpec, theirs: ModelSpec) -> str:
    return f"other {name}" if name in LONG else _said(name, getattr(ours, name), getattr(theirs, name))


def _said(what: str, ours: object, theirs: object) -> str:
    return f"{what} {_text(theirs)}, not {_text(ours)}"


def _text(value: object) -> str:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return str(value)
    shown = [f"{each:g}" if isinstance(each, float) else str(each) for each in value] or ["none"]
    return shown[0] if len(set(shown)) == 1 else ",".join(shown)
