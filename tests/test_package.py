from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import edge_runtime


def test_the_installed_version_is_that_of_the_sources() -> None:
    assert metadata.version("edge-runtime") == edge_runtime.__version__


@pytest.mark.parametrize("name", edge_runtime.__all__)
def test_every_name_is_there(name: str) -> None:
    assert callable(getattr(edge_runtime, name)) and name in dir(edge_runtime)


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
