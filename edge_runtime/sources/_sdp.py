"""What a camera says of its video (SDP, RFC 8866): codec, parameter sets, rate, and the address to ask for it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from edge_runtime.sources._annexb import START

CODECS = {"H264": "h264", "H265": "hevc"}
SETS = ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps")  # in the order in which a decoder needs them


@dataclass(frozen=True)
class Video:
    """One stream of video.

    Attributes:
        codec: "h264" or "hevc".
        payload: number of its RTP packets.
        clock: ticks of its times in a second.
        control: address, or the rest of one.
        sets: parameter sets with start codes, for the decoder; b"" if the SDP has none.
        fps: stated frames per second; None if not stated.
    """

    codec: str
    payload: int
    clock: int
    control: str
    sets: bytes
    fps: Optional[float]


def video_of(text: str) -> Optional[Video]:
    """The first video of a session; None if it is none that we read."""
    for media, attributes in _media(text):
        words = media.split()
        if words[:1] != ["video"]:
            continue
        for kind in words[3:]:
            rate = re.match(rf"{re.escape(kind)}\s+(\w+)/(\d+)", _first(attributes, "rtpmap", kind))
            if rate and rate[1].upper() in CODECS and kind.isdigit():
                sets = _parameter_sets(_first(attributes, "fmtp", kind))
                if sets is not None:
                    return Video(CODECS[rate[1].upper()], int(kind), int(rate[2]) or 90_000,
                                 _first(attributes, "control"), sets, _fps(attributes))  # fmt: skip
        return None
    return None


def _media(text: str) -> List[Tuple[str, List[str]]]:
    """Each media line, and the attributes below it."""
    found: List[Tuple[str, List[str]]] = []
    for line in text.splitlines():
        if line.startswith("m="):
            found.append((line[2:], []))
        elif line.startswith("a=") and found:
            found[-1][1].append(line[2:].strip())
    return found


def _first(attributes: List[str], name: str, begins: str = "") -> str:
    values = (line[len(name) + 1 :] for line in attributes if line.startswith(f"{name}:"))
    return next((value for value in values if value.split()[:1] == [begins] or not begins), "")


def _parameter_sets(line: str) -> Optional[bytes]:
    """None if the packets are in an order that we do not restore."""
    pairs: Dict[str, str] = {}
    for part in line.partition(" ")[2].split(";"):
        name, _, value = part.strip().partition("=")
        pairs[name.lower()] = value
    if pairs.get("packetization-mode") == "2" or pairs.get("sprop-max-don-diff", "0") != "0":
        return None
    try:
        units = [base64.b64decode(f"{unit}==") for name in SETS for unit in pairs.get(name, "").split(",")]
    except binascii.Error:
        units = []
    return b"".join(START + unit for unit in units if unit)


def _fps(attributes: List[str]) -> Optional[float]:
    stated = re.match(r"\d+(\.\d+)?", _first(attributes, "framerate"))
    return float(stated[0]) if stated and 0 < float(stated[0]) <= 240 else None
