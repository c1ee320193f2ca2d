"""Options behind a target: `clips:folder?days=7&before=10`, `http://127.0.0.1?fps=5`."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Dict, Mapping, Tuple
from urllib.parse import parse_qsl

from edge_runtime.errors import UsageError
from edge_runtime.files.fields import Field, check_fields

_QUERY = re.compile(r"(.+?)\?(\w+=[^?&=]*(?:&\w+=[^?&=]*)*)", re.DOTALL)


def split_query(text: str) -> Tuple[str, Dict[str, str]]:
    """The name, and the options behind it as texts. A question mark that no option follows belongs to the name."""
    match = _QUERY.fullmatch(text)
    if match is None:
        return text, {}
    pairs = (pair.partition("=") for pair in match[2].split("&"))
    return match[1], {name: value for name, _, value in pairs}


def of_address(query: str) -> Dict[str, str]:
    """The options in the query of an address, as texts."""
    return dict(parse_qsl(query, keep_blank_values=True))


def options(target: str, given: Dict[str, str], fields: Mapping[str, Field]) -> Dict[str, Any]:
    """The options of a target as they are kept.

    Raises:
        UsageError: one is unknown, or its value does not fit.
    """
    return check_fields(given, fields, f"{target}: ", UsageError)


def yes_or_no() -> Field:
    """`yes` as True, `no` as False."""

    def take(value: Any) -> bool:
        if value not in ("yes", "no"):
            raise ValueError(value)
        return bool(value == "yes")

    return Field("yes or no", take)


def whole(low: int, high: int) -> Field:
    """A whole number from low to high."""

    def take(value: Any) -> int:
        if not value.isdecimal() or not low <= int(value[:20]) <= high:
            raise ValueError(value)
        return int(value)

    return Field(f"a whole number from {low} to {high}", take)


def number(low: float, high: float, units: Mapping[str, float] = MappingProxyType({})) -> Field:
    """A number from low to high, which may have a unit behind it."""
    words = f"a number from {low:g} to {high:g}, or one with {', '.join(units)} behind it" if units else ""

    def take(value: Any) -> float:
        unit = next((unit for unit in units if value.endswith(unit)), "")
        found = float(value[: len(value) - len(unit)]) * units.get(unit, 1.0)
        if not low <= found <= high:
            raise ValueError(value)
        return found

    return Field(words or f"a number from {low:g} to {high:g}", take)
