from __future__ import annotations

import pytest

from edge_runtime.text import secrets
from edge_runtime.text.secrets import public, redact


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_opened", set())


HOOK = "webhook+https://hooks.example:8443/…"
TARGETS = [  # (as given, as shown); the secrets are "u5er", "pa55…" and "t0ken…"
    ("rtsp://u5er:pa55@10.0.0.2:554/live", "rtsp://10.0.0.2:554/live"),
    ("webhook+https://hooks.example:8443/t0ken/t0ken2?x=t0ken3@y#secret=env:NAME", HOOK),
    ("webhook+https://u5er:pa55@hooks.example:8443?t0ken", HOOK),
    ("rtsp://u5er:pa55/word@cam/live", "rtsp://cam/live"),
    ("rtsp://u5er:pa55@word@cam/live", "rtsp://cam/live"),
    ("rtsp://u5er:pa55?#word@cam/live", "rtsp://cam/live"),
    ("rtsp://u5er:pa55 word@cam/live", "rtsp://cam/live"),
    ("rtsp://u5er:pa55\"'word@cam/live", "rtsp://cam/live"),
    ("rtsp://u5er:pa55%2Fword@cam/live", "rtsp://cam/live"),
    ("RTSPS://u5er:pa55@[fe80::1]:322/x", "RTSPS://[fe80::1]:322/x"),
    ("http://t0ken@cam/a.mjpg", "http://cam/a.mjpg"),
    ("http://:pa55@cam/a.mjpg", "http://cam/a.mjpg"),
    ("foo://u5er:pa55@host/x", "foo://host/x"),
    ("gst+rtsp://u5er:pa55@cam/live", "gst+rtsp://cam/live"),
    ("http://cam/v?user=u5er&password=pa55&channel=1", "http://cam/v?user=***&password=***&channel=1"),
    ("http://cam/v?PWD=pa55", "http://cam/v?PWD=***"),
    ("http://cam/v?loginuse=admin&loginpas=pa55", "http://cam/v?loginuse=admin&loginpas=***"),
    ("http://cam/v?channel=2&access_token=t0ken.x-y_z~", "http://cam/v?channel=2&access_token=***"),
    (
        "http://cam/v?key=t0ken&X-Amz-Signature=t0ken2#token=t0ken3",
        "http://cam/v?key=***&X-Amz-Signature=***#token=***",
    ),
    ("rtsp://cam:554/user=admin&password=pa55&channel=1", "rtsp://cam:554/user=admin&password=***&channel=1"),
    ("rtsp://u5er:pa55@cam/v?token=t0ken", "rtsp://cam/v?token=***"),
    ("http://0.0.0.0:8080?token=env:NAME&fps=5", "http://0.0.0.0:8080?token=env:NAME&fps=5"),
    ("http://0.0.0.0:8080?token=env:t0ken-x", "http://0.0.0.0:8080?token=***"),
    ("gst:rtspsrc location=rtsp://u5er:pa55@cam/live ! fakesink", "gst:rtspsrc location=rtsp://cam/live ! fakesink"),
    ('gst:rtspsrc user-id=u5er user-pw="pa55 word" ! x', "gst:rtspsrc user-id=*** user-pw=*** ! x"),
    ("gst:rtspsrc user-pw = pa55 ! x", "gst:rtspsrc user-pw=*** ! x"),
    ("gst:rtspsrc user-pw=(string)pa55 ! x", "gst:rtspsrc user-pw=*** ! x"),
    ("gst:souphttpsrc proxy-pw='pa55' location=http://c/a ! x", "gst:souphttpsrc proxy-pw=*** location=http://c/a ! x"),
    ("gst:srtsrc passphrase=pa55word ! x", "gst:srtsrc passphrase=*** ! x"),
]
HARMLESS = [
    "0", "/dev/video0", "csi://0", "demo", "synthetic://1280x720@30", "synthetic://@29.97?frames=5", "v4l2:///dev/video0",
    "photos/a@b.jpg", "clip.mp4", "rtsp://cam:554/live", "http://cam:8080/x.mp4?channel=1&keyframe=2",
    "gst+file:///videos/me@home.mp4", "http://cam/photos/me@home.jpg", "gst:videotestsrc num-buffers=3 ! videoconvert",
    "http://[::1]:8000/a", "key=value", "a user: see me@home",
]  # fmt: skip


@pytest.mark.parametrize(("target", "shown"), TARGETS)
def test_a_name_holds_no_secret(target: str, shown: str) -> None:
    assert public(target) == shown
    assert public(shown) == shown  # what is redacted twice stays readable


@pytest.mark.parametrize("target", HARMLESS)
def test_other_names_stay_as_they_are(target: str) -> None:
    assert public(target) == redact(target) == target


@pytest.mark.parametrize("target", [target for target, _ in TARGETS])
@pytest.mark.parametrize("words", ["cannot open {}", "error: '{}' (code 5)", "{}: no route\nagain: {}"])
def test_what_others_say_about_an_opened_source_holds_no_secret(target: str, words: str) -> None:
    public(target)
    said = redact(words.format(target, target))
    assert not [secret for secret in ("u5er", "pa55", "t0ken") if secret in said.replace("user-id=u5er", "")], said


def test_an_address_in_the_words_of_others_needs_not_be_known() -> None:
    said = redact("Server returned 401 for rtsp://u5er:pa55@cam/live?token=t0ken (giving up)")
    assert said == "Server returned 401 for rtsp://cam/live?token=*** (giving up)"


def test_a_secret_is_found_decoded_and_in_other_words() -> None:
    public("rtsp://u5er:pa55%2Fword@cam/live")
    assert redact("login as u5er with pa55/word failed") == "login as u5er with *** failed"


def test_a_password_that_is_a_common_word_spoils_no_other_word() -> None:
    public("rtsp://root:cam@host/x")
    public("rtsp://root:video@host/x")
    assert redact("/dev/video0 is no camera") == "/dev/video0 is no camera"
