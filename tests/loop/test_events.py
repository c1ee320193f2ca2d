"""Events in a pipeline: each sink gets all of them, whatever another one does."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.loop import event_outbox
from edge_runtime.loop import run as loop_run
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.stream import Stream
from edge_runtime.sources import SourceState
from edge_runtime.track.options import TrackOptions
from edge_runtime.types import Frame
from edge_runtime.types.events import Event
from tests.loop.parts import Numbers, Sink, open_detector, threads, within


class Taker:
    """Remembers events; fails or hangs at one of them."""

    def __init__(self, target: str = "taker:", fails_at: int = -1, hangs_at: int = -1) -> None:
        self.target, self.fails_at, self.hangs_at = target, fails_at, hangs_at
        self.events: List[Event] = []
        self.closed_times = 0
        self.hanging, self.gate = threading.Event(), threading.Event()

    def take(self, event: Event) -> None:
        if len(self.events) == self.fails_at:
            raise SinkError("no broker", hint="start it")
        if len(self.events) == self.hangs_at:
            self.hanging.set()
            self.gate.wait(60)
        self.events.append(event)

    def summary(self) -> Dict[str, Any]:
        return {"sent": len(self.events)}

    def close(self) -> None:
        self.closed_times += 1

    def kinds(self) -> List[str]:
        return [event.kind for event in self.events if event.kind not in ("status", "counts")]

    def stories(self) -> List[str]:
        return [kind for kind in self.kinds() if kind != "update"]

    def check_numbers(self) -> None:
        assert [event.number for event in self.events] == list(range(1, len(self.events) + 1))


class Both(Taker, Sink):
    """Takes frames and events, and notes when it was closed."""

    def __init__(self) -> None:
        Sink.__init__(self)
        Taker.__init__(self, "both:")
        self.after_close = 0

    def take(self, event: Event) -> None:
        self.after_close += self.closed_times
        super().take(event)

    def close(self) -> None:
        self.closed_times += 1


class Looping(Numbers):
    """Begins again after each tenth frame."""

    restarts = 0

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        frame = super().read(buffer)
        self.restarts = (self.index - 1) // 10
        return frame


class Paced(Numbers):
    """A live source of about a hundred frames per second."""

    live = True

    def read(self, buffer: Optional[np.ndarray] = None) -> Optional[Frame]:
        time.sleep(0.01)
        frame = super().read(buffer)
        if frame:
            frame.timestamp_s = time.time()
        return frame


@pytest.fixture
def detector(tmp_path: Path) -> Iterator[Detector]:
    with open_detector(tmp_path) as opened:
        yield opened


def run(detector: Detector, source: Any, *sinks: Any) -> Dict[str, Any]:
    return Pipeline(detector, source, list(sinks), track=TrackOptions()).run()


def test_objects_begin_and_end(detector: Detector) -> None:
    taker, other = Taker(), Taker("other:")
    summary = run(detector, [Numbers(30, name="a"), Looping(20, name="b")], taker, other)
    taker.check_numbers()
    assert taker.events == other.events and taker.closed_times == 1
    for source, count in (("a", 1), ("b", 2)):
        mine = [event for event in taker.events if event.source == source]
        assert [event.kind for event in mine if event.key] == ["new", "end"] * count
        assert [event.data["objects"] for event in mine if event.kind == "counts"][-1] == {"b": count}
    assert summary["sinks"]["taker:"] == {"events": {"taken": len(taker.events), "lost": 0, "sent": len(taker.events)}}
    assert taker.events[-1].kind == "status" and taker.events[-1].data["frames"] == 50


def test_no_event_is_missed_where_a_sink_of_frames_loses_them(detector: Detector) -> None:
    slow, taker = Sink(hangs_at=0), Taker()
    pipeline = Pipeline(detector, Paced(10**6, live=True), [slow, taker], track=TrackOptions())
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    assert within(20, lambda: "new" in taker.kinds()), "while the other sink hangs"
    slow.gate.set()
    pipeline.stop()
    thread.join(20)
    assert not thread.is_alive() and taker.stories() == ["new", "end"]


def test_a_sink_that_fails_costs_its_own_events_alone(detector: Detector, caplog: pytest.LogCaptureFixture) -> None:
    bad, good, frames = Taker("bad:", fails_at=2), Taker("good:"), Sink()
    pipeline = Pipeline(detector, Numbers(100), [bad, good, frames], track=TrackOptions())
    with pytest.raises(SinkError, match="no broker"):
        pipeline.run()
    summary = pipeline.summary()
    assert summary["failed"] == [{"sink": "bad:", "error": "no broker"}] and "bad: failed" in caplog.text
    good.check_numbers()
    assert good.stories() == ["new", "end"] and len(frames.seen) == 100 and bad.closed_times == 1
    assert summary["sinks"]["bad:"]["events"]["taken"] == 2
    assert summary["sinks"]["bad:"]["events"]["lost"] == len(good.events) - 2


def test_a_sink_that_hangs_stops_no_other_and_its_losses_are_counted(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_outbox, "DEPTH", 5)
    monkeypatch.setattr(event_outbox, "PATIENCE_S", 0.2)
    before = threads()
    bad, good = Taker("bad:", hangs_at=0), Taker("good:")
    pipeline = Pipeline(detector, Looping(300), [bad, good], track=TrackOptions())
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    assert within(20, lambda: good.kinds().count("end") == 30), "the whole file, for the other one"
    bad.gate.set()
    thread.join(20)
    assert not thread.is_alive()
    lost = pipeline.summary()["sinks"]["bad:"]["events"]["lost"]
    assert lost > 0 and lost + len(bad.events) == len(good.events)
    numbers = [event.number for event in bad.events]
    assert numbers == sorted(set(numbers)), "what came is in order, and its numbers show what did not"
    assert within(10, lambda: threads() == before)


def test_a_file_waits_for_a_slow_sink(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_outbox, "DEPTH", 2)
    slow = Taker("slow:", hangs_at=3)
    threading.Timer(0.3, slow.gate.set).start()
    summary = run(detector, Looping(300), slow)
    slow.check_numbers()
    assert slow.kinds() == ["new", "end"] * 30 and summary["sinks"]["slow:"]["events"]["lost"] == 0


def test_one_that_takes_both_is_closed_once_at_its_end(detector: Detector) -> None:
    both = Both()
    summary = run(detector, Numbers(30), both)
    assert both.kinds() == ["new", "end"] and both.seen == list(range(30))
    assert both.closed_times == 1 and both.after_close == 0
    assert set(summary["sinks"]["both:"]) == {"dropped", "ms", "events"}


def test_without_tracking_there_are_counts_and_no_objects(detector: Detector) -> None:
    taker = Taker()
    Pipeline(detector, Numbers(30), taker).run()
    assert not taker.kinds() and next(e.data["in_view"] for e in taker.events if e.kind == "counts") == {"b": 1}


def test_a_target_for_events_wants_tracking(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing tracks") as caught:
        Pipeline(detector, Numbers(3), f"events:{tmp_path}/out.jsonl")
    assert "TrackOptions" in str(caught.value.hint)


def test_the_state_of_a_source_is_an_event(detector: Detector) -> None:
    source, taker = Paced(10**6, live=True), Taker()
    source.state = SourceState(source.name)
    pipeline = Pipeline(detector, source, taker, track=TrackOptions())
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    assert within(10, lambda: "source" in taker.kinds())
    source.state.become("lost", "no route")
    assert within(10, lambda: taker.kinds().count("source") == 2)
    pipeline.stop()
    thread.join(20)
    assert [e.data["state"] for e in taker.events if e.kind == "source"] == ["connecting", "lost"]


def test_objects_of_a_source_that_ends_do_not_wait_for_the_others(detector: Detector) -> None:
    taker = Taker()
    sources = [Paced(20, name="a", live=True), Paced(10**6, name="b", live=True)]
    pipeline = Pipeline(detector, sources, taker, track=TrackOptions())
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    assert within(10, lambda: any(event.kind == "end" and event.source == "a" for event in taker.events))
    pipeline.stop()
    thread.join(20)
    assert {event.data["why"] for event in taker.events if event.kind == "end"} == {"end of source", "end of run"}


def test_one_that_hangs_is_left_behind_once_the_end_is_asked_for(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_run, "GRACE_S", 0.3)
    bad, good, before = Taker("bad:", hangs_at=1), Taker("good:"), threads()
    pipeline = Pipeline(detector, Paced(10**6, live=True), [bad, good], track=TrackOptions())
    errors: List[BaseException] = []

    def work() -> None:
        with pytest.raises(SinkError, match="bad: did not end") as caught:
            pipeline.run()
        errors.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    assert bad.hanging.wait(20) and within(10, lambda: "new" in good.kinds())
    pipeline.stop()
    thread.join(20)
    assert not thread.is_alive() and errors and pipeline.summary()["left_behind"] == ["bad:"]
    assert good.stories() == ["new", "end"] and good.closed_times == 1
    assert pipeline.summary()["sinks"]["bad:"]["events"]["lost"] > 0
    bad.gate.set()
    assert within(10, lambda: threads() == before)


def test_a_source_that_is_taken_out_ends_its_objects(detector: Detector) -> None:
    taker = Taker()
    sources = [Paced(10**6, name="a", live=True), Paced(10**6, name="b", live=True)]
    pipeline = Pipeline(detector, sources, taker, track=TrackOptions())
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    assert within(10, lambda: taker.kinds().count("new") == 2)
    pipeline.remove("a")
    assert within(10, lambda: "end" in taker.kinds())
    pipeline.add(Paced(10**6, name="c", live=True))
    assert within(10, lambda: taker.kinds().count("new") == 3)
    pipeline.stop()
    thread.join(20)
    ends = [(event.source, event.data["why"]) for event in taker.events if event.kind == "end"]
    assert ends[0] == ("a", "end of source") and {source for source, _ in ends} == {"a", "b", "c"}


def test_of_sources_that_come_and_go_nothing_is_kept(detector: Detector) -> None:
    taker = Taker()
    pipeline = Pipeline(detector, Paced(10**6, name="stays"), taker, track=TrackOptions())
    thread = threading.Thread(target=pipeline.run, daemon=True)
    thread.start()
    assert within(10, lambda: taker.stories() == ["new"])
    for _ in range(6):
        before = taker.stories().count("new")
        pipeline.add(Paced(10**6, name="cam"))
        assert within(10, lambda before=before: taker.stories().count("new") > before), "its object"
        pipeline.remove("cam")
    hub = pipeline._run.events
    assert hub is not None and within(10, lambda: list(hub._makers) == ["stays"])
    pipeline.stop()
    thread.join(20)
    taker.check_numbers()
    new, ended = ([event.key for event in taker.events if event.kind == kind] for kind in ("new", "end"))
    assert len(new) == len(set(new)) == 7 and sorted(new) == sorted(ended), "each object has one key, and ends once"


@pytest.mark.parametrize("live", [True, False])
def test_the_outputs_of_a_removed_source_get_its_last_events(detector: Detector, live: bool) -> None:
    """Also if another source comes under its name at once."""
    common, first, second = Taker(), Taker("first:"), Taker("second:")
    pipeline = Pipeline(detector, [Paced(10**6, name="stays")], common, track=TrackOptions())
    pipeline.add(Stream(own_source(live), "cam", sinks=[first]))
    thread = threading.Thread(target=pipeline.run, daemon=True)
    thread.start()
    assert within(10, lambda: "new" in first.kinds() and ("source" in first.kinds()) is live)
    pipeline.remove("cam")
    pipeline.add(Stream(own_source(live), "cam", sinks=[second]))
    assert within(10, lambda: "new" in second.kinds() and first.closed_times == 1)
    pipeline.stop()
    thread.join(20)
    assert not thread.is_alive()
    ends = [event.kind for event in first.events if event.kind in ("end", "counts", "source")][-3:]
    assert ends == ["end", "counts", "source"] and first.events[-1].kind in ("source", "status")
    (last,) = [event for event in first.events if event.data.get("state") == "removed"]
    assert last.source == "cam" and last in common.events and not first.stories().count("new") > 1
    assert "removed" not in [event.data.get("state") for event in second.events]
    assert not {event.key for event in first.events if event.key} & {event.key for event in second.events if event.key}


def test_a_source_that_is_removed_while_all_others_rest_says_so(detector: Detector) -> None:
    common, own, before = Taker(), Taker("own:"), threads()
    rests, cam = Numbers(9, name="rests", hangs_at=1, live=True), Numbers(9, name="cam", hangs_at=8)
    pipeline = Pipeline(detector, [rests, Stream(cam, sinks=[own])], common, track=TrackOptions())
    running = threading.Thread(target=pipeline.run, daemon=True)
    running.start()
    assert within(10, lambda: "new" in own.kinds())
    removing = threading.Thread(target=pipeline.remove, args=("cam",), daemon=True)
    removing.start()
    told = within(5, lambda: own.closed_times == 1)
    for source in (rests, cam):
        source.gate.set()
    pipeline.stop()
    running.join(20)
    removing.join(20)
    assert told and own.stories() == ["new", "end", "source"] and common.stories()[-1] == "source"
    assert within(10, lambda: threads() == before)


def own_source(live: bool) -> Paced:
    """A source with a state, or a slow file, which has none."""
    source = Paced(10**6, name="cam", live=live)
    if live:
        source.state = SourceState("cam")
    return source
