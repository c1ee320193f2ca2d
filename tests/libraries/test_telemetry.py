from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from edge_runtime import libraries
from edge_runtime.libraries import telemetry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library that reports, and its reporter."""
    (tmp_path / "chatty_reporter.py").write_text("", encoding="utf-8")
    (tmp_path / "chatty.py").write_text(
        "import os\nSAID = os.environ.get('ORT_DISABLE_TELEMETRY')\n"
        "try:\n    import chatty_reporter as reporter\nexcept ImportError:\n    reporter = None\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(telemetry, "REPORTERS", ("chatty_reporter",))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    libraries._load.cache_clear()
    yield tmp_path
    for name in ("chatty", "chatty_reporter"):
        sys.modules.pop(name, None)
    libraries._load.cache_clear()


def test_a_library_is_loaded_without_its_reporter(folder: Path) -> None:
    library = libraries.load_library("chatty")
    assert library.reporter is None and library.SAID == "1"
    assert importlib.import_module("chatty_reporter"), "others may import it"


def test_what_the_user_has_chosen_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    reporter = importlib.import_module("chatty_reporter")
    library = libraries.load_library("chatty")
    assert library.reporter is reporter and library.SAID == os.environ["ORT_DISABLE_TELEMETRY"] == "0"
