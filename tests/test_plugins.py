from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

import edge_runtime
from edge_runtime import plugins
from edge_runtime.errors import UsageError

TOYS = {
    "ball": "HANDLES = ('.ball', 'ball://')",
    "fast_ball": "HANDLES = ('.ball', '/')\nPRIORITY = 5\ndef available(): return None",
    "broken_ball": "HANDLES = ('.ball', 'broken')\nPRIORITY = 9\ndef available(): return 'it is broken'",
    "camera": "HANDLES = ('camera:', 'demo')",
    "_helper": "raise RuntimeError('a helper is no member')",
}


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A family of its own, on disk and importable like the real ones; the name differs for every test."""
    family = f"toys_{tmp_path.name}"
    _write(tmp_path / family, {**TOYS, "__init__": ""})
    monkeypatch.setattr(plugins, "__file__", str(tmp_path / "plugins.py"))
    monkeypatch.setattr(edge_runtime, "__path__", [*edge_runtime.__path__, str(tmp_path)])
    return family


def _write(folder: Path, files: Dict[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")


def test_the_folder_is_the_registry(toys: str) -> None:
    assert plugins.names(toys) == ["ball", "broken_ball", "camera", "fast_ball"]


def test_members_come_by_priority_then_name(toys: str) -> None:
    names = [module.__name__.rsplit(".", 1)[-1] for module in plugins.members(toys)]
    assert names == ["broken_ball", "fast_ball", "ball", "camera"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("red.ball", "fast_ball"),  # the best of three that is available
        ("RED.BALL", "fast_ball"),
        ("ball://red", "ball"),
        ("folder/", "fast_ball"),
        ("camera:0", "camera"),
        ("demo", "camera"),
        ("broken", "broken_ball"),  # the only one; it says why when it is opened
    ],
)
def test_pick(toys: str, target: str, expected: str) -> None:
    assert plugins.pick(toys, target).__name__ == f"edge_runtime.{toys}.{expected}"


@pytest.mark.parametrize("target", ["red.bat", "ball", "demo2", "x/demo", "file://red", ""])
def test_what_nobody_handles(toys: str, target: str) -> None:
    with pytest.raises(UsageError, match=f"nothing in {toys}/ handles") as caught:
        plugins.pick(toys, target)
    assert caught.value.hint == "expected one of: .ball, /, ball://, broken, camera:, demo"


def test_an_unknown_name_is_answered_with_the_nearest(toys: str) -> None:
    with pytest.raises(UsageError, match=f"no 'bal' in {toys}/") as caught:
        plugins.load_member(toys, "bal")
    assert caught.value.hint == "did you mean 'ball'? there is: ball, broken_ball, camera, fast_ball"
    with pytest.raises(UsageError) as caught:
        plugins.load_member(toys, "zzz")
    assert caught.value.hint == "there is: ball, broken_ball, camera, fast_ball"


@pytest.mark.parametrize("family", ["backends", "heads", "sources", "sinks"])
def test_members_import_without_their_heavy_libraries(family: str) -> None:
    """Listing a family must work on a machine that has few of the libraries its members need."""
    heavy = ["cv2", "onnx", "onnxruntime", "openvino", "pycuda", "skimage", "supervision", "tensorrt"]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({heavy}))
from edge_runtime import plugins
assert plugins.members({family!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
