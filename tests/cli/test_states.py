"""What edge-detect says of the states of live sources."""

from __future__ import annotations

import pytest

from edge_runtime.cli import _states, detect
from edge_runtime.sources import SourceState


def test_lines_of_sources_that_were_not_always_live() -> None:
    fine, lost = SourceState("a"), SourceState("b")
    fine.become("live")
    lost.become("live")
    lost.become("stalled", "no frame for 2 s")
    lost.become("lost", "no answer in time")
    lost.become("live")
    lost.become("lost", "connection refused")
    lost.broken, lost.stale = 3, 40
    states = [fine.summary(), lost.summary()]
    assert _states.away(states) == ["b lost 0 s"]
    assert list(_states.lines(states)) == [
        "source: b: lost for 0 s (connection refused), came back once, stalled once, 3 broken pictures left out, "
        "40 old frames left out"
    ]


def test_a_source_that_has_not_answered_has_no_reason() -> None:
    assert list(_states.lines([SourceState("a").summary()])) == ["source: a: connecting for 0 s"]


def test_the_flags_reach_the_sources(capsys: pytest.CaptureFixture) -> None:
    typed = ["m.onnx", "demo", "--wait", "--give-up", "3", "--patience", "20", "--ca-file", "none"]
    asked = _states.options(detect._parser().parse_args(typed))
    assert (asked.wait, asked.max_tries, asked.patience_s, asked.ca_file) == (True, 3, 20.0, "none")
    with pytest.raises(SystemExit):
        detect._parser().parse_args([*typed, "--patience", "0"])
    assert "--patience" in capsys.readouterr().err
