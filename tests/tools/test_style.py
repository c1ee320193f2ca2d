"""tools/style.py on a package of known size, and on our own: the goals that hold today hold tomorrow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import style  # noqa: E402

ARRAYS = '''"""Arrays."""
from numpy.typing import NDArray
from edge_runtime import errors


def bare(x: NDArray) -> NDArray:
    """Without a shape."""
    from edge_runtime import cycle

    return x


def said(x: NDArray) -> NDArray:
    """Takes (H, W, 3) uint8."""
    raise errors.UsageError("x")


def undocumented() -> None:
    raise UsageError("no", hint="yes")


def _hidden(x):
    raise UsageError("no")
'''


@pytest.fixture
def rows(tmp_path: Path) -> Dict[str, style.Row]:
    package = tmp_path / "edge_runtime"
    for name in ("backends", "datasets", "heads", "power", "sinks", "sources", "native/csrc"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text(
            '"""A family."""\n' * (81 if name == "heads" else 1), encoding="utf-8"
        )
    (package / "native" / "csrc" / "bindings.cpp").write_text("// one\n// two\n", encoding="utf-8")
    (package / "native" / "ops.py").write_text("from edge_runtime.native import _core\n", encoding="utf-8")
    (package / "arrays.py").write_text(ARRAYS, encoding="utf-8")
    (package / "cycle.py").write_text("from edge_runtime import other\n" + "\n" * 260, encoding="utf-8")
    (package / "other.py").write_text("from edge_runtime.cycle import x\n", encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_layers.py").write_text("FLOORS: tuple = ({1}, {2})\n", encoding="utf-8")
    return {row.point: row for row in style.table(tmp_path)}


def test_what_misses_a_goal_is_named(rows: Dict[str, style.Row]) -> None:
    by_goal = {miss.goal: miss.what or miss.where for row in rows.values() for miss in row.misses}
    assert by_goal == {
        "over 250 lines": "261",
        "in an import cycle": "edge_runtime.other", "import in a function": "edge_runtime.cycle",
        "contract over 80 lines": "81", "no docstring": "undocumented", "no shape in its docstring": "bare",
        "no return annotation": "_hidden", "no hint": "Name(id='UsageError', ctx=Load())",
    }  # fmt: skip


def test_figures(rows: Dict[str, style.Row]) -> None:
    values = {point: row.value for point, row in rows.items()}
    assert values["docstrings with arrays that state shapes"] == "50.0 % of 2"
    assert values["functions with a return annotation"] == "75.0 % of 4"
    assert values["floors"] == "2" and values["loose files at the root"] == "3"
    assert values["Python files that import the C++ core / lines of its bindings"] == "1 / 2"


def test_our_own_code_keeps_the_goals_that_are_not_aims() -> None:
    rows = {row.point: row for row in style.table(ROOT)}
    for point in ("modules in import cycles", "imports of our own inside functions", "public functions with docstrings",
                  "docstrings with arrays that state shapes", "functions with a return annotation"):  # fmt: skip
        assert not rows[point].misses, [f"{miss.where} {miss.what}" for miss in rows[point].misses]
