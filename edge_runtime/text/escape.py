"""Text of others (labels, file names, errors of libraries) made harmless where it is shown."""

from __future__ import annotations

import re
from typing import Any

# Control characters of ASCII and Latin-1, line separators, what turns the direction of writing, and lone surrogates:
# bytes of a file name that are no UTF-8.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet takes for the start of a formula


def printable(text: str) -> str:
    r"""The text on one line, with what a terminal would obey or not show as `\n` or `\u001b`."""
    return _UNSEEN.sub(_escaped, text)


def lines(text: str) -> str:
    """Like `printable`, but line ends and tabs stay."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in "\n\t" else _escaped(found), text)


def csv_cell(value: Any) -> Any:
    """A cell for `csv.writer`: text on one line that no spreadsheet computes; what is no text stays as it is.

    A text that could be a formula gets `'` in front. Text of a number ("-3.5") is left as it is.
    """
    if not isinstance(value, str):
        return value
    formula = value.startswith(_FORMULA) and not _is_number(value)
    return f"{chr(39) * formula}{printable(value)}"


def plot_label(text: str) -> str:
    """A text for matplotlib, which takes what is between two `$` for a formula, and a `_` in front for "not shown"."""
    return f"{' ' * text.startswith('_')}{printable(text)}".replace("$", r"\$")


def _escaped(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"  # JSON's spelling: what is JSON stays JSON


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
