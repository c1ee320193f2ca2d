"""Numbers events, encodes their pictures, and hands them to sinks: in one thread, in order."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from edge_runtime.events import pictures
from edge_runtime.events.maker import Draft, Maker
from edge_runtime.events.options import EventOptions
from edge_runtime.sinks._names import name_beside
from edge_runtime.types import Result
from edge_runtime.types.events import REMOVED, Event

TICK_S = 0.25
STATUS_S = 1.0
MOST_WAITING = 10_000  # events; the detecting thread then waits for this one, which waits for no sink of a camera
MOST_BYTES = 32 << 20  # of pictures that wait to be encoded; then an object keeps the picture that it has
LONGEST_NAME = 40
PATIENCE_S = 3.0  # the last events of a removed source may take so long; those that take longer may miss its outputs
SOURCE_ENDED = "end of source"
MOST_SOURCES = 200  # of more, those that have ended are forgotten
Waiting = Tuple[str, Optional[int], Draft]  # the name of the source, its number if that is known
Deliver = Callable[[Event, Optional[int]], None]
States = Callable[[], Sequence[Mapping[str, Any]]]


class EventHub:
    """Makes events of all results, and hands each to `deliver`, in order.

    `see` is called by the detecting thread: it misses no result, also where a slow sink of frames does. What takes
    time is done in a thread of the hub.

    Args:
        deliver: takes an event, and the number of its source; None for the one that runs now under the name.
            It waits for no sink that hangs.
        options: rates and pictures.
        lost_s: the tracker's; see `TrackOptions`.
        failed: called with an error of the hub's own thread. There are no more events then, and all else goes on.
        ended: of the names of sources, those of sources that give no more frames, and whose frames were all looked at.

    Attributes:
        run: see `Event`.
        states: gives the state of each source: "source" (its name), "state", and more. A new state is an event.
        status: gives the data of the event "status", once a second.
    """

    def __init__(
        self,
        deliver: Deliver,
        options: EventOptions,
        lost_s: float,
        failed: Callable[[str, BaseException], None],
        ended: Callable[[Iterable[str]], Iterable[str]] = lambda names: (),
    ) -> None:
        self.run = f"{int(time.time()):x}-{secrets.token_hex(3)}"
        self.states: States = list
        self.status: Callable[[], Mapping[str, Any]] = dict
        self._deliver, self._options, self._lost_s, self._failed, self._sources_ended = (
            deliver, options, lost_s, failed, ended,
        )  # fmt: skip
        self._makers: Dict[str, Maker] = {}
        self._names: Dict[str, str] = {}  # of sources, in keys
        self._numbers: Dict[str, int] = {}  # of sources
        self._made, self._forgot = 0, False
        self._drafts: Deque[Waiting] = deque()
        self._bytes = self._number = self._added = self._delivered = 0
        self._changed = threading.Condition()
        self._ending = self._broken = False
        self._known: Dict[str, Any] = {}  # states
        self._pictures: Dict[str, bytes] = {}  # of the objects that have not ended
        self._tick_s, self._status_s = 0.0, time.monotonic()
        self._thread = threading.Thread(target=self._work, name="events", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def see(self, result: Result, live: bool, restarts: int, number: int = 0) -> None:
        """Takes the next result. The image is not needed afterwards.

        Args:
            number: of the source. Another one under its name is another camera, and ends its objects.
        """
        source = result.frame.source
        with self._changed:
            maker = self._maker(source)
            before = self._numbers.setdefault(source, number)
            if before != number:
                self._remove(source, before)
                self._numbers[source] = number
            self._add(source, number, maker.see(result, live, restarts, time.time()))
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._drafts) < MOST_WAITING or self._broken)

    def forget(self, source: str, number: int) -> None:
        """Ends the objects of a source that was removed, after its last result, says so, and forgets it.

        It returns when the events are delivered, so that the outputs of the source may end. It does not wait for ever.

        Args:
            number: of the source. If another one under its name gave results already, it has ended.
        """
        with self._changed:
            if self._numbers.get(source, number) == number:
                self._remove(source, number)
                self._drop(source)
                self._changed.notify_all()
            added = self._added
            self._changed.wait_for(lambda: self._delivered >= added or self._broken, PATIENCE_S)

    def finish(self) -> None:
        """Ends all objects, and returns when all events are delivered."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _maker(self, source: str) -> Maker:
        if source not in self._makers:
            self._forget()
            self._made += 1
            name = self._names[source] = self._name(source)
            front = f"{self.run}.{self._made}-{name}" if self._forgot else f"{self.run}-{name}"
            self._makers[source] = Maker(front, self._options, self._lost_s, self._has_room)
        return self._makers[source]

    def _name(self, source: str) -> str:
        """A name that no other source has. What one had that is forgotten comes with another front.

        Keys are never given twice, and are names of files.
        """
        name = name_beside(source, {taken.casefold() for taken in self._names.values()})
        return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{self._made}"

    def _forget(self) -> None:
        """Forgets the oldest source that has ended, if there are many."""
        if len(self._makers) < MOST_SOURCES:
            return
        ended = set(self._sources_ended(self._makers))
        oldest = next((name for name, maker in self._makers.items() if name in ended and not maker.present), None)
        if oldest is not None:
            self._drop(oldest)

    def _drop(self, source: str) -> None:
        if source in self._makers:
            del self._makers[source], self._names[source], self._numbers[source]
            self._forgot = True

    def _remove(self, source: str, number: int) -> None:
        """The last events of a source. Only then is its last state told, so nothing of it follows."""
        now_s = round(time.time(), 3)
        if source in self._makers:
            self._add(source, number, self._makers[source].end(SOURCE_ENDED, now_s))
        self._add(source, number, [Draft("source", now_s, data={"state": REMOVED})])

    def _has_room(self, size: int) -> bool:
        return self._bytes + size < MOST_BYTES

    def _add(self, source: str, number: Optional[int], drafts: Iterable[Draft]) -> None:
        if self._broken:
            return
        for draft in drafts:
            self._bytes += pictures.size_of(draft.picture) if draft.picture is not None else 0
            self._drafts.append((source, number, draft))
            self._added += 1

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:
            with self._changed:
                self._broken = True
                self._drafts.clear()
                self._changed.notify_all()
            self._failed("events", error)

    def _turn(self) -> bool:
        """Delivers what waits. Returns whether more may come."""
        with self._changed:
            self._changed.wait_for(lambda: self._drafts or self._ending, TICK_S)
            ending = self._ending
            if ending:
                self._end_all("end of run")
            waiting, self._drafts = self._drafts, deque()
            self._changed.notify_all()
        for one in waiting:
            self._finish(*one)
        with self._changed:
            self._delivered += len(waiting)
            self._changed.notify_all()
        if ending or time.monotonic() - self._tick_s >= TICK_S:
            self._tick_s = time.monotonic()
            self._tick(ending)
        return not ending

    def _end_all(self, why: str) -> None:
        for source, maker in self._makers.items():
            self._add(source, self._numbers.get(source), maker.end(why, round(time.time(), 3)))

    def _finish(self, source: str, number: Optional[int], draft: Draft) -> None:
        """Makes an event of a draft."""
        if draft.picture is not None:
            with self._changed:
                self._bytes -= pictures.size_of(draft.picture)
            self._pictures[draft.key] = pictures.to_jpeg(draft.picture, self._options)
        picture = self._pictures.get(draft.key)
        if draft.kind == "end":
            self._pictures.pop(draft.key, None)
        if draft.data.get("state") == REMOVED:
            self._known.pop(source, None)
        if draft.kind:
            self._number += 1
            event = Event(draft.kind, source, draft.time_s, self._number, self.run, draft.key, draft.data, picture)
            self._deliver(event, number)

    def _tick(self, ending: bool) -> None:
        now_s = round(time.time(), 3)
        later: List[Waiting] = []
        with self._changed:
            ended = set(self._sources_ended(self._makers))
            for source, maker in self._makers.items():
                drafts = maker.end(SOURCE_ENDED, now_s) if source in ended else maker.check(now_s)
                self._add(source, self._numbers.get(source), drafts)
        later += [(name, None, Draft("source", now_s, data=data)) for name, data in self._new_states()]
        if ending or time.monotonic() - self._status_s >= STATUS_S:
            self._status_s = time.monotonic()
            later.append(("", None, Draft("status", now_s, data=dict(self.status()))))
        for one in later:
            self._finish(*one)

    def _new_states(self) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """Of each source whose state is another one than before."""
        for state in self.states():
            name = str(state["source"])
            if self._known.get(name) != state["state"]:
                self._known[name] = state["state"]
                yield name, {key: item for key, item in state.items() if key != "source"}
