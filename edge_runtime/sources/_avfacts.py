"""Rate, length and number of frames of a video: what its timestamps show, and what its container states.

The stated rate may be anything: 1000 fps in what browsers record, 30 fps in files of 12. The timestamps are true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, List, Optional

from edge_runtime.sources._avreader import AvReader

AGREES = 0.05  # by so much a stated rate may differ from that of the timestamps
STATE_COUNT = ("mov", "avi")  # FFmpeg's names of containers with a number of frames
LENGTH_IS_TRUE = ("flv", "asf")  # they have no number of frames, and `_whole` does not know them
STATE_LENGTH = (*STATE_COUNT, *LENGTH_IS_TRUE, "matroska")  # others have it guessed from the bit rate
CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True)
class Facts:
    """What is known before the first picture.

    Attributes:
        fps: frames per second by the timestamps of the first frames; the stated rate if that agrees or if there are
            none; None if unknown.
        count: number of frames that the container states; None if it states none.
        about: number of frames by length and rate; None if unknown. In mp4 the rate is that of all its frames.
        whole: number of frames if the file was read to its end; None if it is longer.
        length_s: seconds of video that the container states; None if it states none for the video.
        due_s: seconds of video that a whole file has; None if the stated length shows nothing. In Matroska and mp4 in
            fragments it may be that of a longer recording, or count what came before and after the video.
        size: "1280x720".
    """

    fps: Optional[float]
    count: Optional[int]
    about: Optional[int]
    whole: Optional[int]
    length_s: Optional[float]
    due_s: Optional[float]
    size: str

    @property
    def frames(self) -> Optional[int]:
        """The number of frames: counted, stated, or about. Edit lists and frames left out make it less than stated."""
        if self.whole is not None:
            return self.whole
        if self.count and self.about and abs(self.count - self.about) > AGREES * self.about:
            return self.about
        return self.count or self.about


def of_file(reader: AvReader) -> Facts:
    """Looks at the first packets of a file, and at what its container states."""
    packets, whole = reader.look_ahead()
    stream, container = reader.stream, reader.container
    form = container.format.name.split(",")
    count = stream.frames if stream.frames > 0 and _one_of(form, STATE_COUNT) else None
    length = _length_s(container, stream, count, "avi" in form) if _one_of(form, STATE_LENGTH) else None
    due = length if count or _one_of(form, LENGTH_IS_TRUE) else None
    fps, codec = _rate(stream, _times(reader, packets)), stream.codec_context
    rate = stream.average_rate if count and "mov" in form else fps
    about = round(length * float(rate)) if length and rate else None
    return Facts(fps, count, about, len(packets) if whole and packets else None, length, due,
                 f"{codec.width}x{codec.height}")  # fmt: skip


def stated_fps(stream: Any) -> Optional[float]:
    """The rate that a stream states; None if it states none, or one that no camera has."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= 240:
            return float(rate)
    return None


def _times(reader: AvReader, packets: List[Any]) -> List[int]:
    """When the pictures are shown, sorted. They end where the order of decoding goes back: a new recording begins."""
    times: List[int] = []
    decoded = None
    for packet in packets:
        if packet.dts is not None:
            if decoded is not None and packet.dts < decoded:
                break
            decoded = packet.dts
        stamp = reader.stamp(packet)
        if stamp is not None:
            times.append(stamp)
    return sorted(times)


def _rate(stream: Any, times: List[int]) -> Optional[float]:
    stated = float(stream.average_rate or 0)
    if len(times) < 2 or times[-1] == times[0]:
        return stated_fps(stream)
    measured = (len(times) - 1) / float((times[-1] - times[0]) * stream.time_base)
    near = abs(stated - measured) <= AGREES * measured
    return min(stated if near else measured, 1000.0)


def _length_s(container: Any, stream: Any, count: Optional[int], avi: bool) -> Optional[float]:
    """Of the video alone, because sound may go on longer. For an AVI, FFmpeg gives the length of what is left."""
    if avi:
        return float(count * stream.time_base) if count else None
    if stream.duration:
        return float(stream.duration * stream.time_base)
    clock = CLOCK.match(stream.metadata.get("DURATION", ""))
    if clock:
        return 3600.0 * int(clock[1]) + 60.0 * int(clock[2]) + float(clock[3])
    alone = len(container.streams) == 1
    return container.duration / 1e6 if container.duration and alone else None


def _one_of(names: List[str], known: Any) -> bool:
    return any(name in known for name in names)
