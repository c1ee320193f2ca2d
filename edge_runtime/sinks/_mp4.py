"""Writes MP4: in fragments while it grows, an ordinary file after it is finished."""

from __future__ import annotations

from array import array
from itertools import groupby, islice
from struct import pack, unpack_from
from typing import Iterator, Sequence, Tuple

from edge_runtime.files.growing import GrowingFile
from edge_runtime.sinks._packet import H264, Packet, ticks

TICKS_S = 90_000  # per second; the usual rates are exact in it
MATRIX = pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
BRAND = b"isomiso5mp41"
COLOUR = pack(">4s3HB", b"nclx", 2, 2, 6, 0)  # BT.601, limited range; primaries and transfer are not known
FRAGMENT_BYTES, FLAGS_AT, TIME_AT, DATA_AT = 104, 48, 64, 96  # in the bytes of a fragment before its packet
KEY, OTHER = 0x02000000, 0x01010000  # sample flags: needs no other picture; needs others, so playing cannot begin here


class Mp4:
    """Writes a fragment for each frame, so a kill loses none.

    At the end an index of the whole file is added. The header that announces fragments, and the fragments themselves,
    become part of the media data. It is then an ordinary file in which every player can seek.

    Args:
        file: the file to write.
        codec: `H264` or `MPEG4`.
        size_wh: width and height in pixels.
        fps: nominal frames per second: how long the last picture is shown.
    """

    def __init__(self, file: GrowingFile, codec: str, size_wh: Tuple[int, int], fps: float) -> None:
        self._file, self._codec, self._size_wh = file, codec, size_wh
        self._period = max(1, round(TICKS_S / fps))
        self._count, self._last, self._config = 0, -1, b""
        self._first_at = 0

    def add(self, packet: Packet) -> None:
        """See `Container.add`."""
        begin = b"" if self._count else self._begin(packet)
        time = ticks(packet.at_s, TICKS_S, self._last)
        self._file.append(begin + self._fragment(packet, time) + packet.data)
        self._count, self._last = self._count + 1, time

    def finish(self) -> None:
        """See `Container.finish`: makes the file an ordinary MP4."""
        end = self._file.size
        self._file.append(self._movie(*self._samples(end)))
        place = len(_box(b"ftyp", BRAND, BRAND))
        self._file.patch(place, pack(">I4sQ", 1, b"mdat", end - place))

    def _begin(self, packet: Packet) -> bytes:
        self._config = packet.config
        begin = _box(b"ftyp", BRAND, BRAND) + _box(b"free", bytes(8)) + self._movie((), (), (), ())
        self._first_at = len(begin)
        return begin

    def _fragment(self, packet: Packet, time: int) -> bytes:
        flags = KEY if packet.key else OTHER
        track = _box(
            b"traf",
            _box(b"tfhd", pack(">3I", 0x020020, 1, flags)),
            _box(b"tfdt", pack(">IQ", 1 << 24, time)),
            _box(b"trun", pack(">4I", 0x201, 1, FRAGMENT_BYTES, len(packet.data))),
        )
        number = _box(b"mfhd", pack(">2I", 0, self._count + 1))
        return _box(b"moof", number, track) + pack(">I4s", 8 + len(packet.data), b"mdat")

    def _samples(self, end: int) -> Tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
        """Sizes, places and times of all packets, and the numbers of those where playing can begin, from the file."""
        sizes, places, times, keys, at = array("I"), array("Q"), array("Q"), array("I"), self._first_at
        while at < end:
            head = self._file.read(at, FRAGMENT_BYTES)
            if unpack_from(">I", head, FLAGS_AT)[0] == KEY:
                keys.append(len(sizes) + 1)
            places.append(at + FRAGMENT_BYTES)
            times.append(unpack_from(">Q", head, TIME_AT)[0])
            sizes.append(unpack_from(">I", head, DATA_AT)[0] - 8)
            at += FRAGMENT_BYTES + sizes[-1]
        return sizes, places, times, keys

    def _movie(self, sizes: Sequence[int], places: Sequence[int], times: Sequence[int], keys: Sequence[int]) -> bytes:
        """The box `moov`. Without packets it announces fragments."""
        duration, (width, height) = times[-1] + self._period if times else 0, self._size_wh
        clock = pack(">IQQIQ", 1 << 24, 0, 0, TICKS_S, duration)
        movie = _box(b"mvhd", clock, pack(">IH10x", 1 << 16, 1 << 8), MATRIX, bytes(24), pack(">I", 2))
        about = pack(">IQQIIQ16x", 1 << 24 | 3, 0, 0, 1, 0, duration)
        track = _box(b"tkhd", about, MATRIX, pack(">2I", width << 16, height << 16))
        handler = _box(b"hdlr", pack(">2I4s12x", 0, 0, b"vide"), b"video\0")
        media = _box(b"mdhd", clock, pack(">2H", 0x55C4, 0)) + handler + self._information(sizes, places, times, keys)
        extends = b"" if sizes else _box(b"mvex", _box(b"trex", pack(">6I", 0, 1, 1, self._period, 0, 0)))
        return _box(b"moov", movie, _box(b"trak", track, _box(b"mdia", media)), extends)

    def _information(
        self, sizes: Sequence[int], places: Sequence[int], times: Sequence[int], keys: Sequence[int]
    ) -> bytes:
        """The box `minf`: how packets are decoded, how long they last, where they are."""
        chunks = pack(">3I", 1, 1, 1) if sizes else b""
        durations = b"".join(pack(">2I", sum(1 for _ in same), each) for each, same in groupby(self._lasting(times)))
        tables = (
            _box(b"stsd", pack(">2I", 0, 1), self._description()),
            _box(b"stts", pack(">2I", 0, len(durations) // 8), durations),
            _box(b"stsc", pack(">2I", 0, len(chunks) // 12), chunks),
            _box(b"stsz", pack(">3I", 0, 0, len(sizes)), _numbers(sizes)),
            _box(b"co64", pack(">2I", 0, len(places)), _numbers(places)),
            *((_box(b"stss", pack(">2I", 0, len(keys)), _numbers(keys)),) if sizes else ()),
        )
        here = _box(b"dref", pack(">2I", 0, 1), _box(b"url ", pack(">I", 1)))
        return _box(b"minf", _box(b"vmhd", pack(">I8x", 1)), _box(b"dinf", here), _box(b"stbl", *tables))

    def _lasting(self, times: Sequence[int]) -> Iterator[int]:
        yield from (later - time for time, later in zip(times, islice(times, 1, None)))
        yield from [self._period] * bool(times)

    def _description(self) -> bytes:
        width, height = self._size_wh
        picture = pack(">6xH16x2H3IH32xHh", 1, width, height, 72 << 16, 72 << 16, 0, 1, 24, -1)
        if self._codec == H264:
            return _box(b"avc1", picture, _box(b"avcC", self._config), _box(b"colr", COLOUR))
        decoder = pack(">2B3x2I", 0x20, 0x11, 0, 0) + _descriptor(5, self._config)  # MPEG-4 part 2, video
        stream = pack(">HB", 1, 0) + _descriptor(4, decoder) + _descriptor(6, b"\2")
        return _box(b"mp4v", picture, _box(b"esds", pack(">I", 0), _descriptor(3, stream)), _box(b"colr", COLOUR))


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return pack(">I4s", 8 + len(body), kind) + body


def _descriptor(tag: int, body: bytes) -> bytes:
    length = bytes((0x80 | len(body) >> 21 & 127, 0x80 | len(body) >> 14 & 127, 0x80 | len(body) >> 7 & 127))
    return bytes((tag,)) + length + bytes((len(body) & 127,)) + body


def _numbers(values: Sequence[int]) -> bytes:
    """An array as big-endian bytes."""
    if not isinstance(values, array):
        return b""
    values = values[:]
    values.byteswap()
    return values.tobytes()
