"""A camera that leaves packets out: what follows a gap was made from what is missing, up to the next key picture."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from fractions import Fraction
from typing import Collection, Iterator, List

import pytest

from edge_runtime import sources
from edge_runtime.types import Frame
from tests.sources.answering import ALL, answering
from tests.sources.clips import picture

av = pytest.importorskip("av")
KEY, PICTURES, FPS = 10, 30, 30


@pytest.fixture(scope="module")
def units() -> List[List[bytes]]:
    """Of each picture: its units, without start codes."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 48, "yuv420p", Fraction(1, FPS)
    codec.options = {"tune": "zerolatency", "x264-params": f"keyint={KEY}:scenecut=0"}
    coded = []
    for index in range(PICTURES):
        frame = av.VideoFrame.from_ndarray(picture(index), format="bgr24")
        frame.pts = index
        coded += [bytes(packet) for packet in codec.encode(frame)]
    return [re.split(rb"\x00\x00\x00?\x01", each)[1:] for each in coded]


def interleaved(pictures: List[List[bytes]], begin: int = 0, missing: Collection[int] = ()) -> bytes:
    """The packets on the connection. Args: missing: pictures of which nothing is sent."""
    sent, number = b"", 0
    for place, units in enumerate(pictures):
        for unit in units if place >= begin else ():
            number += 1
            mark = 0x80 if unit is units[-1] else 0
            head = bytes([0x80, 96 | mark]) + number.to_bytes(2, "big") + (place * 3000).to_bytes(4, "big") + b"ssrc"
            sent += b"" if place in missing else b"$\0" + (len(head + unit)).to_bytes(2, "big") + head + unit
    return sent


@contextmanager
def reading(content: bytes) -> Iterator[sources.Source]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answering, args=(listening, ALL, content), daemon=True).start()
        source = sources.open(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live")
        yield source
        source.close()


def levels(frames: List[Frame]) -> List[int]:
    """The numbers of the pictures that they show."""
    return [round(float(frame.image.mean())) for frame in frames]


def test_nothing_is_given_between_a_gap_and_the_next_key_picture(units: List[List[bytes]]) -> None:
    with reading(interleaved(units)) as source:
        whole = levels([source.read() for _ in range(PICTURES)])
    with reading(interleaved(units, missing=[13])) as source:
        frames = [source.read() for _ in range(23)]
        assert levels(frames) == whole[:13] + whole[20:]
        assert [frame.index for frame in frames] == [*range(13), *range(19, 29)] and source.state.broken == 6


def test_damage_before_the_first_key_picture_is_counted(units: List[List[bytes]]) -> None:
    """What is whole there is not: we came in the middle."""
    with reading(interleaved(units, begin=5)) as source:
        assert source.read().index == 0 and source.state.broken == 0
    with reading(interleaved(units, begin=5, missing=[7])) as source:
        assert source.read().index == 1 and source.state.broken == 1
