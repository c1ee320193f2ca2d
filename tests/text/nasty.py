"""Names that somebody else has chosen: each means something to a terminal, to rich, to matplotlib, HTML or a sheet."""

from __future__ import annotations

import re

NASTY = (
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31mred", "a\rb", "two\nlines", "a\x00b", "\u202egpj.exe", "\u2066x",
    "[red]x[/]", "[/b]", "[link=x]", ":smile:", r"$\frac{a$", "$$", "a$b$c", "_hidden", "", "%s", "{0}", "{label}",
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "<script>alert(1)</script>", "\"onload='x'", "&amp;", "caf\udce9", "人",
)  # fmt: skip
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def obeyed(text: str) -> str:
    """What in a text a terminal would obey, or could not show; line ends and tabs are ours."""
    return "".join(_OBEYED.findall(text))
