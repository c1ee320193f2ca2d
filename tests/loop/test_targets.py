"""Whatever names a source or a sink is taken, alone or in a list; the rest is refused in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import SinkOptions, SourceOptions, open_sink, open_source
from edge_runtime.errors import SourceError, UsageError
from edge_runtime.loop.targets import list_sinks, list_sources

OPEN = open_source("synthetic", SourceOptions(size_wh=(64, 48)))


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("street.mp4", ["street.mp4"]),
        (Path("street.mp4"), ["street.mp4"]),
        (0, ["0"]),
        (np.int64(2), ["2"]),
        ([0, "a.mp4", Path("b.mp4"), OPEN], ["0", "a.mp4", "b.mp4", OPEN]),
        ((0,), ["0"]),
        (OPEN, [OPEN]),
    ],
)
def test_sources(given: Any, texts: list) -> None:
    assert list_sources(given) == texts


@pytest.mark.parametrize("given", [None, [], (), 1.5, True, -1, {}, b"x", [None], [[0]], np.zeros((4, 4, 3), np.uint8)])
def test_what_is_no_source(given: Any) -> None:
    with pytest.raises(UsageError, match="no source") as caught:
        list_sources(given)
    assert "camera number" in str(caught.value.hint)


def test_an_open_file_is_neither_source_nor_sink(tmp_path: Path) -> None:
    with open(tmp_path / "a.jsonl", "w+", encoding="utf-8") as file:
        for listed in (list_sources, list_sinks):
            with pytest.raises(UsageError, match="TextIOWrapper"):
                listed(file)


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("out.jsonl", ["out.jsonl"]),
        (Path("out.mp4"), ["out.mp4"]),
        (Path("drawn/"), ["drawn/"]),
        ([], []),
        ((), []),
        (["-", Path("a/b.jsonl")], ["-", "a/b.jsonl"]),
    ],
)
def test_sinks(given: Any, texts: list) -> None:
    assert list_sinks(given) == texts


@pytest.mark.parametrize("given", [None, 0, 1.5, {}, [None], b"x"])
def test_what_is_no_sink(given: Any) -> None:
    with pytest.raises(UsageError, match="no sink"):
        list_sinks(given)


def test_sources_and_sinks_are_opened_with_options(tmp_path: Path) -> None:
    source = open_source("synthetic", SourceOptions(size_wh=(64, 48)))
    frame = source.read()
    assert frame is not None and frame.image_wh == (64, 48)
    source.close()
    with pytest.raises(SourceError):
        open_source(Path("none.mp4"))
    with pytest.raises(SourceError):
        open_source(63)  # no such camera
    sink = open_sink(tmp_path / "drawn", SinkOptions())
    sink.close()
    assert sink.target == f"{tmp_path}/drawn/" and not os.path.exists(sink.target), "made with the first picture"
