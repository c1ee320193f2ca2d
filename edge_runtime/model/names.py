"""Reads class names as exporters and people write them: one a line, a list, or text of Python, JSON or YAML."""

from __future__ import annotations

import ast
import json
from typing import Any, Mapping, Tuple

LONGEST = 1 << 20  # characters
KEYS = ("names", "labels", "classes", "class_names", "categories")  # of a file's metadata, or of a JSON or YAML file


def parse_names(text: str) -> Tuple[str, ...]:
    """Returns class names, by class id; none if the text holds none.

    Names by number are sorted by that number, also if it is written as text. Numbers that have no name in between get
    their number as name. Numbers may begin at 1. A number alone is a count and no name.
    """
    text = text.lstrip("\ufeff").strip()
    if not text or len(text) > LONGEST:
        return ()
    value = _value(text)
    if value is None:
        value = [part.strip() for part in (text.splitlines() if "\n" in text else text.split(","))]
        return tuple(part for part in value if part)
    try:
        return names_of(value)
    except RecursionError:  # lists in lists in lists
        return ()


def from_metadata(metadata: Mapping[str, str]) -> Tuple[Tuple[str, ...], str]:
    """Returns the class names in a file's metadata and the key that holds them."""
    for key in KEYS:
        names = parse_names(metadata.get(key, ""))
        if names:
            return names, key
    return (), ""


def literal(text: str) -> Any:
    """The value of a text of JSON or Python; None if it is neither."""
    if len(text) > LONGEST:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _value(text: str) -> Any:
    found = literal(text)
    if "\n" in text:  # else one name in a line, whatever their first and last letters are
        return found
    if found is None and text[0] == "{" and text[-1] == "}":  # YAML: {0: person, 1: traffic light}
        parts = [part.partition(":") for part in text[1:-1].split(",")]
        found = {_bare(key): _bare(name) for key, colon, name in parts} if all(colon for _, colon, _ in parts) else {}
    if found is None and text[0] == "[" and text[-1] == "]":  # YAML: [person, traffic light]
        found = [_bare(part) for part in text[1:-1].split(",")]
    return found


def _bare(word: str) -> str:
    return word.strip().strip("\"'")


def names_of(value: Any) -> Tuple[str, ...]:
    """Returns the class names in a value that was read from JSON, YAML or Python text; see `parse_names`."""
    if isinstance(value, Mapping):
        inner = next((value[key] for key in KEYS if isinstance(value.get(key), (list, tuple, Mapping))), None)
        return _by_number(value) if inner is None else names_of(inner)
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(entry, Mapping) and "name" in entry for entry in value):  # COCO's categories
            if all(isinstance(entry.get("id"), int) for entry in value):
                value = sorted(value, key=lambda entry: entry["id"])
            return tuple(str(entry["name"]).strip() for entry in value)
        return tuple(str(name).strip() for name in value)
    return (value.strip(),) if isinstance(value, str) and value.strip() else ()


def _by_number(names: Mapping[Any, Any]) -> Tuple[str, ...]:
    keys = {str(key).strip(): str(name).strip() for key, name in names.items()}
    if not all(key.isdecimal() and len(key) < 6 for key in keys):
        swapped = {name: key for key, name in keys.items()}  # {"person": 0, "car": 1}
        if len(swapped) == len(keys) and all(name.isdecimal() and len(name) < 6 for name in swapped):
            return _by_number(swapped)
        return tuple(keys.values())
    numbers = {int(key): name for key, name in keys.items()}
    first = 1 if numbers and sorted(numbers) == list(range(1, len(numbers) + 1)) else 0
    return tuple(numbers.get(number, str(number)) for number in range(first, max(numbers, default=-1) + 1))
