"""Lines of keys in a TOML text, and tables that are replaced in it while all else stays."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.files import toml_tables
from edge_runtime.files.read import parse_toml

TEXT = """# site
conf = 0.3 # all

[[stream]]
source = "a"   # first
  [[stream.lines]]
  name = "l"   # goes
  fractions = [[0, 0],
               [1, 1]]
# second camera
[[stream]]
"source" = "b"
[stream.class_conf]
person = 0.5
[[stream.zones]]
name = "one"
[[stream.zones]]
name = "two"
[log]
x.y = 3
"""
NEW = '[[stream.lines]]\nname = "n"\n'


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("conf",), 2), (("stream", 0), 4), (("stream", 0, "source"), 5), (("stream", 0, "lines", 0, "name"), 7),
        (("stream", 1, "source"), 12), (("stream", 1, "class_conf", "person"), 14), (("stream", 1, "zones", 1), 17),
        (("stream", 1, "zones", 1, "name"), 18), (("log", "x", "y"), 20), (("nothing",), None),
        (("stream", 1, "nothing"), 11),
    ],
)  # fmt: skip
def test_lines_of_keys(path: Any, line: Optional[int]) -> None:
    assert toml_tables.line_of(TEXT, path) == line


def test_the_tables_of_one_stream_are_replaced_and_all_else_stays() -> None:
    first = toml_tables.replaced(TEXT, ("stream", 0), ["lines", "zones"], NEW)
    assert '"l"' not in first and '"one"' in first
    for kept in ("# site", "conf = 0.3 # all", "# first", "# second camera\n[[stream]]", "x.y = 3"):
        assert kept in first
    data, wanted = parse_toml(first), parse_toml(TEXT)
    wanted["stream"][0]["lines"] = [{"name": "n"}]
    assert data == wanted
    second = toml_tables.replaced(TEXT, ("stream", 1), ["lines", "zones"], NEW)
    wanted = parse_toml(TEXT)
    del wanted["stream"][1]["zones"]
    wanted["stream"][1]["lines"] = [{"name": "n"}]
    assert parse_toml(second) == wanted and "# goes" in second
    none = toml_tables.replaced(TEXT, ("stream", 1), ["lines", "zones"], "")
    assert "zones" not in none and parse_toml(none)["stream"][0] == parse_toml(TEXT)["stream"][0]
    with pytest.raises(KeyError):
        toml_tables.replaced(TEXT, ("stream", 2), ["lines"], NEW)


def test_twice_is_as_once() -> None:
    once = toml_tables.replaced(TEXT, ("stream", 1), ["lines", "zones"], NEW)
    assert toml_tables.replaced(once, ("stream", 1), ["lines", "zones"], NEW) == once


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_texts_are_quoted(text: str) -> None:
    assert parse_toml(f"x = {toml_tables.quoted(text)}")["x"] == text


@given(st.lists(st.sampled_from(TEXT.split("\n")) | st.text(max_size=12), max_size=25), st.integers(0, 3))
def test_any_text_has_lines(lines: Any, place: int) -> None:
    text = "\n".join(lines)
    found = toml_tables.line_of(text, ("stream", place, "source"))
    assert found is None or 1 <= found <= len(text.split("\n"))
