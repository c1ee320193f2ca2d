"""Video files, read with OpenCV where PyAV is not installed: every frame, in media time."""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sources import Skipped, SourceOptions
from edge_runtime.sources._clock import MediaClock
from edge_runtime.sources._opencv import CvCapture, closed_on_error
from edge_runtime.sources._whole import counts_frames, cut_inside
from edge_runtime.text.secrets import public
from edge_runtime.types import Frame

SHORT_BY = 0.05  # so much may be missing at the end, because many headers are wrong by a frame or two
TRY_IT = "is the file complete? try it in a player"
PROBED = 8  # frames
AGREES = 0.05  # by so much the stated rate may differ
MAX_GAP = 1000  # this many undecodable frames in a row are still a break in the middle, not the end


class CvVideoSource:
    """A video file.

    A break in the middle is skipped: undecodable frames leave a gap in `index` and are listed in `skipped`.
    A file that ends early raises SourceError after its last readable frame.
    """

    live = False

    def __init__(self, target: str, options: SourceOptions) -> None:
        self.name = public(target)
        self.skipped: List[str] = Skipped()
        self._cut_off, self._counts = cut_inside(target), target.lower().endswith(".avi")
        self._loop = options.loop
        self._index = self._pass_start = self._good = 0
        self._file_s, self._done = 0.0, False
        self._capture = CvCapture(target, load_cv2().CAP_ANY)
        with closed_on_error(self._capture):
            if not self._capture.opened:
                hint = "check the address; try it in a player" if "://" in self.name else TRY_IT
                raise SourceError(f"{self.name!r} cannot be opened as a video", hint=hint)
            self._look(target)

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`. Decodes into `buffer`. A rotated video (phones) is turned first, into a new array."""
        while not self._done:
            image = self._next(buffer)
            if image is not None:
                return self._frame(image)
            self._end_of_pass()
        return None

    @property
    def restarts(self) -> int:
        """See `Source`."""
        return self._clock.restarts

    def close(self) -> None:
        """See `Source.close`."""
        self._done = True
        self._capture.close()

    def _look(self, target: str) -> None:
        """Size, rate and number of frames, as the container states them."""
        cv2 = load_cv2()
        self._position_msec = cv2.CAP_PROP_POS_MSEC
        stated = self._capture.fps
        self._start_s, self.fps = (0.0, stated) if "://" in target else _measured(self._capture)
        self._clock = MediaClock(1 / (self.fps or 30.0))
        counted = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if not counts_frames(target):  # OpenCV counts by the length and the rate it states
            counted = (counted / stated - self._start_s) * (self.fps or 0) if stated else 0.0
        self._expected = max(round(counted), 0)  # streams without an index state 0 or less
        self.frame_count = self._expected if self._expected and not self._loop else None
        self.description = f"{self._capture.size} at {self.fps or 0:g} fps, {self._expected or 'unknown'} frames"

    def _next(self, buffer: Optional[NDArray[np.uint8]]) -> Optional[NDArray[np.uint8]]:
        """The next decodable image of this pass. While more frames should come, a failed read is a broken frame."""
        for gap in range(MAX_GAP):
            image = self._capture.read(buffer)
            if image is not None:
                if self._pass_start == 0:
                    self.skipped += [f"frame {self._index + i}: cannot be decoded" for i in range(gap)]
                self._index += gap
                return image
            if self._done or self._index - self._pass_start + gap + 1 >= self._expected:
                break
        return None

    def _frame(self, image: NDArray[np.uint8]) -> Frame:
        self._file_s = self._capture.get(self._position_msec) / 1000
        known = self._file_s or not self._good  # 0 is also what a file without times gives
        frame = Frame(image, self.name, self._index, self._clock.at(self._file_s if known else None))
        self._index += 1
        self._good += 1
        return frame

    def _end_of_pass(self) -> None:
        """Starts again if that was asked for. Otherwise ends, and checks that the file was complete."""
        missing = self._missing()
        if self._loop and self._good and not missing:
            self._capture.reopen()
            self._clock.restart()
            self._pass_start, self._good = self._index, 0
            return
        closed, self._done = self._done, True
        if not self._good and not closed:
            raise SourceError(f"{self.name!r} has no readable frame", hint=TRY_IT)
        if missing and not closed:
            hint = "everything readable was processed; copy or record the file again"
            raise SourceError(f"{self.name!r} is truncated: {missing}", hint=hint)

    def _missing(self) -> str:
        """The sign that the file was cut off; "" if there is none.

        An AVI states a number of frames, in which it counts those that are left out at a varying rate: frames and time
        must both be too few.
        """
        least = (1 - SHORT_BY) * self._expected
        shown_s = self._file_s + 1 / (self.fps or 30.0)
        if self._counts and self._good < least and shown_s < least / (self.fps or 30.0):
            return f"{self._good} of {self._expected} frames"
        return f"it ends inside {self._cut_off}, after {self._good} frames" if self._cut_off else ""


def _measured(capture: CvCapture) -> Tuple[float, Optional[float]]:
    """The time of the first frame in s, and the rate of the first frames. The capture is at its start again.

    The stated rate is wrong in what browsers record (1000 fps). The FFmpeg of OpenCV 4.8 sees some rates several
    times too high. It is kept where it agrees with the times.
    """
    position_msec = load_cv2().CAP_PROP_POS_MSEC
    at_s: List[float] = []
    while len(at_s) < PROBED and capture.read() is not None:
        at_s.append(capture.get(position_msec) / 1000)
    capture.reopen()
    if not at_s or at_s[-1] <= at_s[0]:
        return (at_s[0] if at_s else 0.0), capture.fps
    measured = (len(at_s) - 1) / (at_s[-1] - at_s[0])
    agrees = capture.fps is not None and abs(capture.fps - measured) <= AGREES * measured
    return at_s[0], capture.fps if agrees else measured
