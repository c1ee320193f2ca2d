"""The values of flags: a `type=` of argparse for each kind. A value out of range is refused with our own message.

It uses the standard library only, because a board's own Python runs `edge_runtime.cli.jetson`.
"""

from __future__ import annotations

import argparse
from math import inf
from typing import Any, Callable, Dict, List

from edge_runtime.files import fields
from edge_runtime.files.fields import Field


def words(text: str) -> List[str]:
    """`a, b` as ["a", "b"], at least one text."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return found


def typed(field: Field, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A `type=` for argparse: the value of the text, if it fits the field."""

    def value(text: str) -> Any:
        try:
            return field.take(parse(text))
        except (TypeError, ValueError, OverflowError) as error:
            raise argparse.ArgumentTypeError(f"{text[:60]!r} is not {field.expected}") from error

    return value


def whole(low: int, high: int = 10**9) -> Callable[[str], Any]:
    """A whole number from low to high."""
    return typed(fields.whole(low, high), int)


def wholes(low: int, high: int = 10**9) -> Callable[[str], List[int]]:
    """`1, 4` as [1, 4], each from low to high."""
    one = whole(low, high)
    return lambda text: [one(word) for word in words(text)]


def to_seconds(text: str) -> float:
    """`2` or `2s` as 2.0."""
    return float(text[:-1] if text.endswith("s") else text)


def _numbers(text: str) -> List[float]:
    values = [float(part) for part in text.split(",")]
    return values * 3 if len(values) == 1 else values


def named_fractions(text: str) -> Dict[str, float]:
    """`person=0.4, car=0.6` as {"person": 0.4, "car": 0.6}."""
    found = {}
    for word in words(text):
        name, _, value = word.rpartition("=")
        if not name:
            raise argparse.ArgumentTypeError(f"{word[:60]!r} is not NAME=0..1")
        found[name] = fraction(value)
    return found


size = typed(fields.size(), str)
positive = whole(1)
fraction = typed(fields.number(0, 1), float)
seconds = typed(fields.number(0, 1e9), to_seconds)
duration = typed(fields.number(0, 1e9, above=True), to_seconds)
rate = typed(fields.number(0, 10_000, above=True), float)
watts = typed(fields.number(0, 10_000, above=True), lambda text: float(text[:-1] if text[-1:] in "wW" else text))
points = typed(  # points of AP; inf is no limit
    Field("a number from 0 to 100, or inf", lambda value: value if value == inf else fields.number(0, 100).take(value)),
    float,
)
triple = typed(fields.several(fields.number(), 3, 3), _numbers)
