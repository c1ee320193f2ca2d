"""Libraries that are not what they should be."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Callable

import pytest

Library = Callable[..., None]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Puts a module before the real one: `library("cv2", "raise ImportError('libGL.so.1: ...')")`."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write(name: str, code: str) -> None:
        path = folder.joinpath(*name.split("."))
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").write_text(textwrap.dedent(code), encoding="utf-8")

    return write
