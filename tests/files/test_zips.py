from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Callable
from zipfile import ZipFile

import pytest

from edge_runtime.audit.archive import arrays
from edge_runtime.backends import replay
from edge_runtime.blackbox.archive import Archive
from edge_runtime.errors import EdgeError
from edge_runtime.files import zips


def packed(parts: int) -> bytes:
    content = BytesIO()
    with ZipFile(content, "w") as file:
        for number in range(parts):
            file.writestr(str(number), b"")
    return content.getvalue()


def test_a_list_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MOST_PARTS", 10)
    assert len(zips.open_zip(packed(10)).infolist()) == 10
    monkeypatch.delattr(zips, "ZipFile")
    with pytest.raises(ValueError, match="it has 11 parts"):
        zips.open_zip(packed(11))


@pytest.mark.parametrize("opened", [Archive, arrays, replay.read_io])
def test_every_reader_refuses_it(opened: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MOST_PARTS", 10)
    path = tmp_path / "many.zip"
    path.write_bytes(packed(11))
    with pytest.raises(EdgeError, match="it has 11 parts"):
        opened(str(path))
