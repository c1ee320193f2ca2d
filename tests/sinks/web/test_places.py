"""Lines and zones that somebody draws on the page."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any, Dict, List, Tuple

import pytest

pytest.importorskip("h11")
from edge_runtime.cli import _track
from edge_runtime.cli._parser import Parser
from edge_runtime.errors import SinkError
from edge_runtime.files.read import parse_toml
from edge_runtime.track.places import Line, Zone
from edge_runtime.types.places import LineState, PlaceStates, ZoneState
from tests.sinks.results import result
from tests.sinks.web.client import ask, ask_json, page

GATE = {"name": "a \"gate\"='1' 😀", "points": [[0.5, 1.0], [0.5, 0.1234]]}
YARD = {"name": "yard", "points": [[0, 0], [1, 0], [1, 1]]}
GIVEN: Dict[str, Any] = {"stream": "cam", "lines": [GATE], "zones": [YARD]}
LINES = (Line(GATE["name"], ((0.5, 1.0), (0.5, 0.1234))),)  # type: ignore[arg-type]
ZONES = (Zone("yard", ((0, 0), (1, 0), (1, 1))),)


def put(sink: Any, given: Any, **headers: str) -> Tuple[int, Dict[str, Any]]:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    status, _, said = ask(sink, "PUT", "/zones", {"Content-Type": "application/json", **headers}, body)
    return status, json.loads(said)


def test_those_of_the_run_are_shown() -> None:
    line, zone = LineState("gate", ((32.0, 48.0), (32.0, 0.0)), 1, 2), ZoneState("yard", ((0, 0), (64, 0), (64, 48)))
    with page() as sink:
        assert ask_json(sink, "/zones") == {"can_save": False, "streams": {"cam": {"lines": [], "zones": []}}}
        sink.write(replace(result(), places=PlaceStates((line,), (zone,))))
        shown = ask_json(sink, "/zones")["streams"]["cam"]
    assert shown["lines"] == [{"name": "gate", "points": [[0.5, 1.0], [0.5, 0.0]]}]
    assert shown["zones"] == [{"name": "yard", "points": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}]


def test_saved_by_the_run() -> None:
    calls: List[Any] = []
    with page(save=lambda *given: calls.append(given)) as sink:
        status, said = put(sink, GIVEN)
        assert status == 200 and said["saved"] is True
        assert ask_json(sink, "/zones") == {"can_save": True, "streams": {"cam": {"lines": [GATE], "zones": [YARD]}}}
    assert calls == [("cam", LINES, ZONES)]


def test_without_a_file_there_is_text_to_copy() -> None:
    """The flags are read by edge-detect, and the TOML by a reader of TOML. Both give the same places."""
    with page() as sink:
        status, said = put(sink, GIVEN)
    assert status == 200 and said["saved"] is False
    (table,) = parse_toml(f"[[stream]]\n{said['toml']}")["stream"]
    asked = {kind: [{"name": place["name"], "fractions": place["points"]} for place in GIVEN[kind]] for kind in table}
    assert table == asked and set(table) == {"lines", "zones"}
    parser = Parser("test")
    _track.add_flags(parser)
    args = parser.parse_args(shlex.split(said["flags"]))
    assert (tuple(args.line), tuple(args.zone)) == (LINES, ZONES)


def test_a_save_that_fails_is_said() -> None:
    def refuse(*_: Any) -> None:
        raise SinkError("site.toml cannot be written", hint="whose is it?")

    with page(save=refuse) as sink:
        assert put(sink, GIVEN) == (422, {"error": "site.toml cannot be written", "hint": "whose is it?"})
        assert ask_json(sink, "/zones")["streams"]["cam"] == {"lines": [], "zones": []}


def test_a_defect_of_the_save_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def break_(*_: Any) -> None:
        raise ZeroDivisionError("inside")

    with page(save=break_) as sink:
        status, said = put(sink, GIVEN)
    assert status == 500 and "inside" not in str(said) and "inside" in caplog.text


WRONG: List[Tuple[Any, str]] = [
    (b"{", "not JSON"), (b"[]", "not an object"), (b"\xff", "utf-8"), ({"lines": []}, "no stream"),
    ({**GIVEN, "colour": 1}, "colour"), ({**GIVEN, "zones": 3}, "zones"), ({**GIVEN, "zones": [3]}, "zones"),
    ({**GIVEN, "zones": [{"name": "x"}]}, "a place has"), ({**GIVEN, "zones": [{"name": "x", "points": 3}]}, "points"),
    ({**GIVEN, "zones": [YARD, YARD]}, "one name"), ({**GIVEN, "lines": [YARD]}, "no line"),
    ({**GIVEN, "zones": [GATE]}, "no area"), ({**GIVEN, "zones": [{**YARD, "name": " "}]}, "no name"),
    ({**GIVEN, "zones": [{**YARD, "name": "a\x1b[31m"}]}, "printed"), ({**GIVEN, "lines": [GATE] * 65}, "lines"),
    ({**GIVEN, "zones": [{**YARD, "points": [[0, 0], [9, 0], [9, 9]]}]}, "above 1"),
    ({**GIVEN, "zones": [{**YARD, "points": [[0, 0], [1e400, 0], [1, 1]]}]}, "Infinity"),
    ({**GIVEN, "zones": [{**YARD, "name": 5}]}, "name"),
]  # fmt: skip


@pytest.mark.parametrize("given,said", WRONG, ids=lambda item: str(item)[:50])
def test_what_is_no_line_or_zone_is_not_saved(given: Any, said: str) -> None:
    calls: List[Any] = []
    with page(save=lambda *found: calls.append(found)) as sink:
        status, answer = put(sink, given)
    assert status == 422 and said in answer["error"] and not calls


def test_what_is_refused_before_it_is_read() -> None:
    calls: List[Any] = []
    with page(save=lambda *found: calls.append(found)) as sink:
        assert put(sink, {**GIVEN, "stream": "nobody"})[0] == 404
        assert put(sink, GIVEN, **{"Content-Type": "text/plain"})[0] == 415, "a form of another page could send it"
        assert put(sink, GIVEN, Origin="http://evil.example")[0] == 403
    assert not calls
