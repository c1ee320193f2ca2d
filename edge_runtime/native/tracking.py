"""The native tracker as a Python class, which raises clear errors."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SpecError
from edge_runtime.native import _core

MOST_TRACKS = 1000


class ByteTrack:
    """Gives the boxes of one source the ids of their objects, frame by frame.

    Method: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022, arXiv 2110.06864.
    Matches are by IoU, with the greatest total. Between frames a Kalman filter moves the boxes, by the times of the
    frames. csrc/track.h and csrc/kalman.h have the formulas. Memory is bounded by 1000 tracks and boxes of a frame.

    Only one thread may call it at a time. A second thread is refused.

    Args:
        sure: least confidence of a box that may begin a track.
        unsure: least confidence of a box that may go on with a track.
        overlap: a sure box and a track match with more IoU than this.
        low_overlap: the same for an unsure box.
        lost_s: a track that was not seen for more seconds ends.
        min_hits: a track has an id from this frame in a row on.
        by_class: a track has boxes of one class only.

    Raises:
        SpecError: a number is not finite, or too small.
    """

    def __init__(
        self,
        sure: float,
        unsure: float,
        overlap: float,
        low_overlap: float,
        lost_s: float,
        min_hits: int,
        by_class: bool,
    ) -> None:
        try:
            self._core = _core.Tracker(sure, unsure, overlap, low_overlap, lost_s, min_hits, by_class)
        except ValueError as error:
            raise SpecError(str(error), hint="use TrackOptions") from error

    def update(
        self,
        xyxy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        class_id: NDArray[np.int32],
        time_s: float,
        ids: NDArray[np.int32],
    ) -> None:
        """Takes the boxes of the next frame. Releases the GIL.

        Boxes that are not finite or have no area get no id. Time that goes back ends all tracks. No id is given twice.

        Args:
            xyxy: (n, 4) float32 `[x1, y1, x2, y2]`, image pixels, best first.
            confidence: (n,) float32.
            class_id: (n,) int32.
            time_s: time of the frame, seconds.
            ids: (n,) int32, filled with ids from 1 on; -1 for a box without a track, or whose track is too new.

        Raises:
            SpecError: an array has another shape, dtype or layout, the time is not finite, or another thread runs it.
        """
        try:
            self._core.update(xyxy, confidence, class_id, time_s, ids)
        except ValueError as error:
            raise SpecError(str(error), hint="np.ascontiguousarray(array, dtype) makes an array that fits") from error
        except RuntimeError as error:
            raise SpecError(str(error), hint="make a tracker for each thread") from error

    def tracks(self) -> NDArray[np.float64]:
        """Returns (k, 7): x1, y1, x2, y2 as the filter has them, id (0: none yet), class id, time of the last box."""
        return self._core.tracks()

    def state(self) -> Tuple[NDArray[np.float64], float, int]:
        """Returns all that the next frame depends on: tracks (k, 25) float64, time of the last frame, the last id."""
        return self._core.state()

    def restore(self, tracks: NDArray[np.float64], time_s: float, last_id: int) -> None:
        """Goes on from the state of another tracker with the same numbers. The next frames give the same ids.

        Args:
            tracks: (k, 25) float64.
            time_s, last_id: see `state`.

        Raises:
            SpecError: it is not the state of a tracker.
        """
        try:
            self._core.restore(tracks, time_s, last_id)
        except (ValueError, TypeError) as error:
            raise SpecError(str(error), hint="pass what state() has returned") from error

    def end_all(self) -> None:
        """Ends all tracks. Later objects get new ids."""
        self._core.end_all()
