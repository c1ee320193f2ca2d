"""The pictures of each stream: annotated and encoded once, at a fixed rate, and only while somebody watches."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from time import monotonic
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SinkError
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sinks._due import Due
from edge_runtime.sinks._names import name_beside
from edge_runtime.sinks._page import Page
from edge_runtime.sinks._web import places
from edge_runtime.types import Frame, Result

QUALITY = 75
MOST_STREAMS = 64
MOST_NUMBERS = 1 << 16  # as many as `live.HEAD` takes


class Stream:
    """One stream.

    Attributes:
        number: counts from 0, also those that were forgotten.
        source: name of the source.
        name: a name for addresses.
        jpeg: the newest picture, as a JPEG file; b"" before the first.
        version: counts the pictures.
        watchers: number of those who watch.
    """

    def __init__(self, number: int, source: str, name: str, due: Due) -> None:
        self.number, self.source, self.name = number, source, name
        self.jpeg, self.version, self.watchers = b"", 0, 0
        self.places: Dict[str, Any] = {"lines": [], "zones": []}
        self.image_wh = (0, 0)
        self.due = due
        self.waiting: Optional[Result] = None
        self.spare: Optional[NDArray[np.uint8]] = None
        self.page = Page(np.zeros((0, 0, 3), np.uint8))


class Streams:
    """Takes results and makes pictures of them, in a thread of its own.

    A frame is copied if somebody watches its stream and the last copy is old enough. A newer copy takes the place of
    one that still waits.

    Args:
        fps: pictures per second of each stream.
        width: pictures that are wider are scaled down to so many pixels.

    Attributes:
        changed: called after each new picture, in the thread that makes it.
        listed: called after a stream has come or gone, in the thread that brings its first frame or forgets it.
        pictures: number of those that were made, also of streams that were forgotten.
    """

    def __init__(self, fps: float, width: int) -> None:
        self._fps, self._width = fps, width
        self.changed: Callable[[], None] = lambda: None
        self.listed: Callable[[], None] = lambda: None
        self.pictures = 0
        self._streams: Dict[str, Stream] = {}
        self._numbers = count()  # none is used again: viewers know a stream by it
        self._news, self._over = threading.Condition(), False
        self._failure: Optional[Exception] = None
        self._thread = threading.Thread(target=self._work, name="page pictures", daemon=True)
        self._thread.start()

    def begin(self, sources: Sequence[str]) -> None:
        """The names of the sources, in their order."""
        for source in sources:
            self._stream(source)

    def write(self, result: Result) -> None:
        """Takes a result. The image is copied, or not looked at.

        Raises:
            SinkError: no more pictures can be made.
        """
        if self._failure is not None:
            hint = "this is a defect; please report it"
            raise SinkError(f"the page's picture could not be made: {self._failure}", hint=hint) from self._failure
        stream = self._stream(result.frame.source)
        if stream is None:
            return
        stream.image_wh = result.frame.image_wh
        if result.places is not None:
            stream.places = places.seen(result.places, stream.image_wh)
        if not stream.watchers or not stream.due.is_now(monotonic()):
            return
        with self._news:
            stream.waiting = _copied(result, stream)
            self._news.notify()

    def all(self) -> List[Stream]:
        """The streams in their order."""
        return list(self._streams.values())

    def named(self, name: str) -> Optional[Stream]:
        """The stream with a name of an address."""
        return next((stream for stream in self.all() if stream.name == name), None)

    @contextmanager
    def watched(self, streams: Sequence[Stream]) -> Iterator[None]:
        """While this lasts, pictures are made of these streams. The server's thread alone calls it."""
        for stream in streams:
            stream.watchers += 1
        try:
            yield
        finally:
            for stream in streams:
                stream.watchers -= 1

    def forget(self, sources: Iterable[str]) -> None:
        """Shows these sources no more. Any thread may call it."""
        found = [self._streams.pop(source, None) for source in sources]
        if any(found):
            self.listed()

    def close(self) -> None:
        """Ends the thread."""
        with self._news:
            self._over = True
            self._news.notify()
        self._thread.join()

    def _stream(self, source: str) -> Optional[Stream]:
        found = self._streams.get(source)
        if found is None and len(self._streams) < MOST_STREAMS:
            name = name_beside(source, {stream.name.casefold() for stream in self.all()})
            found = self._streams[source] = Stream(next(self._numbers) % MOST_NUMBERS, source, name, Due(self._fps))
            self.listed()
        return found

    def _work(self) -> None:
        try:
            self._make()
        except Exception as error:  # the next frame tells it to the run
            self._failure = error

    def _make(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._over or any(stream.waiting for stream in self.all()))
                if self._over:
                    return
                taken = [(stream, stream.waiting) for stream in self.all() if stream.waiting]
                for stream, _ in taken:
                    stream.waiting = None
            for stream, result in taken:
                stream.jpeg, stream.version = self._encoded(stream, result), stream.version + 1
                stream.spare = result.frame.image
                self.pictures += 1
            self.changed()

    def _encoded(self, stream: Stream, result: Result) -> bytes:
        cv2 = load_cv2()
        width, height = self._size(result.frame.image_wh)
        if stream.page.image.shape[:2] != (height, width):
            stream.page = Page(np.zeros((height, width, 3), np.uint8))
        image = stream.page.draw(result)
        return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])

    def _size(self, image_wh: Tuple[int, int]) -> Tuple[int, int]:
        scale = min(1.0, self._width / image_wh[0])
        return max(1, round(image_wh[0] * scale)), max(1, round(image_wh[1] * scale))


def _copied(result: Result, stream: Stream) -> Result:
    """The result with a copy of its image, in a buffer that nothing uses."""
    image, frame = result.frame.image, result.frame
    buffer = stream.spare if stream.waiting is None else stream.waiting.frame.image
    stream.spare = None
    if buffer is None or buffer.shape != image.shape:
        buffer = np.empty(image.shape, np.uint8)
    np.copyto(buffer, image)
    return replace(result, frame=Frame(buffer, frame.source, frame.index, frame.timestamp_s, frame.path))
