from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime import sources
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.text import secrets

SECRET = "pa55/word"


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_opened", set())


def test_an_address_may_stand_in_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "camera.txt"
    file.write_text(" synthetic://64x32@1000?frames=2 \nnot this line\n", encoding="utf-8")
    monkeypatch.setenv("CAMERA", "synthetic://64x32@1000?frames=2")
    for target in ("env:CAMERA", f"@{file}"):
        source = sources.open(target)
        assert source.name == "synthetic://64x32@1000?frames=2"
        source.close()


def test_where_there_is_no_address_the_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", " ")
    (tmp_path / "empty").write_text("\nrtsp://second/line\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for target, said in [
        ("env:NOWHERE", "NOWHERE"), ("env:EMPTY", "EMPTY"), ("env:", "variable"), ("@", "cannot be read"),
        (f"@{tmp_path}/empty", "no address in"), (f"@{tmp_path}/none", "No such file"),
        (f"@{tmp_path}/binary", "no text"),
        (f"@{tmp_path}", "directory"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=said):
            sources.open(target)


@pytest.mark.parametrize(
    "target",
    [
        f"rtsp://u5er:{SECRET}@127.0.0.1:9/x",
        f"http://u5er:{SECRET}@127.0.0.1:9/x",
        f"http://127.0.0.1:9/clip.mp4?password={SECRET}",
        f"foo://u5er:{SECRET}@host",
        f"http://u5er:{SECRET}@[::1/x",
        f"v4l2://u5er:{SECRET}@x",
        f"csi://u5er:{SECRET}@x",
        f"synthetic://u5er:{SECRET}@30",
        f"gst:rtspsrc user-pw={SECRET} location=rtsp://u5er:{SECRET}@127.0.0.1:9/x",
        f"gst:nosuchelement user-id=u5er user-pw={SECRET}",
        f"gst+rtsp://u5er:{SECRET}@127.0.0.1:9/x",
        f"gst+file:///nowhere/x?token={SECRET}",
        f"nowhere/x.mp4?token={SECRET}",
        f"nowhere/*.jpg?token={SECRET}",
    ],
)
def test_no_error_of_a_source_holds_a_password(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA", target)
    for given in (target, "env:CAMERA"):
        with pytest.raises(EdgeError) as caught:
            sources.open(given)
        said = f"{caught.value} {caught.value.hint} {caught.value!r}"
        assert "pa55" not in said
