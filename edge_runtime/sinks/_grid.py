"""Puts several sources into one picture: a grid of the newest frame of each."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Callable, Dict, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sinks._page import Page
from edge_runtime.sinks._timeline import PageTimes
from edge_runtime.types import Detections, Frame, Result

if TYPE_CHECKING:
    from edge_runtime.sinks import Sink

WIDEST = 1920  # most pixels of a page; its tiles are made smaller to fit


class Grid:
    """Gives a sink pages instead of frames, if there are several sources.

    A page is finished when a source with a new frame on it has its next frame. So pages come at the rate of the fastest
    source, and each frame is on a page. The last frame of a source that has ended stays on the page.

    Args:
        sink: takes the pages, as frames without boxes, or the unchanged frames of a single source.
        tell: see `sinks.begin`.
    """

    def __init__(self, sink: Sink, tell: Callable[[Sink, Mapping[str, float]], None]) -> None:
        self.target, self._sink, self._tell = sink.target, sink, tell
        self._places: Dict[str, int] = {}
        self._columns, self._tile_wh = 1, (0, 0)
        self._page: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)
        self._tiles: Dict[str, Page] = {}
        self._new: Dict[str, float] = {}
        self._count, self._times = 0, PageTimes({})

    @property
    def note(self) -> str:
        """See `sinks.note`."""
        return str(getattr(self._sink, "note", ""))

    def begin(self, rates: Mapping[str, float]) -> None:
        """See `sinks.begin`. Tiles are in the order of the sources."""
        self._tell(self._sink, rates)
        self._times = PageTimes(rates)
        self._places = {source: place for place, source in enumerate(rates)}
        self._columns = ceil(sqrt(len(rates)))

    def admit(self, source: str, rate: float) -> None:
        """See `sinks.admit`. Pages are laid out again, and a file of one size shrinks them to fit."""
        if source in self._places:
            return
        if self._new:
            self._write_page()
        self._times.admit(source, rate)
        self._places[source] = len(self._places)
        self._columns = ceil(sqrt(len(self._places)))
        self._page = np.empty((0, 0, 3), np.uint8)
        self._tiles.clear()

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if len(self._places) < 2:
            self._sink.write(result)
        else:
            self._place(result)

    def close(self) -> None:
        """See `Sink.close`. Writes the last page."""
        try:
            if self._new:
                self._write_page()
        finally:
            self._sink.close()

    def _place(self, result: Result) -> None:
        source = result.frame.source
        if source in self._new:
            self._write_page()
        if source not in self._tiles:
            self._tiles[source] = Page(self._tile(source, result.frame.image_wh))
        self._tiles[source].draw(result)
        self._new[source] = self._times.stamp(result.frame)

    def _write_page(self) -> None:
        frame = Frame(self._page, "grid", self._count, self._times.next(self._new))
        self._new.clear()
        self._count += 1
        self._sink.write(Result(frame, Detections.from_rows(np.empty((0, 6), np.float32))))

    def _tile(self, source: str, first_wh: Tuple[int, int]) -> NDArray[np.uint8]:
        """The part of the page that belongs to a source. The very first frame sets its size."""
        if not self._page.size:
            self._lay_out(*first_wh)
        width, height = self._tile_wh
        row, column = divmod(self._places[source], self._columns)
        return self._page[row * height : (row + 1) * height, column * width : (column + 1) * width]

    def _lay_out(self, width: int, height: int) -> None:
        scale = min(1.0, WIDEST / (self._columns * width))
        self._tile_wh = _even(width * scale), _even(height * scale)
        rows = ceil(len(self._places) / self._columns)
        self._page = np.zeros((rows * self._tile_wh[1], self._columns * self._tile_wh[0], 3), np.uint8)


def _even(side: float) -> int:
    """Makes sides even, because video formats need even sides."""
    return max(2, round(side / 2) * 2)
