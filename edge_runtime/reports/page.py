"""Makes an HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
from typing import Any, Sequence

from edge_runtime.text.escape import printable

CLASS = ' class="words"'
LONG_CLASS = ' class="long"'
LONG = 60  # characters of a cell that would be a column of single words beside many figures
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, .words th, .words td { text-align: left; vertical-align: top }
td.long { min-width: 16rem; text-align: left }
img { max-width: 100% } .note { color: #666 }
"""


def page(title: str, *parts: str) -> str:
    """Returns a whole page; `parts` are HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
    body = "\n".join((f"<h1>{_text(title)}</h1>", *parts))
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def heading(text: str) -> str:
    """Returns the heading of a section."""
    return f"<h2>{_text(text)}</h2>"


def paragraph(text: str) -> str:
    """Returns a paragraph."""
    return f"<p>{_text(text)}</p>"


def note(text: str) -> str:
    """Returns a remark, as a paragraph."""
    return f'<p class="note">{_text(text)}</p>'


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], words: bool = False) -> str:
    """Returns a table. Cells are plain text.

    Args:
        words: whether all cells are words, which begin on the left, and not figures.
    """
    lines = [f"<tr>{''.join(f'<th>{_text(name)}</th>' for name in columns)}</tr>"]
    lines += [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
    return f"<table{CLASS * words}>\n{chr(10).join(lines)}\n</table>"


def picture(png: bytes, description: str) -> str:
    """Returns a PNG that is stored inside the page."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{_text(description)}" src="data:image/png;base64,{data}">'


def _cell(value: Any) -> str:
    return f"<td{LONG_CLASS * (len(str(value)) > LONG)}>{_text(value)}</td>"


def _text(value: Any) -> str:
    return html.escape(printable(str(value)), quote=True)
