"""Checks the fields of files, recipes and options. There is one validator for all, and each has a table of fields.

    FIELDS = {"pad_value": whole(0, 255), "strides": several(whole(1, 4096))}
    kept = check_fields({"pad_value": 300}, FIELDS, "recipe m.toml: ", UsageError)

raises UsageError("recipe m.toml: pad_value is 300", hint="expected a whole number from 0 to 255").
"""

from __future__ import annotations

import difflib
import operator
import reprlib
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Real
from typing import Any, Callable, Dict, Iterable, Mapping, Tuple, Type

from edge_runtime.errors import EdgeError

LONGEST = 1 << 20  # values in a list
SIDE, AREA = 65536, 1 << 26  # pixels of a model's input; 64 million of them are 800 MB of floats


@dataclass(frozen=True)
class Field:
    """The values that a field may have.

    Attributes:
        expected: the values in words, to follow "expected".
        take: returns the value as it is kept. Raises ValueError or TypeError if it does not fit.
    """

    expected: str
    take: Callable[[Any], Any]


class Misfit(ValueError):
    """A value that does not fit, and its place: `ranges[relu_3][0]`."""

    def __init__(self, place: str, value: Any, expected: str) -> None:
        super().__init__(place)
        self.place, self.value, self.expected = place, value, expected


def check_fields(
    values: Mapping[str, Any], fields: Mapping[str, Field], where: str, error: Type[EdgeError]
) -> Dict[str, Any]:
    """The values as they are kept.

    Args:
        where: beginning of the message, "recipe m.toml: ".
        error: class of the error to raise.

    Raises:
        EdgeError: of the class `error`: a key is unknown, or a value does not fit.
    """
    kept = {}
    for name, value in values.items():
        if name not in fields:
            raise error(f"{where}unknown key {show(name)}", hint=nearest(name, fields))
        try:
            kept[name] = take(name, fields[name], value)
        except Misfit as odd:
            raise error(f"{where}{odd.place} is {show(odd.value)}", hint=f"expected {odd.expected}") from odd
    return kept


def take(place: str, field: Field, value: Any) -> Any:
    """The value as it is kept. Raises `Misfit`, which names the place, if it does not fit."""
    try:
        return field.take(value)
    except Misfit as inner:
        raise Misfit(place[:99] + inner.place, inner.value, inner.expected) from inner
    except (TypeError, ValueError, OverflowError) as error:
        raise Misfit(place[:99], value, field.expected) from error


def nearest(name: Any, known: Iterable[str]) -> str:
    """A hint: the known name that an unknown name may mean, or all known names."""
    known = list(known)
    near = difflib.get_close_matches(str(name)[:80], known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"


def show(value: Any) -> str:
    """A value as Python writes it, cut if it is long or deep."""
    return _SHORT.repr(value)


def text(most: int = 4096) -> Field:
    """A text."""
    return Field("a text", lambda value: _demand(value, isinstance(value, str) and len(value) <= most))


def one_of(words: Iterable[str]) -> Field:
    """One of these words."""
    known = tuple(words)
    return Field(f"one of: {', '.join(known)}", lambda value: _demand(value, isinstance(value, str) and value in known))


def flag() -> Field:
    """True or false."""
    return Field("true or false", lambda value: _demand(value, isinstance(value, bool)))


def whole(low: int, high: int) -> Field:
    """A whole number from low to high."""

    def fitting(value: Any) -> int:
        found = operator.index(_demand(value, not isinstance(value, bool)))
        return int(_demand(found, low <= found <= high))

    return Field(f"a whole number from {low} to {high}", fitting)


def number(low: float = -inf, high: float = inf, above: bool = False) -> Field:
    """A finite number from low (or above it) to high."""

    def fitting(value: Any) -> float:
        _demand(value, isinstance(value, Real) and not isinstance(value, bool))
        fits = isfinite(value) and low <= value <= high and not (above and value == low)
        return float(_demand(value, fits))

    ends = [f"{'above' if above else 'from'} {low:g}"] if low > -inf else []
    ends += [f"{'to' if ends else 'up to'} {high:g}"] if high < inf else []
    return Field(" ".join(["a number", *ends]), fitting)


def several(field: Field, least: int = 0, most: int = LONGEST, alone: bool = False) -> Field:
    """A list of one kind.

    Args:
        alone: a value without a list counts as a list of one.
    """

    def fitting(value: Any) -> Tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            return (field.take(_demand(value, alone)),)
        _demand(value, least <= len(value) <= most)
        return tuple(take(f"[{place}]", field, item) for place, item in enumerate(value))

    count = f"{'' if least == most else 'at least '}{least} times " if least else ""
    return Field(f"a list: {count}{field.expected}", fitting)


def repeated(field: Field, times: int) -> Field:
    """A list of `times` values, or one value for all of them."""
    listed = several(field, times, times)
    return Field(
        f"{field.expected}, or {times} of them in a list",
        lambda value: listed.take(value if isinstance(value, (list, tuple)) else [value] * times),
    )


def mapping(field: Field) -> Field:
    """Values by name."""

    def fitting(value: Any) -> Dict[str, Any]:
        _demand(value, isinstance(value, Mapping) and all(isinstance(name, str) for name in value))
        return {name: take(f"[{name}]", field, item) for name, item in value.items()}

    return Field(f"names, each with {field.expected}", fitting)


def optional(field: Field) -> Field:
    """A value of this field, or nothing."""
    return Field(f"{field.expected}, or nothing", lambda value: None if value is None else field.take(value))


def anything() -> Field:
    """A text for people."""
    return Field("anything", lambda value: value)


def size() -> Field:
    """(width, height) of a model's input in pixels. It is written as 640, "640", "1280x720" or [1280, 720]."""

    def fitting(value: Any) -> Tuple[int, int]:
        if isinstance(value, str):
            value = [int(part) for part in value.lower().split("x")[:3]]
            value = value * 2 if len(value) == 1 else value
        width, height = repeated(whole(1, SIDE), 2).take(value)
        return _demand((width, height), width * height <= AREA)  # type: ignore[no-any-return]

    return Field(f"N or WxH in pixels, of at most {AREA >> 20} million", fitting)


def _demand(value: Any, fits: bool) -> Any:
    if not fits:
        raise ValueError(value)
    return value


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
