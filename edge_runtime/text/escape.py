"""Makes text from outside (labels, file names, errors of libraries) safe to show."""

from __future__ import annotations

import re
from typing import Any

# Control characters of ASCII and Latin-1, line separators, characters that change the direction of writing, and lone
# surrogates, which are bytes of a file name that are not UTF-8.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # what a spreadsheet reads as the start of a formula


def printable(text: str) -> str:
    r"""The text on one line. Characters that a terminal would obey or not show are written as `\n` or `\u001b`."""
    return _UNSEEN.sub(_escaped, text)


def lines(text: str) -> str:
    """Like `printable`, but keeps line ends and tabs."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in "\n\t" else _escaped(found), text)


def csv_cell(value: Any) -> Any:
    """A cell for `csv.writer`: text on one line that no spreadsheet computes. Other values stay as they are.

    Text that could be a formula gets a `'` in front. Text that is a number ("-3.5") stays as it is.
    """
    if not isinstance(value, str):
        return value
    formula = value.startswith(_FORMULA) and not _is_number(value)
    return f"{chr(39) * formula}{printable(value)}"


def plot_label(text: str) -> str:
    """Text for matplotlib, which reads text between two `$` as a formula and hides a label that begins with `_`."""
    return f"{' ' * text.startswith('_')}{printable(text)}".replace("$", r"\$")


def _escaped(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"  # JSON's spelling: what is JSON stays JSON


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
