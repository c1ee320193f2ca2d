"""The parts of our RTSP client on their own: what cameras say, who may look, packets, reports; also what is hostile."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from typing import Dict, List

import pytest

from edge_runtime.sources import _rtp
from edge_runtime.sources._annexb import START
from edge_runtime.sources._credentials import Credentials
from edge_runtime.sources._rtcp import SINCE_1900_S, Clock
from edge_runtime.sources._rtp import Coded, Depacketizer
from edge_runtime.sources._sdp import video_of

SPS, PPS = b"\x67sps", b"\x68pps"
SETS = ",".join(base64.b64encode(unit).decode() for unit in (SPS, PPS))
SDP = f"""v=0
m=audio 0 RTP/AVP 0
a=control:track1
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=42c01e; sprop-parameter-sets={SETS}
a=framerate:25.0
a=control:track2
"""


def test_the_video_of_a_session() -> None:
    video = video_of(SDP)
    assert (video.codec, video.payload, video.clock, video.control, video.fps) == ("h264", 96, 90_000, "track2", 25)
    assert video.sets == START + SPS + START + PPS
    hevc = video_of("m=video 0 RTP/AVP 98\r\na=rtpmap:98 H265/90000\r\na=fmtp:98 sprop-vps=QAE=;sprop-sps=QgE=\r\n")
    assert (hevc.codec, hevc.sets, hevc.fps) == ("hevc", START + b"\x40\x01" + START + b"\x42\x01", None)


@pytest.mark.parametrize("text", [
    "", "m=video", "m=video 0 RTP/AVP 26\na=rtpmap:26 JPEG/90000", SDP.replace("mode=1", "mode=2"),
    "m=audio 0 RTP/AVP 0", "\0" * 99, "m=video 0 RTP/AVP (.*)\na=rtpmap:(.*) H264/1",
])  # fmt: skip
def test_what_is_no_video_for_us(text: str) -> None:
    assert video_of(text) is None


def test_parameter_sets_that_make_no_sense_are_left_out() -> None:
    assert video_of(SDP.replace(SETS, "!")).sets == b""


def fields(header: str) -> Dict[str, str]:
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}


def test_digest_as_in_rfc_2069_and_without_a_second_try() -> None:
    user = Credentials("Mufasa", "CircleOfLife")
    assert user.sign("DESCRIBE", "rtsp://h/x") == ""
    assert user.challenge('Digest realm="cam", nonce="abc"\nBasic realm="cam"')
    one = hashlib.md5(b"Mufasa:cam:CircleOfLife").hexdigest()
    two = hashlib.md5(b"DESCRIBE:rtsp://h/x").hexdigest()
    said = fields(user.sign("DESCRIBE", "rtsp://h/x"))
    assert said["response"] == hashlib.md5(f"{one}:abc:{two}".encode()).hexdigest() and said["username"] == "Mufasa"
    assert not user.challenge('Digest realm="cam", nonce="abc"'), "the password is wrong"
    assert user.challenge('Digest realm="cam", nonce="next"'), "the camera wants a new answer"


def test_digest_of_rfc_7616(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", lambda count: b"\x01" * count)
    user = Credentials("u", "p")
    assert user.challenge('Digest realm="r", qop="auth, auth-int", algorithm=SHA-256, nonce="n", opaque="o"')
    said, own = fields(user.sign("PLAY", "rtsp://h/")), "01" * 8

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    assert said["response"] == digest(f"{digest('u:r:p')}:n:00000001:{own}:auth:{digest('PLAY:rtsp://h/')}")
    assert (said["nc"], said["qop"], said["opaque"], said["algorithm"]) == ("00000001", "auth", "o", "SHA-256")


def test_digest_of_a_session() -> None:
    user = Credentials("u", "p")
    assert user.challenge('Digest realm="r", qop="auth", algorithm=MD5-sess, nonce="n"')
    said = fields(user.sign("PLAY", "rtsp://h/"))

    def digest(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    session = digest(f"{digest('u:r:p')}:n:{said['cnonce']}")
    assert said["response"] == digest(f"{session}:n:00000001:{said['cnonce']}:auth:{digest('PLAY:rtsp://h/')}")
    assert not user.challenge('Digest realm="r", qop="auth", algorithm=MD5-sess, nonce="n"')
    assert user.problem == "wrong user or password"


def test_basic_and_nobody() -> None:
    user = Credentials("me", "s:cret")
    assert user.challenge('Basic realm="x"') and user.sign("PLAY", "x") == "Basic bWU6czpjcmV0"
    assert not user.challenge('Basic realm="x"')
    assert not Credentials("", "").challenge('Basic realm="x"')
    stranger = Credentials("a", "b")
    assert not stranger.challenge('Digest realm="x", algorithm=SHA-512-256, nonce="1"\nBearer')
    assert stranger.problem == "it knows only digest SHA-512-256, bearer, which we do not", "the password may be right"
    assert not stranger.challenge("Ev\x1b[2Jil " + "x" * 9999 + ", algorithm=\x1b]0;name\x07" + "x" * 9999)
    assert stranger.problem.isprintable() and len(stranger.problem) < 200, "a terminal would obey it"
    known = 'Digest realm="x", nonce="1"'
    assert Credentials("a", "b").challenge(f"{known}\n{known}, algorithm=SHA-512-256"), "one that we know"


def packet(number: int, stamp: int, body: bytes, last: bool = True, first: int = 0x80) -> bytes:
    head = (
        bytes([first, 96 | last << 7]) + (number & 0xFFFF).to_bytes(2, "big") + (stamp % (1 << 32)).to_bytes(4, "big")
    )
    return head + b"ssrc" + body


def units(*bodies: bytes) -> bytes:
    return b"".join(START + body for body in bodies)


def pushed(packets: Depacketizer, *given: bytes) -> List[Coded]:
    return [coded for each in given for coded in packets.push(each)]


def test_pictures_of_h264_packets() -> None:
    packets = Depacketizer("h264", 96)
    several = b"\x18\0\x04" + SPS + b"\0\x04" + PPS
    parts = [b"\x7c\x85one", b"\x7c\x05two", b"\x7c\x45three"]
    first = [packet(1, 0, several, last=False), *(packet(2 + n, 0, part, n == 2) for n, part in enumerate(parts))]
    later = [packet(5, 3000, b"\x41p"), packet(6, 6000, b"\x41q", last=False), packet(7, 9000, b"\x41r")]
    got = pushed(packets, *first, *later)
    assert got[0] == Coded(0, units(SPS, PPS, b"\x65onetwothree"), True, True)
    assert got[1] == Coded(3000, units(b"\x41p"), False, True)
    assert [(c.stamp, c.data) for c in got[2:]] == [(6000, units(b"\x41q")), (9000, units(b"\x41r"))]


def test_pictures_of_h265_packets() -> None:
    packets = Depacketizer("hevc", 96)
    several = b"\x60\x01\0\x03\x40\x01v\0\x03\x42\x01s"
    got = pushed(packets, packet(1, 0, several, last=False), packet(2, 0, b"\x62\x01\x93one", last=False),
                 packet(3, 0, b"\x62\x01\x53two"), packet(4, 1, b"\x02\x01p"))  # fmt: skip
    assert got[0] == Coded(0, units(b"\x40\x01v", b"\x42\x01s", b"\x26\x01onetwo"), True, True)
    assert got[1] == Coded(1, units(b"\x02\x01p"), False, True)


def test_a_gap_makes_half_a_picture_and_times_go_on() -> None:
    packets = Depacketizer("h264", 96)
    got = pushed(packets, packet(65535, -10, b"\x65a"), packet(0, 10, b"\x41b"), packet(2, 20, b"\x41c"),
                 packet(3, 30, b"\x41d"))  # fmt: skip
    assert [coded.whole for coded in got] == [True, True, False, True]
    assert [coded.stamp - got[0].stamp for coded in got] == [0, 20, 30, 40]


def test_a_gap_between_two_pictures_may_have_taken_the_end_of_the_first() -> None:
    packets = Depacketizer("h264", 96)
    got = pushed(packets, packet(1, 0, b"\x65a", last=False), packet(3, 3000, b"\x41b"), packet(4, 6000, b"\x41c"))
    assert [coded.whole for coded in got] == [False, False, True]


def test_headers_with_extension_and_padding_and_other_payloads() -> None:
    packets = Depacketizer("h264", 96)
    assert pushed(packets, packet(1, 0, b"\xbe\xde\0\x01abcd\x41x\0\x02", first=0xB0))[0].data == units(b"\x41x")
    assert pushed(packets, packet(2, 0, b"\x41x").replace(b"\xe0", b"\xe1")) == []


def test_noise_is_no_crash_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rtp, "MOST_BYTES", 1000)
    chance = random.Random(1)
    for codec in ("h264", "hevc"):
        packets = Depacketizer(codec, 96)
        for _ in range(3000):
            body = bytes(chance.randrange(256) for _ in range(chance.randrange(40)))
            pushed(packets, body, packet(chance.randrange(99), chance.randrange(3), body, last=chance.random() < 0.1))
            assert packets._size < 1000 + 99 * 40 and sum(map(len, packets._units)) <= 1000


def test_the_age_of_a_picture() -> None:
    clock = Clock(90_000)
    assert clock.age_s(0, 100.0) is None
    report = (
        bytes([0x80, 200, 0, 6]) + b"ssrc" + (SINCE_1900_S + 1000).to_bytes(4, "big") + (1 << 31).to_bytes(4, "big")
    )
    clock.take(report + (2**32 - 45_000).to_bytes(4, "big"))
    assert clock.age_s(45_000, 1002.0) == pytest.approx(0.5)
    clock.take(b"\x80\xc8")
    clock.take(b"\x80\xc9" + bytes(30))
    assert clock.age_s(45_000, 1002.0) == pytest.approx(0.5)


def test_packets_of_others_in_between_are_no_gap() -> None:
    """One sender counts all its packets, and another one counts its own. Padding alone is a packet, too."""
    packets = Depacketizer("h264", 96)
    redundant = packet(2, 0, b"fec").replace(b"\xe0", b"\xe1", 1)
    again = packet(900, 0, b"rtx").replace(b"\xe0", b"\xe2", 1).replace(b"ssrc", b"else")
    padding = packet(4, 3000, b"\0\0\0\4", first=0xA0)
    got = pushed(packets, packet(1, 0, b"\x65a"), redundant, again, packet(3, 3000, b"\x41b"), padding,
                 packet(5, 6000, b"\x41c"), packet(7, 9000, b"\x41d"))  # fmt: skip
    assert [coded.whole for coded in got] == [True, True, True, False]
    other = [each.replace(b"ssrc", b"anew") for each in (packet(70, 0, b"\x65e", last=False), packet(71, 0, b"\x41f"))]
    assert pushed(packets, *other)[0].whole, "another sender begins to count anew"


def test_what_comes_before_a_picture_with_a_time_of_its_own_belongs_to_it() -> None:
    packets = Depacketizer("h264", 96)
    got = pushed(packets, packet(1, 0, SPS), packet(2, 5, PPS), packet(3, 10, b"\x65a"), packet(4, 20, b"\x41b"))
    assert [(coded.stamp, coded.data) for coded in got] == [(10, units(SPS, PPS, b"\x65a")), (20, units(b"\x41b"))]
    got = pushed(packets, *(packet(5 + n, 100 + n, b"\x06" + bytes(20_000)) for n in range(8)))
    assert len(got) == 2 and not got[0].key, "memory is bounded"
