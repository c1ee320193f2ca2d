"""BlackBox: keeps the last minute of a pipeline, and writes it into a file after a fault, or when it is asked."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Dict, List, Mapping, Optional, Union

import numpy as np

from edge_runtime.blackbox.diary import Diary
from edge_runtime.blackbox.facts import Facts, of_picture
from edge_runtime.blackbox.hasher import Hasher
from edge_runtime.blackbox.kept import Kept, Shelf, from_state
from edge_runtime.blackbox.writing import Snapshot, write_recording
from edge_runtime.detect.finite import not_finite
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import SinkError, UsageError
from edge_runtime.files import fields
from edge_runtime.files.atomic import check_writable
from edge_runtime.files.fields import check_fields
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.ring import Lease
from edge_runtime.sinks import jsonl
from edge_runtime.types import Result

FIELDS = {"seconds": fields.number(1, 3600), "most_bytes": fields.whole(1 << 20, 1 << 30)}
MOST_BYTES = 128 << 20
MOST_FAULTS = 20  # recordings of faults in one run, so that a source that comes and goes does not fill a disk
TICK_S = 1.0
OUTPUTS_S = 1.0  # the outputs of one frame in this time are kept
TRACKS_S = 1.0  # so is the state of the tracker, with which a replay begins
PATIENCE_S = 60.0  # a disk that takes longer at the end is left behind

log = logging.getLogger("edge_runtime")


class BlackBox:
    """Keeps the last seconds of one pipeline: encoded frames, results, decisions, watts and clocks.

        box = BlackBox("last60.edge")
        with Pipeline(detector, "rtsp://camera/live", record=box) as pipeline:
            pipeline.run()

    It writes them when a source is lost, an output fails, the outputs of the network are not finite, or the run ends
    with an error. A file that exists is never replaced: the next one is `last60-2.edge`. Within `seconds` after a
    recording, faults are gathered into one more. If it cannot be written, that is counted, and detection goes on.

    Args:
        path: the file, `.edge`.
        seconds: how much is kept.
        most_bytes: the most memory. One half is for encoded frames, the other for all else.
        at_end: also write at the end of the run.
        about: of the run, for people, such as the command line. Secrets in texts are removed.
        sampler: measures watts and clocks; None for none. It must be running, and may be set later.

    Attributes:
        written: the recordings of this run.
        lost: number of recordings that could not be written. `why` says why the last one.

    Raises:
        UsageError: the file cannot be written, or a number makes no sense.
    """

    holds = 3

    def __init__(
        self,
        path: Union[str, os.PathLike[str]],
        *,
        seconds: float = 60.0,
        most_bytes: int = MOST_BYTES,
        at_end: bool = False,
        about: Optional[Mapping[str, Any]] = None,
        sampler: Optional[Sampler] = None,
    ) -> None:
        kept = check_fields({"seconds": seconds, "most_bytes": most_bytes}, FIELDS, "", UsageError)
        self.seconds, self.most_bytes = kept["seconds"], kept["most_bytes"] // 2
        self.path, self.at_end, self.sampler = Path(path), at_end, sampler
        if self.path.is_dir():
            raise UsageError(f"{self.path} is a folder", hint="name a file, last60.edge")
        check_writable(self.path)
        self.written: List[Path] = []
        self.lost, self.why = 0, ""
        self._shelf = Shelf(self.seconds, self.most_bytes)
        self._diary = Diary(self.seconds, self._pend)
        self._facts = Facts(dict(about or {}))
        self._hasher = Hasher(self._shelf, self.holds - 1)
        self._asks: SimpleQueue[Optional[str]] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="black box", daemon=True)
        self._pipeline: Optional[Pipeline] = None
        self._writing, self._gathering = threading.Lock(), threading.Lock()
        self._pending, self._faults, self._free_s = "", 0, 0.0
        self._outputs_s, self._bad = 0.0, 0
        self._tracks_s: Dict[str, float] = {}
        self._broken = False

    def follow(self, pipeline: Pipeline) -> None:
        """See `loop.watching.Recorder`."""
        if self._pipeline is not None:
            raise UsageError("this black box has another pipeline", hint="make a BlackBox for each Pipeline")
        self._pipeline = pipeline

    def start(self) -> None:
        """See `loop.watching.Recorder`."""
        self._diary.open()
        self._hasher.start()
        self._thread.start()

    def wants_tracks(self, source: str) -> bool:
        """See `loop.watching.Recorder`."""
        due = monotonic() - self._tracks_s.get(source, float("-inf")) >= TRACKS_S
        if due:
            self._tracks_s[source] = monotonic()
        return due

    def see(self, lease: Lease, result: Result) -> None:
        """See `loop.watching.Recorder`."""
        if self._broken or self._pipeline is None:
            return
        try:
            kept = self._kept(lease, result)
            self._shelf.add(kept)
            self._hasher.put(kept, lease, self._pipeline.packets.get(result.frame.source))
            if kept.outputs is not None and self._newly_bad and any(map(not_finite, kept.outputs)):
                self._bad += 1
                self.fault("outputs", result.frame.source, ValueError("the outputs of the network are not finite"))
        except Exception as error:  # a fault of ours must not end the run
            self._broken = True
            log.warning("the black box has failed, all else goes on: %s: %s", type(error).__name__, error)

    def fault(self, kind: str, name: str, error: BaseException) -> None:
        """See `loop.watching.Recorder`."""
        self._diary.fault(kind, name, str(error) or type(error).__name__)

    def request(self, reason: str = "asked") -> None:
        """Asks for a recording and does not wait. A handler of a signal may call it."""
        self._asks.put(reason)

    def save(self, reason: str = "asked") -> Path:
        """Writes a recording now, and returns its path. Any thread may call it, also after the end.

        Raises:
            SinkError: it could not be written.
            UsageError: no pipeline has it.
        """
        if self._pipeline is None:
            raise UsageError("no pipeline has this black box", hint="give it to one: Pipeline(..., record=box)")
        with self._writing:
            try:
                path = write_recording(self.path, self._snapshot(self._pipeline, reason))
            except Exception as error:  # whatever it is, detection goes on
                self.lost, self.why = self.lost + 1, str(error)
                log.warning("a recording is lost, all else goes on: %s", error)
                hint = getattr(error, "hint", None) or "is there space, and may you write there?"
                raise SinkError(f"{self.path} could not be written: {error}", hint=hint) from error
            self.written.append(path)
            log.warning("recorded: %s (%s)", path, reason)
        return path

    def end(self) -> None:
        """See `loop.watching.Recorder`. Writes what is pending."""
        self._diary.close()
        if self._thread.ident is None:  # the run could not begin
            return
        self._hasher.end()
        self._asks.put(None)
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            log.warning("a recording was not written within %g s and is left behind", PATIENCE_S)

    def summary(self) -> Dict[str, Any]:
        """Plain data: the files that were written, and how many were lost."""
        lost = {"lost": self.lost, "why": self.why} if self.lost else {}
        return {"written": [str(path) for path in self.written], **lost}

    def _kept(self, lease: Lease, result: Result) -> Kept:
        assert lease.work is not None
        work, found = lease.work, lease.work.found
        rows = np.column_stack((found.xyxy, found.confidence, found.class_id)).astype(np.float32)
        outputs = None
        if work.slot is not None and (monotonic() - self._outputs_s >= OUTPUTS_S or self._newly_bad):
            self._outputs_s = monotonic()
            outputs = [output[work.number].copy() for output in work.detector.backend.outputs(work.slot)]
        return Kept(
            jsonl.row(result), rows, work.detector, work.rules, lease.source, lease.restarts, work.run, lease.shown,
            of_picture(result.frame.picture), outputs=outputs, tracks=work.tracks,
        )  # fmt: skip

    @property
    def _newly_bad(self) -> bool:
        """Whether a frame was bad that was not seen here yet. In a batch it may be another one."""
        return self._pipeline is not None and self._pipeline.watch.bad > self._bad

    def _snapshot(self, pipeline: Pipeline, reason: str) -> Snapshot:
        return Snapshot(
            reason, from_state(self._shelf.all()), pipeline.packets, list(pipeline.sources), self._diary.log(),
            self._diary.status(), self._facts, {"pixels_forgotten": self._shelf.stripped},
        )  # fmt: skip

    def _pend(self, reason: str) -> None:
        with self._gathering:
            known = self._pending.split("; ") if self._pending else []
            if reason not in known:
                self._pending = "; ".join([*known, reason])[:500]

    def _work(self) -> None:
        """Notes the state once a second, and writes recordings."""
        self._facts.prepare(self._pipeline)
        while True:
            with suppress(Empty):
                asked = self._asks.get(timeout=TICK_S)
                if asked is None:
                    break
                self._try(asked)
            self._tick()
        self._tick()
        if self._pending or self.at_end:
            self._try(self._take_pending() or "end")

    def _tick(self) -> None:
        if self._pipeline is None:
            return
        try:
            self._diary.tick(self._pipeline, self.sampler)
        except Exception as error:  # such as a sensor that is gone
            log.debug("the black box has no status: %s", error)
        if self._pending and monotonic() >= self._free_s and self._faults < MOST_FAULTS:
            self._faults += 1
            self._free_s = monotonic() + self.seconds
            self._try(self._take_pending())
            if self._faults == MOST_FAULTS:
                log.warning("%d recordings of faults: no more in this run but at its end", MOST_FAULTS)

    def _take_pending(self) -> str:
        with self._gathering:
            reason, self._pending = self._pending, ""
        return f"fault: {reason}" if reason else ""

    def _try(self, reason: str) -> None:
        with suppress(SinkError):
            self.save(reason)
