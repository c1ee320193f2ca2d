"""Video files: every frame, in media time. PyAV reads them, or OpenCV where PyAV is not installed."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, List, Optional, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime import machine
from edge_runtime.errors import SourceError
from edge_runtime.imaging import pyav
from edge_runtime.sources import Skipped, SourceOptions, _avfacts, _avopen
from edge_runtime.sources._avframe import pixels_of, turn_of
from edge_runtime.sources._avreader import AvReader
from edge_runtime.sources._clock import MediaClock
from edge_runtime.sources._cvvideo import SHORT_BY, TRY_IT, CvVideoSource
from edge_runtime.sources._opencv import closed_on_error, fit
from edge_runtime.sources._pictures import frame_of
from edge_runtime.sources._recorder import Recorder
from edge_runtime.sources._whole import cut_inside
from edge_runtime.text.secrets import public
from edge_runtime.types import Frame

HANDLES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp")
SPARE_CORES = 4  # from so many cores on the decoder has two threads; they cost 5 to 15 % more CPU per frame than one
TIMEOUT_S = 5.0  # to wait for a connection, and for each packet
IN_PARTS = "download it first: its server may give no parts of a file, which a video with its index at the end needs"


def open(target: str, options: SourceOptions) -> Union[VideoSource, CvVideoSource]:
    """Opens a video file, or the URL of one.

    Raises:
        SourceError: it is missing or empty, or cannot be opened.
    """
    if not _is_address(target) and not os.path.isfile(target):
        fact = "not a file" if os.path.exists(target) else "no such file"  # a pipe
        raise SourceError(f"{fact}: {target!r}", hint="check the path")
    return VideoSource(target, options) if pyav.preferred() else CvVideoSource(target, options)


def _is_address(target: str) -> bool:
    return "://" in target and not os.path.isfile(target)


class VideoSource:
    """A video file, read by PyAV.

    Times are those of the file, counted from its first frame. Frames carry the decoder's planes (`Frame.pixels`), if
    the file does not say that it is to be turned. A break in the middle is skipped: undecodable frames leave a gap in
    `index` and are listed in `skipped`. A file that ends early raises SourceError after its last readable frame.

    Attributes:
        length_s: seconds that the container states for its video, for a progress bar; None if it states none.
    """

    live = False

    def __init__(self, target: str, options: SourceOptions) -> None:
        self.name = public(target)
        self.skipped: List[str] = Skipped()
        self._cut, self._address = cut_inside(target), _is_address(target)
        self._loop, self._ring = options.loop, options.packets
        self._recorder = Recorder(options.packets)
        self._index = self._good = 0
        self._first_pts: Optional[int] = None  # of this pass
        self._file_s: Optional[float] = None  # the last frame's time in the file
        self._first_pass, self._done = True, False
        self._reader = self._opened(target)
        with closed_on_error(self._reader):
            self._facts = _avfacts.of_file(self._reader)
            self._tick_s = float(self._reader.stream.time_base)
            self.fps, self.length_s = self._facts.fps, self._facts.length_s
            self._period_s = 1 / (self.fps or 30.0)
            self._clock = MediaClock(self._period_s)
            if self._ring is not None:
                self._reader.record(self._ring)
            expected = self._facts.frames
            self.frame_count = None if self._loop else expected
            self.description = f"{self._facts.size} at {self.fps or 0:g} fps, {expected or 'unknown'} frames"

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`."""
        while not self._done:
            read = self._reader.read()
            if read is not None:
                return self._recorder.keep(self._frame(*read, buffer), self.restarts)
            self._end_of_pass()
        return None

    @property
    def restarts(self) -> int:
        """See `Source`."""
        return self._clock.restarts

    def close(self) -> None:
        """See `Source.close`."""
        self._done = True
        self._reader.close()

    def _opened(self, target: str) -> AvReader:
        opener = partial(_avopen.open_address, target, TIMEOUT_S, False) if self._address else partial(
            _avopen.open_file, target)  # fmt: skip
        try:
            return AvReader(opener, 2 if machine.cores() >= SPARE_CORES else 1)
        except pyav.failures() as error:
            hint = "check the address; try it in a player" if self._address else TRY_IT
            raise SourceError(f"{self.name!r} cannot be opened as a video: {_avopen.said(error)}", hint=hint) from error

    def _frame(self, decoded: Any, lost: int, buffer: Optional[NDArray[np.uint8]]) -> Frame:
        if not self._good:
            self._turn = turn_of(decoded)
        self._pass_over(lost)
        time_s = self._time_s(self._reader.stamp(decoded))
        pixels = pixels_of(decoded)
        picture = np.ascontiguousarray(fit(self._turn(pixels.bgr()), buffer)) if self._turn else pixels
        frame = frame_of(picture, buffer, self.name, self._index, time_s)
        self._index += 1
        self._good += 1
        return frame

    def _pass_over(self, lost: int) -> None:
        if self._first_pass:
            self.skipped += [f"frame {self._index + i}: cannot be decoded" for i in range(lost)]
        self._index += lost

    def _time_s(self, pts: Optional[int]) -> float:
        file_s = None if pts is None else pts * self._tick_s
        if not self._good:
            self._first_pts = pts
        if file_s is not None:
            self._file_s = file_s
        time_s = self._clock.at(file_s)
        if self._ring is not None and file_s is not None:
            self._ring.sync(file_s, time_s)
        return time_s

    def _end_of_pass(self) -> None:
        """Starts again if that was asked for. Otherwise ends, and checks that the file was complete."""
        closed = self._done
        if not closed:
            self._pass_over(self._reader.lost_at_the_end())
        missing = "" if closed else self._missing()
        if self._loop and self._good and not missing and not closed:
            self._reader.rewind(
                None if self._clock.joined else self._first_pts
            )  # a time that comes twice leads elsewhere
            self._clock.restart()
            self._good, self._first_pass = 0, False
            return
        self.close()
        if not self._good and not closed:
            raise SourceError(f"{self.name!r} has no readable frame", hint=IN_PARTS if self._address else TRY_IT)
        if missing:
            hint = "everything readable was processed; copy or record the file again"
            raise SourceError(f"{self.name!r} is truncated: {missing}", hint=hint)

    def _missing(self) -> str:
        """The sign that the file was cut off; "" if there is none.

        Where the number of frames is stated, frames and time must both be too few: an edit list shows fewer frames than
        there are.
        """
        if self._reader.error:
            return f"{self._reader.error}, after {self._good} frames"
        if self._cut:
            return f"it ends inside {self._cut}, after {self._good} frames"
        count, due_s, shown_s = self._facts.count, self._facts.due_s, self._shown_s()
        if due_s and shown_s and shown_s >= (1 - SHORT_BY) * due_s:
            return ""
        if count:
            return f"{self._good} of {count} frames" if self._good < (1 - SHORT_BY) * count else ""
        return f"{shown_s:.1f} of {due_s:.1f} s" if due_s and shown_s else ""

    def _shown_s(self) -> Optional[float]:
        """When the last picture ends; None if unknown. A length counts from 0, or from a first picture before that."""
        if self._file_s is None:
            return None
        until_s = max(self._file_s + self._period_s, (self._reader.shown_until or 0) * self._tick_s)
        return until_s - min((self._first_pts or 0) * self._tick_s, 0.0)
