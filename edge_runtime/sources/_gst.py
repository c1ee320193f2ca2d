"""A GStreamer pipeline that gives pictures. It needs PyGObject (extra `[stream]`) and the system's GStreamer."""

from __future__ import annotations

import re
import threading
from collections import deque
from time import monotonic, time
from typing import Any, Deque, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError, UsageError
from edge_runtime.imaging.gst import load_gst
from edge_runtime.libraries import causes
from edge_runtime.sources._gstbuffer import Buffers
from edge_runtime.sources._gstpackets import NO_TIME, Packets
from edge_runtime.sources._opencv import closed_on_error
from edge_runtime.types.packets import PacketRing
from edge_runtime.types.pixels import Pixels

SINK = "appsink"
WAITING = 4  # frames of a pipeline that waits for us
SECOND = 1_000_000_000  # nanoseconds, GStreamer's unit
LOOK_EVERY = SECOND // 10  # for an error, while no frame comes
STREAM = "rtspsrc"  # whose times are those of the camera
ARGUS_SAYS = re.compile(r"\(argus\)|nvargus|capturesession", re.IGNORECASE)
ARGUS_CAMERA = re.compile(r"(?:^|[!(])\s*nvarguscamerasrc\b")
RESTART = f"{causes.ARGUS}; until then the camera stays locked"


class GstCapture:
    """A running pipeline that another thread may close. See `_pictures.Capture`.

    Args:
        pipeline: text for gst-launch, with an appsink at its end.
        timeout_s: seconds to wait for the start and for each frame.
        ring: where to keep encoded pictures, if the pipeline has a branch for them.
        plain: the pipeline without that branch: if one of the two gives no frame, `reopen` tries the other one.

    Attributes:
        opened: whether the first frame has come.
        size_wh: (width, height) in pixels; (0, 0) before the first frame.
        fps: nominal frames per second; None if the pipeline does not say.
        live: whether frames are left out that nobody takes in time.
        position_s: time in s at which the pipeline shows the last frame.
        error: the last error of the pipeline.
        packets: encoded pictures. A live pipeline brings them itself.
    """

    def __init__(
        self, pipeline: str, timeout_s: float, ring: Optional[PacketRing] = None, plain: Optional[str] = None
    ) -> None:
        self._text, self._other, self._timeout_s = pipeline, plain or pipeline, timeout_s
        self._lock, self._closed = threading.Lock(), False
        self._pipeline: Any = None
        self._sink: Any = None
        self._pending: Any = None
        self._buffers, self.packets = Buffers(), Packets(ring)
        self._arrived: Deque[Tuple[int, float]] = deque(maxlen=16)  # times of frames in the pipeline, and by our clock
        self.size_wh, self.position_s = (0, 0), 0.0
        self.fps: Optional[float] = None
        self.error, self.form, self.lost = "", "", 0
        self.came_s, self.stamp_s = 0.0, None  # type: float, Optional[float]
        self.opened = self.ended = self.live = self.refused = False
        with closed_on_error(self):  # also on Ctrl-C: Argus keeps a camera locked
            self.reopen()

    @property
    def size(self) -> str:
        """Width and height as text, "1280x720"."""
        return f"{self.size_wh[0]}x{self.size_wh[1]}"

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Pixels]:
        """The next picture, in GStreamer's own buffer. None if there is none; see `ended` and `error`."""
        sample, self._pending = self._pending, None
        with self._lock:
            sink = None if self._pipeline is None else self._sink
        if sample is None and sink is not None:
            sample = self._pull(sink)
        if sample is None:
            self._why()
            return None
        return self._picture(sample)

    def reopen(self) -> None:
        """Starts from the beginning, or connects again. Do not call it after `close()`."""
        gst = load_gst()
        self._stop()
        self.size_wh, self.fps, self.position_s, self._pending = (0, 0), None, 0.0, None
        self.error, self.ended, self.refused = "", False, False
        with self._lock:
            if self._closed:
                return
            try:
                self._pipeline = gst.parse_launch(self._text)
            except Exception as error:  # GLib.Error, which has no name here before gi is imported
                raise UsageError(
                    f"GStreamer cannot make the pipeline: {error}", hint=f"it was: {self._text}"
                ) from error
            sink = self._sink = self._pipeline.get_by_name(SINK)
            good = sink is not None and sink.get_factory().get_name() == "appsink"
            if good:  # here, so that nothing starts after `close`
                self._bound(sink)
                self.packets.begin(self._pipeline)
                if self.live:
                    sink.get_static_pad("sink").add_probe(gst.PadProbeType.BUFFER, self._note)
                self._pipeline.set_state(gst.State.PLAYING)
        if not good:
            self._stop()
            raise UsageError("the pipeline has no appsink", hint=f"end it with appsink name={SINK}, or with no sink")
        self._pending = self._pull(sink)
        self.opened = self._pending is not None
        if not self.opened:
            self._why()
            self._stop()
            self._text, self._other = self._other, self._text
            return
        shape = self._pending.get_caps().get_structure(0)
        self.size_wh = shape.get_int("width")[1], shape.get_int("height")[1]
        good, over, under = shape.get_fraction("framerate")
        self.fps = over / under if good and over > 0 else None

    def _bound(self, sink: Any) -> None:
        """Bounds the frames that wait, where the pipeline does not: an appsink keeps them all, until memory is full."""
        self.live = bool(sink.get_property("drop"))
        if not sink.get_property("max-buffers"):
            sink.set_property("max-buffers", 1 if self.live else WAITING)

    def interrupt(self) -> None:
        """See the protocol."""
        self._closed = True

    def close(self) -> None:
        """Stops the pipeline and releases the device. It may be called more than once."""
        self._closed = True
        self._stop()

    @property
    def slow(self) -> bool:
        """See the protocol. Argus must not be asked in a tight loop."""
        return self.refused or is_argus(self.error, self._text)

    def failure(self, name: str) -> SourceError:
        """The error with its hint."""
        return failure(name, self._text, self.error)

    def _stop(self) -> None:
        with self._lock:
            pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.set_state(load_gst().State.NULL)
            pipeline.get_state(5 * SECOND)  # released now, not at some later garbage collection

    def _note(self, _: Any, info: Any) -> Any:
        """A frame has come, and may wait for us. The pipeline's thread calls this."""
        self._arrived.append((info.get_buffer().pts, monotonic()))
        return load_gst().PadProbeReturn.OK

    def _pull(self, sink: Any) -> Any:
        """The next sample; None at the end, at an error of the pipeline, and after the time limit."""
        until_s = monotonic() + self._timeout_s
        while not self._closed and monotonic() < until_s:
            sample = sink.emit("try-pull-sample", LOOK_EVERY)
            if sample is not None:
                return sample
            self._why()
            if self.error or self.ended:
                return None
        return None

    def _why(self) -> None:
        gst, pipeline = load_gst(), self._pipeline
        if pipeline is None:
            return
        self.ended = bool(self._sink.get_property("eos")) and not self.error
        message = pipeline.get_bus().pop_filtered(gst.MessageType.ERROR)
        if message is not None:
            error, debug = message.parse_error()
            refused = int(gst.ResourceError.NOT_AUTHORIZED)
            self.refused = error.matches(gst.ResourceError.quark(), refused)
            self.error = f"{error.message} ({(debug or '').splitlines()[-1]})" if debug else error.message
            self.ended = False

    def _picture(self, sample: Any) -> Pixels:
        held = sample.get_buffer()
        arrived = list(self._arrived)  # at once, because more may come
        self.came_s = next((at_s for pts, at_s in reversed(arrived) if pts == held.pts), monotonic())
        timed = held.pts < NO_TIME
        self.position_s = held.pts / SECOND if timed else self.position_s
        self.stamp_s = self.position_s if timed and STREAM in self._text else None
        pixels = self._buffers.pixels(sample)
        self.size_wh = pixels.width, pixels.height
        if self.live:
            self.packets.pull(self.position_s, time())
        return pixels


def failure(name: str, text: str, said: str) -> SourceError:
    """The error of a pipeline with its hint. Failures of Argus have their own hint."""
    said = said or "no frame came in time"
    alone = f"try it alone: gst-launch-1.0 {text}"
    return SourceError(f"{name}: {said}", hint=RESTART if is_argus(said, text) else alone)


def is_argus(said: str, pipeline: str) -> bool:
    """Whether an error comes from the camera service of a Jetson. An address may have that name, too."""
    return bool(ARGUS_SAYS.search(said) or ARGUS_CAMERA.search(pipeline))
