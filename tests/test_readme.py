"""The README keeps its word: its Python runs, its links lead somewhere, its commands exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import List

import pytest

from edge_runtime.sources.demo import PHOTOS
from tests.sources.clips import write_clip

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.fixture
def readme() -> str:
    if not (ROOT / "README.md").is_file():
        pytest.skip("there is no README yet")
    return (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> List[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def test_python_runs(readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks run one after the other in one namespace, in a folder that holds what they name."""
    code = blocks(readme, "python")
    assert code, "the README shows no Python"
    (tmp_path / "engines").symlink_to(ROOT / "engines")
    shutil.copy(PHOTOS / "astronaut.jpg", tmp_path / "bus.jpg")
    write_clip(tmp_path / "street.mp4", 30)
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for block in code:
        exec(compile(block, "README.md", "exec"), namespace)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    folders = "edge_runtime|engines|calibration|tools|tests|docker|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]*\w)`", text)
    there = [document.parent / link for link in links] + [ROOT / path for path in named]
    missing = [str(path) for path in there if not path.exists()]
    assert not missing, f"{document.name} names what is not there: {missing}"


def test_commands_exist(readme: str) -> None:
    declared = set(re.findall(r"^(edge-[a-z]+) = ", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M))
    shown = set(re.findall(r"^(?:\$ )?(edge-[a-z]+)\b", "\n".join(blocks(readme, "(?:sh|bash|console)")), re.M))
    assert shown <= declared, f"README shows commands that do not exist: {sorted(shown - declared)}"
    assert "edge-detect" in shown
