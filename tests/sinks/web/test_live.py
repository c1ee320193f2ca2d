"""Pictures and events for viewers, and for those who take none."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import ExitStack
from typing import Any, Dict, Iterator, List, Tuple

import cv2
import numpy as np
import pytest

pytest.importorskip("h11")
from edge_runtime import sinks
from edge_runtime.errors import SinkError
from edge_runtime.sinks._web import connection as connections
from edge_runtime.sinks._web import live, streams
from tests.sinks.results import result
from tests.sinks.web.client import event, page, until, watching


def chunks(connection: socket.socket) -> Iterator[bytes]:
    """The parts of an answer, as they come."""
    file = connection.makefile("rb")
    while True:
        size = int(file.readline() or b"0", 16)
        if not size:
            return
        yield file.read(size)
        file.readline()


def events(connection: socket.socket) -> Iterator[Tuple[str, Dict[str, Any]]]:
    text = ""
    for piece in chunks(connection):
        text += piece.decode()
        while "\n\n" in text:
            one, _, text = text.partition("\n\n")
            lines = dict(line.split(": ", 1) for line in one.split("\n") if ": " in line)
            if "event" in lines:
                yield lines["event"], json.loads(lines["data"])


def next_picture(sink: Any, parts: Iterator[bytes], index: int, **more: Any) -> bytes:
    """Writes a frame, which somebody watches, and returns its picture."""
    until(lambda: any(stream.watchers for stream in sink._streams.all()), "a viewer")
    sink.write(result(index, **more))
    return next(parts)


def test_pictures_move_and_are_annotated() -> None:
    with page("?fps=60") as sink, watching(sink, "/stream/cam.mjpeg") as viewer:
        parts = chunks(viewer)
        one, two = (next_picture(sink, parts, index) for index in (1, 90))
        assert one.startswith(b"--edge-picture\r\nContent-Type: image/jpeg") and one != two
        image = cv2.imdecode(np.frombuffer(one.partition(b"\r\n\r\n")[2], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (48, 64, 3) and np.ptp(image) > 100, "boxes are drawn into the grey"


def test_all_streams_over_one_connection_and_wide_ones_scaled() -> None:
    with page("?fps=60&width=100") as sink:
        sinks.begin(sink, {"cam": 25.0, "wide": 25.0})
        with watching(sink, "/pictures") as viewer:
            parts = chunks(viewer)
            for number, source, width in ((1, "wide", 400), (0, "cam", 64)):
                data = next_picture(sink, parts, 3, source=source, width=width, height=width // 2)
                found, length = struct.unpack(">HI", data[:6])
                image = cv2.imdecode(np.frombuffer(data[6:], np.uint8), cv2.IMREAD_COLOR)
                assert (found, length) == (number, len(data) - 6)
                assert image.shape[:2] == (min(width, 100) // 2, min(width, 100))
            sink.write(result(0, source="new one"))
            assert list(parts) == [], "it ends when a stream is added"


def test_nobody_watches_so_nothing_is_encoded() -> None:
    with page("?fps=60") as sink:
        for index in range(20):
            sink.write(result(index))
        assert sink.summary()["pictures"] == 0


def test_encoded_once_whoever_watches() -> None:
    with page("?fps=60") as sink, ExitStack() as stack:
        viewers = [chunks(stack.enter_context(watching(sink, "/stream/cam.mjpeg"))) for _ in range(8)]
        until(lambda: sink._streams.all()[0].watchers == 8, "eight viewers")
        sink.write(result(5))
        assert len({next(viewer) for viewer in viewers}) == 1 and sink.summary()["pictures"] == 1


def test_the_rate_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock: 100 frames in 4 seconds are 20 pictures at 5 a second, if the encoder keeps up."""
    with page("?fps=5") as sink, watching(sink, "/stream/cam.mjpeg") as viewer:
        parts = chunks(viewer)
        until(lambda: sink._streams.all()[0].watchers, "a viewer")
        made = 0
        for index in range(100):
            monkeypatch.setattr(streams, "monotonic", lambda now_s=1e6 + index * 0.04: now_s)
            waited = sink._streams.all()[0].due.next_s
            sink.write(result(index))
            if sink._streams.all()[0].due.next_s != waited:
                made += 1
                next(parts)
        assert made == 20 == sink.summary()["pictures"]


def test_a_viewer_that_takes_nothing_stops_no_other() -> None:
    """It gets newer pictures later, and is not served all of them."""
    with page("?fps=60") as sink, ExitStack() as stack:
        stuck = stack.enter_context(watching(sink, "/stream/cam.mjpeg"))
        parts = chunks(stack.enter_context(watching(sink, "/stream/cam.mjpeg")))
        until(lambda: sink._streams.all()[0].watchers == 2, "two viewers")
        stream = sink._streams.all()[0]
        for index in range(60):
            stream.due.next_s = 0.0
            sink.write(result(index, 480, 640, noise=True))
            next(parts)
        made, got = sink.summary()["pictures"], 0
        sink.close()
        stuck_parts = chunks(stuck)
        with pytest.raises((OSError, ValueError, StopIteration)):
            while True:
                got += bool(next(stuck_parts))
        assert made == 60 and got < 60


def test_viewers_that_go_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.05)
    with page() as sink:
        with watching(sink, "/pictures"), watching(sink, "/events"):
            until(lambda: sink._streams.all()[0].watchers == 1, "a viewer")
        until(lambda: sink._streams.all()[0].watchers == 0, "no viewer")
        until(lambda: sink.summary()["connections"] == 0, "no connection")


def test_events_come_after_everything_that_was_before() -> None:
    with page() as sink:
        sink.take(event("status", 1, data={"fps": 30.0}))
        with watching(sink, "/events") as viewer:
            said = events(viewer)
            name, state = next(said)
            assert name == "state" and state["status"] == {"fps": 30.0} and len(state["history"]) == 1
            sink.take(event("counts", 2, data={"in_view": {"cat": 2, "dog": 1}}))
            sink.take(event("source", 3, data={"state": "lost"}))
            sink.take(event("new", 4, "run-1", picture=b"x"))
            sink.take(event("unknown", 5))
            sink.take(event("status", 6, data={"fps": 31.0}))
            found = [next(said) for _ in range(4)]
            assert [name for name, _ in found] == ["counts", "source", "object", "status"]
            assert found[0][1]["point"][1] == 3 and found[2][1]["picture"] is True
            sink.write(result(0, source="later"))
            name, state = next(said)
            assert name == "state" and len(state["streams"]) == 2


def test_a_viewer_of_events_that_takes_none_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_WAITING", 5)
    monkeypatch.setattr(connections, "SEND_S", 0.3)
    with page() as sink, watching(sink, "/events"):
        long = {"label": "x" * 20_000}

        def sent_away() -> bool:
            for number in range(50):
                sink.take(event("new", number, f"run-{number}", data=long))
            return bool(sink.summary()["connections"] == 0)

        until(sent_away, "the viewer was sent away")


def test_a_picture_that_cannot_be_made_ends_the_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("no colours left")

    with page() as sink, watching(sink, "/stream/cam.mjpeg"):
        monkeypatch.setattr(sink._streams, "_encoded", fail)
        until(lambda: sink._streams.all()[0].watchers, "a viewer")
        errors: List[SinkError] = []

        def failed() -> bool:
            try:
                sink.write(result())
            except SinkError as error:
                errors.append(error)
            return bool(errors)

        until(failed, "the failure is told")
        assert "no colours left" in str(errors[0])


class Run:
    """The sources of a run, as a page sees them."""

    def __init__(self) -> None:
        self.names: List[str] = []

    def sources(self) -> List[str]:
        return self.names


def test_sources_that_were_removed_give_their_places_to_others() -> None:
    run = Run()
    with page("?fps=60") as sink:
        sinks.observe(sink, lambda: run)
        run.names = ["stays"]
        sink.write(result(0, source="stays"))
        sink.write(result(0, source="frames of another name"))
        for number in range(2 * streams.MOST_STREAMS):
            name = f"cam{number}"
            run.names = ["stays", name]
            sink.take(event("status", number))
            sink.write(result(0, source=name))
            sink.take(event("counts", number, source=name))
            assert name in [stream.source for stream in sink._streams.all()]
        run.names = ["stays"]
        sink.take(event("status", 1))
        sink.write(result(0, source=name))  # it was still on its way
        sink.take(event("counts", 2, source=name))
        sink.take(event("status", 3))
        assert [stream.source for stream in sink._streams.all()] == ["cam", "stays", "frames of another name"]
        assert sink._state.snapshot()["counts"] == {}
        sink.write(result(0, source="cam0"))
        assert [stream.number for stream in sink._streams.all()][-1] == 2 * streams.MOST_STREAMS + 4


def test_who_watches_a_stream_that_is_removed_gets_an_end() -> None:
    run = Run()
    with page("?fps=60") as sink:
        sinks.observe(sink, lambda: run)
        run.names = ["cam"]
        sink.take(event("status", 1))
        with watching(sink, "/stream/cam.mjpeg") as viewer:
            parts = chunks(viewer)
            assert next_picture(sink, parts, 1)
            run.names = []
            sink.take(event("status", 2))
            assert list(parts) == []
        assert not sink._streams.all() and sink.summary()["pictures"] == 1, "it was made, whatever is listed now"
