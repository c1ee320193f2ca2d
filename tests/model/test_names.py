"""Class names in every spelling: what was written is what is read, in the order of the class ids."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.model.names import from_metadata, literal, parse_names

NAMES = st.lists(st.text(st.characters(categories=["L", "Nd"], include_characters=" '-_/"), min_size=1).map(str.strip)
                 .filter(bool), min_size=2, max_size=120, unique=True)  # fmt: skip
SPELLINGS: Dict[str, Callable[[List[str]], Any]] = {
    "dict of Python": lambda names: str(dict(enumerate(names))),
    "dict that is not in order": lambda names: str({number: names[number] for number in reversed(range(len(names)))}),
    "numbers as text": lambda names: str({str(number): name for number, name in enumerate(names)}),
    "JSON object": lambda names: json.dumps(dict(enumerate(names)), sort_keys=True),
    "JSON object, sorted as text": lambda names: json.dumps({str(k): v for k, v in enumerate(names)}, sort_keys=True),
    "JSON object in a file of settings": lambda names: json.dumps({"nc": len(names), "names": names}),
    "list": str,
    "JSON list": json.dumps,
    "tuple": lambda names: str(tuple(names)),
    "lines": "\n".join,
    "lines of Windows with a BOM": lambda names: "\ufeff" + "\r\n".join(names) + "\r\n",
    "categories of COCO": lambda names: json.dumps([{"id": k + 1, "name": name} for k, name in enumerate(names)]),
    "ids of names": lambda names: str({name: number for number, name in enumerate(names)}),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(names=NAMES)
def test_every_spelling_is_read_as_it_was_meant(spelling: str, names: List[str]) -> None:
    if spelling == "ids of names" and all(name.isdecimal() for name in names):
        return  # cannot be told from names of numbers
    assert parse_names(SPELLINGS[spelling](names)) == tuple(names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("person", ("person",)),
        ("person,", ("person",)),
        ("a, b ,c", ("a", "b", "c")),
        ("{0: person, 1: traffic light}", ("person", "traffic light")),
        ("{0: 'a: b', 1: \"c, d\"}", ("a: b", "c, d")),
        ("{0: a: b, 1: 'c'}", ("a: b", "c")),
        ("{a, b}", ()),
        ("[person, traffic light]", ("person", "traffic light")),
        ("{0: '7', 1: '3'}", ("7", "3")),
        ("{1: 'a', 2: 'b'}", ("a", "b")),
        ("[a]\n{b\nc]", ("[a]", "{b", "c]")),
        ("{0: 'a', 3: 'd'}", ("a", "1", "2", "d")),
        ("{'0': 'person'}", ("person",)),
    ],
)  # fmt: skip
def test_spellings_by_hand(text: str, names: Tuple[str, ...]) -> None:
    assert parse_names(text) == names


@pytest.mark.parametrize("text", ["", "  ", "\ufeff", "80", "{}", "[]", "null", "3.5", "{" * 2000, "[" * 100_000])
def test_what_holds_no_names(text: str) -> None:
    assert parse_names(text) == () or all(parse_names(text))


def test_many_categories_and_deep_lists() -> None:
    many = [{"id": number, "name": f"n{number}"} for number in reversed(range(20_000))]
    assert parse_names(json.dumps(many)[: 1 << 20])[:2] == ("n0", "n1")
    for depth in (100, 300, 600, 900):
        parse_names("[" * depth + "]" * depth)
        parse_names('{"names":' * depth + "[]" + "}" * depth)


@given(st.text())
def test_any_text_gives_names_or_none(text: str) -> None:
    assert all(isinstance(name, str) for name in parse_names(text))


def test_the_key_of_the_metadata_is_told() -> None:
    assert from_metadata({"names": "80", "labels": "a,b"}) == (("a", "b"), "labels")
    assert from_metadata({"task": "detect"}) == ((), "")


def test_a_literal_is_a_value_and_never_code() -> None:
    assert literal("[640, 640]") == [640, 640] and literal("(640, 640)") == (640, 640)
    assert literal("__import__('os').getcwd()") is None and literal("1" * (1 << 21)) is None


@pytest.mark.parametrize("text", ["{" + "a" * 10**6 + "}", "{" + "a:" * 500_000 + "}", "{" + "'" * 10**6 + "}",
                                  "{" + " " * 10**6 + "}", "," * 10**6, "{" + ":," * 400_000 + "}"])  # fmt: skip
def test_a_long_text_takes_no_long_time(text: str) -> None:
    """An expression of `re` took minutes."""
    assert len(parse_names(text)) <= 10**6
