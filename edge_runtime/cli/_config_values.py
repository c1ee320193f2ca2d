"""A value of TOML becomes what the flag of this key makes of its text."""

from __future__ import annotations

import argparse
from typing import Any, Callable, Dict, List

from edge_runtime.cli import _usage
from edge_runtime.files.fields import show

Locate = Callable[[str], str]
MOST = 1000  # values in a list


def taken(action: argparse.Action, value: Any, locate: Locate) -> Any:
    """The value that the flag has.

    Args:
        locate: makes a path of the file one of the process.

    Raises:
        ValueError: the value does not fit. The text says why, without the hint.
    """
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ValueError(f"{show(value)} is not true or false")
        return action.const if value else action.default
    if isinstance(action, argparse._AppendAction):
        several = value if isinstance(value, list) else [value]
        return [_one(action, item, locate) for item in several[:MOST]]
    return _one(action, value, locate)


def expected(action: argparse.Action, value: Any) -> str:
    """What the flag takes, in words, with the choice nearest to the value."""
    return "expected true or false" if action.nargs == 0 else _usage._expected(action, str(value)[:80])


def _one(action: argparse.Action, value: Any, locate: Locate) -> Any:
    text = locate(_text(value))
    try:
        kept = action.type(text) if callable(action.type) else text
    except argparse.ArgumentTypeError as error:
        raise ValueError(str(error)) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{show(value)} does not fit") from error
    if action.choices is not None and kept not in action.choices:
        raise ValueError(f"{show(value)} is none of them")
    return kept


def _text(value: Any) -> str:
    """A number, a text, a list of them, or a table `{person = 0.4}`, as a flag has it."""
    if isinstance(value, dict):
        return ",".join(f"{_word(key, ',=')}={_word(item, ',')}" for key, item in _some(value).items())
    if isinstance(value, list):
        return ",".join(_word(item, ",") for item in value[:MOST])
    return _word(value, "")


def _some(value: Dict[str, Any]) -> Dict[str, Any]:
    if len(value) > MOST:
        raise ValueError(f"{len(value)} values are too many")
    return value


def _word(value: Any, without: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{show(value)} does not fit")
    text = value if isinstance(value, str) else repr(value)
    odd: List[str] = [sign for sign in without if sign in text]
    if odd:
        raise ValueError(f"{show(value)} has a {odd[0]!r} in it")
    return text
