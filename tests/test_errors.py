from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator, Tuple

import pytest

import edge_runtime
from edge_runtime import errors
from edge_runtime.errors import EdgeError, ModelError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EdgeError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_is_also_a_builtin_and_listed_in_the_tree(kind: type) -> None:
    assert kind.__name__ in str(errors.__doc__)
    if kind is not EdgeError:
        builtin = kind.__mro__[2]
        assert builtin.__module__ == "builtins" and f"({builtin.__name__})" in str(errors.__doc__)


def test_message_and_hint() -> None:
    error = ModelError("input is (1, 1, 28, 28), expected (1, 3, H, W)", hint="export the detector")
    assert (str(error), error.hint) == ("input is (1, 1, 28, 28), expected (1, 3, H, W)", "export the detector")
    assert EdgeError("fact").hint is None


def _sentences() -> Iterator[Tuple[str, str]]:
    """(place, literal text) of every message and hint that the package gives to one of its errors."""
    names = {kind.__name__ for kind in KINDS}
    package = Path(edge_runtime.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                for value in [*node.args[:1], *(k.value for k in node.keywords if k.arg == "hint")]:
                    yield f"{path.relative_to(package)}:{node.lineno}", _literal(value)


def _literal(node: ast.AST) -> str:
    """The text with {} for what is computed; empty where all of it is."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) or "{}" for part in node.values)
    value = getattr(node, "value", None)
    return value if isinstance(node, ast.Constant) and isinstance(value, str) else ""


def test_the_package_keeps_to_the_grammar() -> None:
    """Lower case (names like OpenCV and ONNX are fine), one line, no full stop."""
    sentences = [(place, text) for place, text in _sentences() if text]
    assert len(sentences) > 20
    for place, text in sentences:
        assert "\n" not in text and not text.rstrip().endswith("."), f"{place}: {text!r}"
        assert not re.match(r"[A-Z][a-z]*\b", text), f"{place}: {text!r} starts with a capital"
