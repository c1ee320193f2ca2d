"""What may be said as an output: every spelling, near misses, and the files that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import pytest

from edge_runtime import plugins, sinks
from edge_runtime.errors import UsageError
from edge_runtime.sinks import rtsp


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("out.json", "out.coco.json for COCO"),
        ("labels.txt", "yolo:labels/"),
        ("found.png", "a folder with / at the end"),
        ("out.mov", "out.mp4"),
        ("OUT.WEBM", "out.mp4"),
        ("out.xlsx", "out.csv"),
        ("out", "expected one like out.mp4, out.jsonl"),
        ("kafka://host/topic", "expected one like"),
        ("https://host/path", "webhook+https://HOST/PATH"),
        ("https://host/path/", "webhook+https://HOST/PATH"),
        ("kafka://host/out.csv", "expected one like"),
        ("prometheus", "expected one like prometheus://"),
        ("rtsp", "expected one like rtsp://127.0.0.1:8554"),
        ("/etc/edge/mqtt", "expected one like mqtt://…"),
        ("webhook:https://host/path", "expected one like webhook+https://…"),
        ("mqtt:broker", "expected one like mqtt://…"),
    ],
)
def test_a_near_miss_is_told_the_word(target: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where no folder has such a name
    with pytest.raises(UsageError, match="no output is written as") as caught:
        sinks.open(target)
    assert meant in str(caught.value.hint)


@pytest.mark.parametrize("target", ["https://host/t0ken", "webhook:https://host/a/t0ken", "HTTPS://host?t0ken"])
def test_a_webhook_without_its_word_shows_no_path(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", target)
    with pytest.raises(UsageError) as caught:
        sinks.takes_events("env:HOOK")
    assert "host/…" in str(caught.value) and "t0ken" not in f"{caught.value} {caught.value.hint}"


def test_an_address_is_no_file_whatever_it_ends_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its library is missing: a page that cannot be served is an error, and no folder."""
    for member, ends in {"http": "http://127.0.0.1:8080/", "prometheus": "prometheus://"}.items():
        monkeypatch.setattr(plugins.load_member("sinks", member), "available", lambda: "it is not installed")
        assert plugins.pick("sinks", ends).__name__.endswith(member)
    assert sinks.takes_events("mqtt://broker/out.csv") and sinks.takes_events("webhook+https://host/out.jsonl/")
    assert sinks.needs_ids("mqtt://broker/a/") and not sinks.needs_ids("prometheus://")


def test_a_folder_without_its_slash(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        sinks.open(str(tmp_path))
    assert caught.value.hint == (
        f"did you mean {tmp_path}/ for a picture per frame, or yolo:{tmp_path}/ for a text file per picture?"
    )


@pytest.mark.parametrize("target", ["{name}.mp4", "out/{Source}.jsonl", "{}.csv", "{source_name}/"])
def test_another_word_in_braces(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        sinks.open(target)
    assert "{source}" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("target", "path"),
    [("a/out.mp4", "a/out.mp4"), ("yolo:labels/", "labels/"), ("YOLO-conf:x", "x"), ("coco:out.json", "out.json"),
     ("window", None), ("-", None), ("http://127.0.0.1:8080", None), ("{source}.csv", "{source}.csv")],
)  # fmt: skip
def test_the_file_that_is_named(target: str, path: object) -> None:
    assert sinks.written_path(target) == path


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        ("out.mp4", ["out.mp4"]),
        ("{source}/", ["x/", "y/"]),
        ("yolo:{source}/labels", ["x/labels", "y/labels"]),
        ("out.coco.json", ["out.coco.json", "out.coco.json.part.jsonl"]),
        ("coco:{source}", ["x", "y", "x.part.jsonl", "y.part.jsonl"]),
        ("window", []),
        ("-", []),
    ],
)
def test_every_file_that_is_written(target: str, paths: list) -> None:
    assert sinks.written_paths(target, ["a/x.mp4", "b/y.mp4"]) == paths


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("rtsp://0.0.0.0:8554", ("USER@", "?password=env:RTSP_PASSWORD")),
        ("rtsp://u@127.0.0.1:8554", ("USER@", "?password=env:RTSP_PASSWORD")),
        ("rtsp://127.0.0.1?password=abcd", ("@FILE", "env:NAME")),
    ],
)
def test_a_hint_shows_how_a_secret_is_given(target: str, words: Sequence[str]) -> None:
    """It goes through what hides secrets, which takes an example for one."""
    with pytest.raises(UsageError) as caught:
        rtsp.open(target, sinks.SinkOptions())
    assert all(word in str(caught.value.hint) for word in words)
