from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

import edge_runtime


def test_the_installed_version_is_that_of_the_sources() -> None:
    assert metadata.version("edge-runtime") == edge_runtime.__version__


@pytest.mark.parametrize("name", edge_runtime.__all__)
def test_every_name_is_there(name: str) -> None:
    assert callable(getattr(edge_runtime, name)) and name in dir(edge_runtime)


def test_pytest_runs_the_tests_of_every_folder(request: pytest.FixtureRequest) -> None:
    """It leaves out folders with some names, such as build, if it is not told otherwise."""
    here = Path(__file__).parent
    folders = {part for file in here.rglob("test_*.py") for part in file.relative_to(here).parts[:-1]}
    left_out = request.config.getini("norecursedirs")
    assert "build" in folders and not [name for name in folders if any(fnmatch(name, each) for each in left_out)]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Detecter'"):
        edge_runtime.Detecter  # noqa: B018


def test_draw_stays_a_function_whatever_was_imported_before() -> None:
    """A package whose module and function share a name would hand out the one or the other, by order of imports."""
    code = """
from edge_runtime import plugins
plugins.members("sinks")
from edge_runtime import draw
assert callable(draw)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, edge_runtime; sys.exit(bool({'numpy', 'cv2', 'onnxruntime', 'onnx', 'rich'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_of_the_project_runs_as_a_module_too() -> None:
    root = Path(__file__).resolve().parents[1]
    scripts = set(re.findall(r'^edge-(\w+) = "', (root / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE))
    assert scripts
    for name in scripts:
        done = subprocess.run(
            [sys.executable, "-m", "edge_runtime", name, "--help"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert f"usage: edge-{name}" in done.stdout
