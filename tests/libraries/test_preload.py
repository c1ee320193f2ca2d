"""Libraries that are loaded before others, on ARM alone."""

from __future__ import annotations

import ctypes
import os
from typing import Iterator, List, Optional

import pytest

from edge_runtime.libraries import preload


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[str]]:
    """What is loaded where there is a libgomp and no libGLdispatch."""
    names: List[str] = []

    def load(name: str, mode: int) -> None:
        assert mode == ctypes.RTLD_GLOBAL
        names.append(name)
        if name != "libgomp.so.1":
            raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(preload.ctypes, "CDLL", load)
    preload.preload.cache_clear()
    yield names
    preload.preload.cache_clear()


@pytest.mark.parametrize(("machine", "expected"), [("aarch64", list(preload.EARLY)), ("x86_64", [])])
def test_they_are_loaded_once(
    loaded: List[str], monkeypatch: pytest.MonkeyPatch, machine: str, expected: List[str]
) -> None:
    monkeypatch.setattr(preload.platform, "machine", lambda: machine)
    assert preload.preload() == preload.preload() == expected[:1]  # what is not there is not needed
    assert loaded == expected


@pytest.mark.parametrize("before", [None, "libjemalloc.so.2"])
def test_programs_inherit_those_that_are_there(
    loaded: List[str], monkeypatch: pytest.MonkeyPatch, before: Optional[str]
) -> None:
    monkeypatch.setattr(preload.platform, "machine", lambda: "aarch64")
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    if before:
        monkeypatch.setenv("LD_PRELOAD", before)
    with preload.inherited():
        assert os.environ["LD_PRELOAD"] == ":".join(filter(None, ["libgomp.so.1", before]))
    assert os.environ.get("LD_PRELOAD") == before


def test_elsewhere_nothing_is_inherited(loaded: List[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    with preload.inherited():
        assert "LD_PRELOAD" not in os.environ
