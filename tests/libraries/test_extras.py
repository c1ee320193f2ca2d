from __future__ import annotations

import ast
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import List

import pytest

from edge_runtime.libraries import extras
from edge_runtime.libraries.extras import install_hint

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(REPOSITORY / "edge_runtime").rglob("*.py"), *(REPOSITORY / "tools").rglob("*.*")])


@pytest.fixture
def pc(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV is pip's, as far as anyone can see."""
    monkeypatch.setattr(extras, "_has_system_opencv", lambda: False)


@pytest.fixture
def wheel(pc: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> List[str]:
    """An installation without a checkout; what its metadata requires is to be appended."""
    lines: List[str] = []
    monkeypatch.setattr(extras, "CHECKOUT", tmp_path)
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    return lines


def test_in_the_checkout(pc: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(extras.CHECKOUT)
    assert install_hint("cpu") == "pip install '.[cpu]'"


def test_elsewhere_the_checkout_is_named(pc: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text('[project]\nname = "edge-runtime"\n', encoding="utf-8")
    monkeypatch.setattr(extras, "CHECKOUT", checkout)
    monkeypatch.chdir(tmp_path)
    assert shlex.split(install_hint("cpu")) == ["pip", "install", f"{checkout}[cpu]"]


def test_where_the_current_folder_is_gone(pc: None, tmp_path: Path) -> None:
    code = (
        "import os; os.rmdir(os.getcwd()); from edge_runtime.libraries import extras; print(extras.install_hint('cpu'))"
    )
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": ""}
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0 and "pip install" in done.stdout, done.stderr


def test_a_folder_of_another_project_is_no_checkout(wheel: List[str], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n', encoding="utf-8")
    wheel.append('onnxruntime; extra == "cpu"')
    assert install_hint("cpu") == "pip install onnxruntime"


def test_a_wheel_names_what_it_needs(wheel: List[str]) -> None:
    wheel += [
        "numpy", 'tomli; python_version < "3.11"', 'onnxruntime; extra == "cpu"',
        'opencv-python-headless; extra == "cpu"', 'matplotlib; extra == "eval"',
    ]  # fmt: skip
    assert install_hint("cpu") == "pip install onnxruntime opencv-python-headless"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("PyGObject (<3.51) ; extra == 'x'", ["PyGObject<3.51"]),  # as older setuptools write it
        ('a>=0.30; python_version >= "3.8" and extra == "x"', ["a>=0.30"]),
        ('a; python_version < "3.8" and extra == "x"', []),
        ('a; python_version < "3.100" and extra == "x"', ["a"]),  # no text, but numbers
        ('a; (sys_platform == "linux" and platform_machine == "x86_64") and extra == "x"', ["a"]),
        ('a; (sys_platform == "linux" and platform_machine == "aarch64") and extra == "x"', []),
    ],
)
def test_conditions(wheel: List[str], monkeypatch: pytest.MonkeyPatch, line: str, words: List[str]) -> None:
    monkeypatch.setattr(extras, "sys", SimpleNamespace(platform="linux", version_info=(3, 11), modules={}))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    wheel.append(line)
    assert list(extras.requirements("x")) == words


def test_without_metadata(wheel: List[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> List[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert install_hint("cpu") == "pip install '.[cpu]'"


@pytest.mark.parametrize(
    ("origin", "loaded", "pinned"),
    [
        ("/usr/lib/python3.10/dist-packages/cv2/__init__.py", "", True),
        ("/usr/lib/python3.10/dist-packages/cv2/__init__.py", "1.26.4", True),
        ("/usr/lib/python3.12/dist-packages/cv2/__init__.py", "2.2.6", False),  # it loads with numpy 2
        (f"{sys.prefix}/lib/python3.10/site-packages/cv2/__init__.py", "", False),
    ],
)
def test_numpy_beside_the_systems_opencv(
    monkeypatch: pytest.MonkeyPatch, origin: str, loaded: str, pinned: bool
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: SimpleNamespace(origin=origin))
    if loaded:
        monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
        monkeypatch.setitem(sys.modules, "numpy", SimpleNamespace(__version__=loaded))
    else:
        monkeypatch.delitem(sys.modules, "cv2", raising=False)
    assert install_hint("eval").endswith(" 'numpy<2'") == pinned


def test_an_opencv_without_a_file_is_not_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    assert "numpy" not in install_hint("eval")
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "numpy" not in install_hint("eval")


def test_nothing_names_a_project_that_no_index_has() -> None:
    assert len(SOURCES) > 150
    texts = {str(path): path.read_text(encoding="utf-8") for path in SOURCES if path.suffix in {".py", ".sh"}}
    found = [path for path, text in texts.items() if "edge-runtime[" in text]
    assert not found


def test_every_hint_names_an_extra_that_exists() -> None:
    known = set(metadata.metadata("edge-runtime").get_all("Provides-Extra") or [])
    calls = [
        node
        for path in SOURCES
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "install_hint"
    ]
    named = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert len(named) > 8 and named <= known
