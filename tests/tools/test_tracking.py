"""The comparison of trackers: what it counts."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("tracking")


def test_ids_agree_by_the_best_pairing(tool: Any) -> None:
    pytest.importorskip("scipy", reason="comes with supervision: pip install '.[dev]'")
    ours, theirs = [[1, 2], [1, 2], [1, -1], [3, 2]], [[7, 9], [7, 9], [9, 9], [7, -1]]
    found = tool.agreement(ours, theirs)
    want = {"ours": 3, "theirs": 2, "both": 6, "ours only": 1, "theirs only": 1, "same": 4}
    assert found == want


def test_a_scene_has_known_objects_and_ours_follows_them(tool: Any) -> None:
    clip = tool.scene(0, 1.0, frames=60)
    assert len(clip) == 60 and all(len(frame.found) == len(frame.objects) for frame in clip)
    ids = tool.our_ids(clip, by_class=False)
    assert max(map(max, ids)) >= 10 and tool.changes(clip, ids) <= 6
    shuffled = [[number + 100 * index for number in numbers] for index, numbers in enumerate(ids)]
    assert tool.changes(clip, shuffled) > 300
