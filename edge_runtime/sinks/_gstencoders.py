"""Chooses an H.264 encoder of GStreamer: the hardware of a Jetson or a PC, else the processor, which is said."""

from __future__ import annotations

from typing import Any, List, NamedTuple

from edge_runtime.errors import SinkError
from edge_runtime.imaging.gst import has, load_gst
from edge_runtime.jetson import board
from edge_runtime.libraries.once import once

AUTO, HARDWARE = "auto", "hardware"
TRIAL = "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1"
TRIAL_NS = 5_000_000_000
INSTALL = "sudo apt install gstreamer1.0-plugins-ugly for x264enc, or gstreamer1.0-plugins-bad for openh264enc"


class GstEncoder(NamedTuple):
    """An element that encodes H.264.

    Attributes:
        name: of the element.
        settings: its properties: no B-frames, no delay, a key picture every {key} pictures, {bits} or {kbits} a second.
            Those that this version does not have are left out.
        feed: elements before it.
        hardware: whether it takes no time of the processor.
    """

    name: str
    settings: str
    feed: str = "videoconvert"
    hardware: bool = True

    def launch(self, bits: int, key: int) -> str:
        """The text of the elements that encode I420.

        Args:
            bits: per second.
            key: pictures from one key picture to the next.
        """
        known = {item.name for item in load_gst().ElementFactory.make(self.name, None).list_properties()}
        settings = self.settings.format(bits=bits, kbits=max(1, bits // 1000), key=key).split()
        kept = [text for text in settings if text.partition("=")[0] in known]
        return f"{self.feed} ! {' '.join([self.name, *kept])}"


ENCODERS = (  # in the order in which they are tried
    GstEncoder(
        "nvv4l2h264enc",
        "bitrate={bits} iframeinterval={key} idrinterval={key} insert-sps-pps=true maxperf-enable=true num-B-Frames=0",
        "nvvidconv ! video/x-raw(memory:NVMM),format=NV12",
    ),
    GstEncoder("nvh264enc", "bitrate={kbits} gop-size={key} rc-mode=cbr zerolatency=true bframes=0 b-frames=0"),
    GstEncoder("vah264enc", "bitrate={kbits} key-int-max={key} rate-control=cbr b-frames=0"),
    GstEncoder("vaapih264enc", "bitrate={kbits} keyframe-period={key} rate-control=cbr max-bframes=0"),
    GstEncoder("qsvh264enc", "bitrate={kbits} gop-size={key} rate-control=cbr b-frames=0 low-latency=true"),
    GstEncoder(
        "x264enc",
        "bitrate={kbits} key-int-max={key} bframes=0 tune=zerolatency speed-preset=ultrafast threads=1",
        hardware=False,
    ),
    GstEncoder(
        "openh264enc",
        "bitrate={bits} gop-size={key} rate-control=bitrate complexity=low multi-thread=1 usage-type=camera",
        hardware=False,
    ),
)
NAMES = tuple(encoder.name for encoder in ENCODERS)


class Choice(NamedTuple):
    """An encoder that works, and what people should know of it."""

    encoder: GstEncoder
    note: str


def choose(asked: str) -> Choice:
    """The encoder that is asked for: its name, `HARDWARE` for any that needs no processor, or `AUTO`.

    Raises:
        SinkError: none works.
    """
    tried = [each for each in ENCODERS if asked in (AUTO, each.name) or (asked == HARDWARE and each.hardware)]
    said: List[str] = []
    for encoder in tried:
        why = fault(encoder)
        if not why:
            return Choice(encoder, _note(encoder, asked))
        said.append(f"{encoder.name}: {why}")
    hint = f"{INSTALL}; encoder={AUTO} takes what works" if asked != AUTO else INSTALL
    raise SinkError(f"no H.264 encoder of GStreamer works here ({'; '.join(said)})", hint=hint)


@once
def fault(encoder: GstEncoder) -> str:
    """Why an encoder does not work on this machine, after a few pictures; "" if it does."""
    missing = [name for name in (encoder.name, encoder.feed.split()[0]) if not has(name)]
    if missing:
        return f"no {missing[0]}" if missing[0] != encoder.name else "not installed"
    try:
        pipeline = load_gst().parse_launch(f"{TRIAL} ! {encoder.launch(500_000, 30)} ! video/x-h264 ! fakesink")
    except Exception as error:  # GLib.Error, which has no name here before gi is imported
        return str(error)
    return _run(pipeline)


def _run(pipeline: Any) -> str:
    gst = load_gst()
    try:
        pipeline.set_state(gst.State.PLAYING)
        wanted = gst.MessageType.ERROR | gst.MessageType.EOS
        message = pipeline.get_bus().timed_pop_filtered(TRIAL_NS, wanted)
    finally:
        pipeline.set_state(gst.State.NULL)
    if message is None:
        return "it gives nothing"
    return "" if message.type == gst.MessageType.EOS else str(message.parse_error()[0].message)


def _note(encoder: GstEncoder, asked: str) -> str:
    if encoder.hardware:
        return f"by {encoder.name}"
    said = f"by {encoder.name} on the processor, while somebody watches"
    if asked != AUTO:
        return said
    return f"{said}: no hardware encoder works here{' (an Orin Nano has none)' if _is_jetson() else ''}"


def _is_jetson() -> bool:
    return board.is_jetson(board.root())
