"""docs/events.md: its examples have the fields that events have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict

import pytest

from edge_runtime.events.options import EventOptions
from edge_runtime.sinks import clips
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone
from edge_runtime.types.events import KINDS, Event
from tests.events.scenes import Scene, walk

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


def examples() -> Dict[str, Dict[str, Any]]:
    rows = [json.loads(line) for block in re.findall(r"```json\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
    return {row["event"]: row for row in rows}


def test_every_kind_has_an_example() -> None:
    assert set(examples()) == set(KINDS)


@pytest.mark.parametrize("kind", ["new", "update", "crossing", "end", "counts"])
def test_examples_have_the_fields_of_events(kind: str) -> None:
    line, zone = Line("door", ((320, 480), (320, 0))), Zone("hall", ((0, 0), (320, 0), (320, 480), (0, 480)))
    scene = Scene(TrackOptions(min_hits=1, lines=(line,), zones=(zone,)), EventOptions(update_s=0.1))
    walk(scene, range(200, 400, 10))
    scene.end()
    draft = scene.of(kind)[0]
    made = Event(draft.kind, "cam", draft.time_s, 1, "r", draft.key, draft.data).record()
    example = examples()[kind]
    example.pop("picture", None)
    assert list(example) == list(made)
    for name, value in made.items():
        assert type(example[name]) is type(json.loads(json.dumps(value))), name


def test_defaults_are_those_of_the_code() -> None:
    said = dict(re.findall(r"^\| `(longest|bytes)` \| (\w+) \|", TEXT, re.M))
    assert said == {"longest": f"{clips.DEFAULTS['longest']:g}", "bytes": f"{clips.DEFAULTS['bytes'] / 1e9:g}G"}
    assert f"at most {EventOptions().picture_px} pixels" in TEXT and f"quality {EventOptions().quality}" in TEXT
