"""Libraries that are missing, broken, or built for another numpy: asked once, and the reason is kept."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Callable

import pytest

from edge_runtime import backends, libraries, plugins
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector

OLD_NUMPY = """
import re
import sys
sys.stderr.write("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.2.6 as it may crash.")
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a library that hides one of the same name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)

    yield write
    libraries._load.cache_clear()


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    libraries._load.cache_clear()


def test_one_that_is_not_there() -> None:
    assert libraries.missing("no_such_library", "pip install it") == "no_such_library is not installed: pip install it"
    with pytest.raises(ImportError, match="no_such_library"):
        libraries.load_library("no_such_library")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise ImportError('libfoo.so.1: cannot open shared object file')", "libfoo.so.1: cannot open"),
        ("raise ImportError", "ImportError without a reason"),
        ("raise SystemError('two\\n lines')", "two lines"),
        ("raise ImportError('numpy.core.multiarray failed to import')", "another numpy than .*: pip install 'numpy<2'"),
        (OLD_NUMPY, "another numpy than .*: pip install 'numpy<2'"),
    ],
)
def test_one_that_is_broken(
    library: Callable[[str, str], None], text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    library("broken_library", text)
    for _ in range(2):
        said = libraries.missing("broken_library", "")
        assert said is not None and said.startswith("broken_library cannot be loaded: ")
        with pytest.raises(ImportError):
            libraries.load_library("broken_library")
    assert re.search(reason, said)
    assert capsys.readouterr().err == ""


def test_one_that_works_is_loaded_once_and_may_speak(
    library: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    library("talking_library", "import sys\nsys.stderr.write('hello')")
    assert libraries.missing("talking_library", "") is None
    assert libraries.load_library("talking_library") is sys.modules["talking_library"]
    assert capsys.readouterr().err == "hello"


def test_a_broken_backend_is_not_chosen_and_its_reason_is_a_note(library: Callable[[str, str], None]) -> None:
    pytest.importorskip("onnxruntime")
    library("openvino", "raise ImportError('libtbb.so.12 is missing')")
    engine = str(Path(__file__).parents[2] / "engines" / "yolo_nano_voc_int8.onnx")
    assert backends.choose_backend(engine, BackendOptions()).__name__.endswith("onnxruntime")
    with Detector.open(engine) as detector:
        assert detector.backend.description.startswith("onnxruntime ")
        notes = [note for note in detector.model.notes if "openvino" in note]
    assert notes == ["openvino cannot be loaded: libtbb.so.12 is missing; onnxruntime runs the model"]


def test_where_nothing_works_the_broken_one_is_named(
    library: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library("onnxruntime", OLD_NUMPY)
    monkeypatch.setattr(plugins.load_member("backends", "openvino"), "available", lambda: "openvino is not installed")
    with pytest.raises(ImportError, match="onnxruntime cannot be loaded: it was built for another numpy"):
        backends.choose_backend("model.onnx", BackendOptions())
