"""The hub: numbers without gaps, pictures, states, the end of a source; it holds nothing up and keeps nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import cv2
import numpy as np
import pytest

from edge_runtime.events import hub as hub_module
from edge_runtime.events.hub import EventHub
from edge_runtime.events.options import EventOptions
from edge_runtime.types import Detections, Frame, Result
from edge_runtime.types.events import Event
from tests.loop.parts import within

Open = Callable[..., EventHub]


def result(ids: List[int], index: int = 0, source: str = "cam") -> Result:
    rows = np.array([[10 + 30 * k, 10, 30 + 30 * k, 40, 0.9, 0] for k in range(len(ids))], np.float32).reshape(-1, 6)
    found = Detections.from_rows(rows, ("person",))
    found.tracker_id = np.array(ids, np.int32)
    return Result(Frame(np.full((48, 640, 3), 90, np.uint8), source, index, index / 10), found)


class Told(List[Event]):
    """Events, as they come."""

    def kinds(self) -> List[str]:
        return [event.kind for event in self if event.kind != "status"]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def errors() -> List[str]:
    return []


@pytest.fixture
def opened(told: Told, errors: List[str]) -> Iterator[Open]:
    hubs = []

    def start(deliver: Callable[[Event], Any] = told.append, **more: Any) -> EventHub:
        hub = EventHub(
            lambda event, number: deliver(event), EventOptions(), 1.0,
            lambda name, error: errors.append(f"{name}: {error}"), **more,
        )  # fmt: skip
        hubs.append(hub)
        hub.start()
        return hub

    yield start
    for hub in hubs:
        hub.finish()


def test_events_are_numbered_without_gaps_and_in_order(opened: Open, told: Told, errors: List[str]) -> None:
    hub = opened()
    for index in range(50):
        hub.see(result([1, 2, 3] if index % 2 else [1], index), False, 0)
        hub.see(result([1], index, "other"), False, 0)
    hub.finish()
    assert [event.number for event in told] == list(range(1, len(told) + 1))
    assert {event.run for event in told} == {hub.run} and not errors
    assert len({event.key for event in told if event.kind == "new"}) == 4
    assert told[-1].kind == "status" and told.kinds().count("end") == 4


def test_keys_differ_from_run_to_run(opened: Open, told: Told) -> None:
    for _ in range(3):
        hub = opened()
        hub.see(result([1]), False, 0)
        hub.finish()
    assert len({event.key for event in told if event.key}) == 3


def test_keys_of_sources_with_long_names_are_names_of_files(opened: Open, told: Told, tmp_path: Path) -> None:
    hub = opened()
    for end in "ab":
        hub.see(result([1], source=f"rtsp://camera/{'é語' * 300}{end}"), False, 0)
    hub.finish()
    keys = {event.key for event in told if event.key}
    assert len(keys) == 2
    for key in keys:
        (tmp_path / f"{key}-123456.mp4").write_text("", encoding="utf-8")


def test_every_event_of_an_object_shows_it(opened: Open, told: Told) -> None:
    hub = opened()
    for index in range(25):
        hub.see(result([1], index), False, 0)
    hub.finish()
    shown = [event for event in told if event.key]
    assert [event.kind for event in shown] == ["new", "update", "update", "end"]
    for event in shown:
        assert event.picture is shown[0].picture and event.picture is not None
    assert cv2.imdecode(np.frombuffer(shown[0].picture, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (36, 26)
    assert not hub._pictures, "nothing is kept of objects that have ended"


def test_an_image_may_change_after_it_was_seen(opened: Open, told: Told) -> None:
    given, hub = result([1]), opened()
    hub.see(given, False, 0)
    given.frame.image[:] = 255
    hub.finish()
    assert cv2.imdecode(np.frombuffer(told[0].picture or b"", np.uint8), 1).mean() == pytest.approx(90, abs=2)


def test_a_change_of_state_is_an_event(opened: Open, told: Told) -> None:
    hub, state = opened(), {"source": "cam", "state": "connecting", "since_s": 1.0}
    hub.states = lambda: [state]
    assert within(5, lambda: told.kinds() == ["source"])
    state.update(state="live", since_s=2.0)
    assert within(5, lambda: told.kinds() == ["source", "source"])
    hub.finish()
    assert told.kinds() == ["source", "source"]
    first, second = (event for event in told if event.kind == "source")
    assert first.source == "cam" and first.data == {"state": "connecting", "since_s": 1.0}
    assert second.data["state"] == "live"


def test_a_live_source_that_was_removed_says_so_once(opened: Open, told: Told) -> None:
    """Else a reader would believe for ever that it is live."""
    hub, states = opened(), [{"source": "cam", "state": "live"}, {"source": "other", "state": "lost"}]
    hub.states = lambda: states
    assert within(5, lambda: told.kinds() == ["source", "source"])
    states.pop(0)
    hub.forget("cam", 0)
    assert told.kinds() == ["source"] * 3, "it waits until this is told"
    assert not within(0.6, lambda: len(told.kinds()) > 3)
    states.append({"source": "cam", "state": "connecting"})
    assert within(5, lambda: told.kinds() == ["source"] * 4)
    hub.finish()
    assert [(event.source, event.data["state"]) for event in told if event.kind == "source"] == [
        ("cam", "live"), ("other", "lost"), ("cam", "removed"), ("cam", "connecting"),
    ]  # fmt: skip


def test_status_is_what_the_caller_gives(opened: Open, told: Told) -> None:
    hub = opened()
    hub.status = lambda: {"fps": 12.5}
    hub.finish()
    assert [(event.kind, event.source, event.data) for event in told] == [("status", "", {"fps": 12.5})]


def test_objects_end_with_their_source_and_not_with_another(opened: Open, told: Told) -> None:
    ended: List[str] = []
    hub = opened(ended=lambda names: ended)
    hub.see(result([1], source="a"), False, 0)
    hub.see(result([1], source="b"), False, 0)
    ended.append("a")
    assert within(5, lambda: "end" in told.kinds())
    (end,) = [event for event in told if event.kind == "end"]
    assert end.source == "a" and end.data["why"] == "end of source"


def test_pictures_that_wait_are_bounded(opened: Open, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MOST_BYTES", 5000)
    gate = threading.Event()
    hub = opened(deliver=lambda event: (gate.wait(20), told.append(event)))
    for index in range(10):
        hub.see(result(list(range(1, 15)), index), False, 0)
    assert hub._bytes <= 5000 + 36 * 26 * 3
    gate.set()
    hub.finish()
    assert hub._bytes == 0 and told.kinds().count("end") == 14


def test_detection_waits_if_events_pile_up_and_none_is_lost(
    opened: Open, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MOST_WAITING", 5)
    gate, done = threading.Event(), threading.Event()
    hub = opened(deliver=lambda event: (gate.wait(20), told.append(event)))

    def detect() -> None:
        for index in range(30):
            hub.see(result([index + 1], index), False, 0)
        done.set()

    thread = threading.Thread(target=detect)
    thread.start()
    assert not done.wait(0.3)
    gate.set()
    thread.join(20)
    hub.finish()
    assert told.kinds().count("new") == told.kinds().count("end") == 30
    assert [event.number for event in told] == list(range(1, len(told) + 1))


def test_a_fault_of_its_own_is_reported_and_holds_nothing_up(opened: Open, errors: List[str]) -> None:
    def broken() -> Dict[str, Any]:
        raise ValueError("no figures")

    hub = opened()
    hub.status = broken
    assert within(10, lambda: bool(errors))
    for index in range(100):
        hub.see(result([1], index), False, 0)
    hub.finish()
    assert errors == ["events: no figures"]


def test_of_many_sources_that_come_and_go_few_are_kept_and_no_key_comes_twice(
    opened: Open, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MOST_SOURCES", 5)
    reading = {"stays"}
    hub = opened(ended=lambda names: set(names) - reading)
    hub.see(result([1], source="stays"), False, 0)
    for index in range(30):
        hub.see(result([1], source=f"rtsp://cam/{'abc'[index % 3]}/é"), False, index)
        hub.see(result([1], source=f"rtsp://cam/{index}"), False, 0)
        assert within(5, lambda: sum(maker.present for maker in list(hub._makers.values())) == 1)
    assert len(hub._makers) == len(hub._names) <= 5 and "stays" in hub._makers
    hub.finish()
    keys = [event.key for event in told if event.kind == "new"]
    assert len(keys) == len(set(keys)) == 61


def test_a_source_that_was_removed_is_forgotten_and_comes_back_with_other_keys(opened: Open, told: Told) -> None:
    hub = opened()
    hub.see(result([1], source="stays"), False, 0, 0)
    for turn in range(1, 9):
        for name in ("cam", "cam-2", "rtsp://x/cam"):
            hub.see(result([1], source=name), False, 0, turn)
        for name in ("cam", "cam-2", "rtsp://x/cam"):
            hub.forget(name, turn)
    assert list(hub._makers) == list(hub._names) == list(hub._numbers) == ["stays"]
    hub.forget("never seen", 3)
    hub.finish()
    new, ended = ([event for event in told if event.kind == kind] for kind in ("new", "end"))
    assert len(new) == len({event.key for event in new}) == len({event.key for event in ended}) == 25
    assert [event.data["why"] for event in ended] == ["end of source"] * 24 + ["end of run"]
    assert new[0].key == f"{hub.run}-stays-1" and new[1].key == f"{hub.run}-cam-1"


def test_another_source_under_the_name_of_a_removed_one(opened: Open, told: Told) -> None:
    """Its first result may come before the hub is told of the end of the one before."""
    hub = opened()
    hub.see(result([1], 0), True, 0, 3)
    hub.see(result([2], 1), True, 0, 7)
    hub.forget("cam", 3)
    hub.see(result([2], 2), True, 0, 7)
    hub.finish()
    stories = [(event.kind, event.data["tracker_id"], event.data.get("why")) for event in told if event.key]
    assert stories == [("new", 1, None), ("end", 1, "end of source"), ("new", 2, None), ("end", 2, "end of run")]
    assert len({event.key for event in told if event.key}) == 2


def test_a_state_is_told_again_of_a_source_that_comes_back(opened: Open, told: Told) -> None:
    hub, listed = opened(), [{"source": "cam", "state": "live"}]
    hub.states = lambda: list(listed)
    assert within(5, lambda: told.kinds() == ["source"])
    hub.forget("cam", 0)
    assert within(5, lambda: told.kinds() == ["source"] * 3)
    assert [event.data["state"] for event in told if event.kind == "source"] == ["live", "removed", "live"]


def test_a_state_that_is_not_listed_for_a_moment_is_no_end(opened: Open, told: Told) -> None:
    """Who lists them may pass over one while another is taken out. Only `forget` says that a source is gone."""
    hub, listed = opened(), [{"source": "cam", "state": "live"}]
    hub.states = lambda: list(listed)
    assert within(5, lambda: told.kinds() == ["source"])
    state = listed.pop()
    assert not within(0.6, lambda: len(told.kinds()) > 1)
    listed.append(state)
    hub.finish()
    assert told.kinds() == ["source"]


def test_the_last_events_of_a_removed_source_are_delivered_before_forget_returns(opened: Open, told: Told) -> None:
    """Its outputs end after that. A source without a state says that it was removed too."""
    hub = opened()
    for index in range(3):
        hub.see(result([1, 2], index), False, 0)
    hub.forget("cam", 0)
    assert told.kinds()[-4:] == ["end", "end", "counts", "source"] and told[-1].data == {"state": "removed"}


def test_forget_does_not_wait_for_ever(
    opened: Open, told: Told, errors: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PATIENCE_S", 0.2)
    gate, done = threading.Event(), threading.Event()
    hub = opened(deliver=lambda event: (gate.wait(20), told.append(event)))
    hub.see(result([1]), False, 0)
    thread = threading.Thread(target=lambda: (hub.forget("cam", 0), done.set()))
    thread.start()
    assert done.wait(10) and not told
    gate.set()
    thread.join(10)
    hub.finish()
    assert told.kinds() == ["new", "counts", "end", "counts", "source"] and not errors
