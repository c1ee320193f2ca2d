"""One stream of the RTSP server: at its path while it gives frames, and encoded once while somebody watches."""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import Any, Mapping, Optional, Tuple

from edge_runtime.libraries.rounds import Rounds
from edge_runtime.sinks._due import Due
from edge_runtime.sinks._gstencoders import GstEncoder
from edge_runtime.sinks._rtspfeed import LAUNCH, Feed, even
from edge_runtime.sinks._rtspserver import RtspServer
from edge_runtime.types import Result

USUAL_BITS, FEWEST = 0.1, 100_000  # of a pixel, and per second
KEY_S = 1.0  # from one key picture to the next: a viewer waits so long for the first picture
QUIET_S = 20.0  # a stream that gives no frame for so long is not served until it does
PAY = "rtph264pay name=pay0 pt=96 config-interval=-1"

log = logging.getLogger("edge_runtime")


class Stream:
    """The thread of a sink calls `write`, that of the server `look`.

    Args:
        source: its name, for messages.
        path: of its address.
        rate: nominal frames per second.
        options: of the sink: "fps", "width" and "bitrate".

    Attributes:
        path: as given.
        served: whether it is at its path now.
        encoders: number of those that were begun. There is one at a time.
        feed: the way into the encoder while somebody watches.
        look: to be called every few seconds.
    """

    def __init__(
        self, source: str, path: str, rate: float, options: Mapping[str, Any], encoder: GstEncoder, server: RtspServer
    ) -> None:
        self._source, self.path, self._options = source, path, options
        self._encoder, self._server = encoder, server
        self._fps = min(rate, options.get("fps", rate))
        self._due, self._lock = Due(self._fps), threading.Condition()
        self._size_wh, self._seen_s = (0, 0), 0.0
        self.served, self.encoders, self._faults = False, 0, 0
        self.feed: Optional[Feed] = None
        self.look = Rounds(f"looking after the pictures of {source} by RTSP", self._look)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        feed, self._seen_s = self.feed, monotonic()
        size_wh = even(result.frame.image_wh, int(self._options.get("width", result.frame.image_wh[0])))
        if not self.served or (feed is None and size_wh != self._size_wh):
            self._serve(size_wh)
        elif feed is not None and not feed.fault and self._due.is_now(self._seen_s):
            feed.show(result)

    def _look(self) -> None:
        """Ends what broke, so that viewers get another encoder, and what has given no frames for long."""
        feed = self.feed
        if feed is not None and feed.fault:
            self._serve(self._size_wh)
            self._end(feed)
        elif self.served and monotonic() - self._seen_s > QUIET_S:
            with self._lock:
                self._server.unmount(self.path)
                self.served = False
            if feed is not None:
                self._end(feed)

    def wait(self, timeout_s: float) -> None:
        """Waits until the encoder has ended, after the server was closed."""
        with self._lock:
            self._lock.wait_for(lambda: self.feed is None, timeout_s)

    def _serve(self, size_wh: Tuple[int, int]) -> None:
        """Puts a new factory at the path: it makes an encoder for this size when the first viewer comes."""
        bits = self._options.get("bitrate") or max(FEWEST, USUAL_BITS * size_wh[0] * size_wh[1] * self._fps)
        elements = self._encoder.launch(round(bits), max(1, round(KEY_S * self._fps)))
        with self._lock:
            self._size_wh = size_wh
            self._server.mount(self.path, self._server.factory(f"( {LAUNCH} ! {elements} ! {PAY} )", self._configure))
            self.served = True

    def _configure(self, media: Any) -> None:
        """Somebody begins to watch."""
        with self._lock:
            self.feed = Feed(media, self._size_wh, self._fps)
            self.encoders += 1
        media.connect("unprepared", self._ended)

    def _ended(self, media: Any) -> None:
        with self._lock:
            feed = self.feed
            if feed is None or feed.media is not media:
                return
            self.feed = None
            self._lock.notify_all()
        feed.close()
        self._faults += bool(feed.fault)
        if feed.fault and self._faults == 1:
            log.warning("the pictures of %s by RTSP broke, and begin again: %s", self._source, feed.fault)

    def _end(self, feed: Feed) -> None:
        self._server.end(feed.media)
        self._ended(feed.media)
