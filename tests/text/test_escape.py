from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest

from edge_runtime.text import escape


@pytest.mark.parametrize("text", ["person", "traffic light", "人", "größe", "🚗", "a'b\"c", "50 %", "[red]x[/]", "$5"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escape.printable(text) == escape.lines(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\u001b[31mred"),
        ("\x9b31m", r"\u009b31m"),
        ("a\x07b\x7f", r"a\u0007b\u007f"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("photo\u202egpj.exe", r"photo\u202egpj.exe"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, shown: str) -> None:
    assert escape.printable(text) == shown


def test_no_control_or_direction_character_is_left() -> None:
    everything = "".join(map(chr, range(0x3000))) + "".join(map(chr, range(0xD800, 0xE000)))
    left = escape.printable(everything)
    left.encode()  # no surrogate
    assert not [c for c in left if unicodedata.category(c) in ("Cc", "Zl", "Zp")]
    turning = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    assert not [c for c in left if unicodedata.bidirectional(c) in turning]


def test_lines_and_tabs_may_stay() -> None:
    assert escape.lines("a\tb\nc\r\x1b") == "a\tb\nc\\r\\u001b"


def test_json_stays_json() -> None:
    text = json.dumps({"label": "a\x7f\x1b\udcff\u2028"}, indent=1)
    assert json.loads(escape.lines(text)) == json.loads(text)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([escape.csv_cell(text), "next"])
    assert len(buffer.getvalue().splitlines()) == 1
    (row,) = csv.reader(io.StringIO(buffer.getvalue()))
    assert row == [f"'{escape.printable(text)}", "next"]


@pytest.mark.parametrize("value", [-3.5, 0, None, True, "-3.5", "+1e-3", "car", "a-b=c"])
def test_numbers_and_ordinary_cells_stay(value: object) -> None:
    assert escape.csv_cell(value) is value or escape.csv_cell(value) == value
