"""Libraries that are loaded before others, on ARM alone."""

from __future__ import annotations

import ctypes
from typing import List

import pytest

from edge_runtime import preload


@pytest.mark.parametrize(("machine", "expected"), [("aarch64", list(preload.EARLY)), ("x86_64", [])])
def test_they_are_loaded_once_for_all(monkeypatch: pytest.MonkeyPatch, machine: str, expected: List[str]) -> None:
    loaded: List[str] = []

    def load(name: str, mode: int) -> None:
        assert mode == ctypes.RTLD_GLOBAL
        loaded.append(name)
        raise OSError(f"{name}: cannot open shared object file")  # what is not there is not needed

    monkeypatch.setattr(preload.platform, "machine", lambda: machine)
    monkeypatch.setattr(preload.ctypes, "CDLL", load)
    preload.preload.cache_clear()
    preload.preload()
    preload.preload()
    preload.preload.cache_clear()
    assert loaded == expected
