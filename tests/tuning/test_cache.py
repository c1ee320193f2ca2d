"""The cache: what is kept comes back, for exactly the same machine, versions and model; trouble stops nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from edge_runtime.tuning import cache
from edge_runtime.tuning.arrangements import LATENCY, THROUGHPUT, Arrangement
from edge_runtime.tuning.cache import Cache
from edge_runtime.tuning.choice import Choice, Measured

ABOUT: Dict[str, Any] = {"model": "ab", "cores": 2, "cpu": "Xeon", "versions": {"openvino": "2026.4"}, "goal": "x"}
CHOICE = Choice(
    THROUGHPUT, "2026-11-27 06:00", 0.1,
    (Measured(Arrangement("openvino", 2, 2), 31.25), Measured(Arrangement("onnxruntime", 2, 1, True), 27.04)),
    ("onnxruntime, 1 thread: it has no such operator",),
)  # fmt: skip


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    Cache(tmp_path / "new" / "folder").put(ABOUT, CHOICE)
    again = Cache(tmp_path / "new" / "folder")
    assert again.get(ABOUT) == CHOICE and not again.trouble


@pytest.mark.parametrize("key", ABOUT)
def test_anything_else_is_not_used(key: str, tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put(ABOUT, CHOICE)
    assert kept.get({**ABOUT, key: {"openvino": "2027.0"} if key == "versions" else 3}) is None and not kept.trouble


DAMAGE: Dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "no json": lambda text: "\x00\x01",
    "a list": lambda text: "[]",
    "another question": lambda text: text.replace("Xeon", "Atom"),
    "no choice": lambda text: json.dumps({"about": ABOUT}),
    "nothing measured": lambda text: json.dumps({"about": ABOUT, "choice": {**CHOICE.to_dict(), "measured": []}}),
    "half a row": lambda text: text.replace('"threads": 2,', ""),
    "a speed of 0": lambda text: text.replace("31.25", "0"),
    "a word for threads": lambda text: text.replace('"threads": 2', '"threads": "two"'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_file_is_named_and_written_anew(damage: str, tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put(ABOUT, CHOICE)
    (path,) = tmp_path.iterdir()
    path.write_text(DAMAGE[damage](path.read_text(encoding="utf-8")), encoding="utf-8")
    assert kept.get(ABOUT) is None and str(path) in kept.trouble and "\n" not in kept.trouble
    kept = Cache(tmp_path)
    kept.put(ABOUT, CHOICE)
    assert kept.get(ABOUT) == CHOICE and not kept.trouble


def test_a_folder_that_cannot_be_written_is_trouble_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    kept = Cache(tmp_path / "file" / "arrangements")
    assert kept.get(ABOUT) is None and not kept.trouble
    kept.put(ABOUT, CHOICE)
    assert kept.trouble.startswith("the arrangement is not kept: ") and kept.get(ABOUT) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_trouble_and_no_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    kept = Cache(tmp_path)
    kept.put(ABOUT, CHOICE)
    assert kept.trouble.startswith("the arrangement is not kept: ")


def test_it_stays_small_and_the_oldest_go(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    for number in range(cache.MOST + 3):
        kept.put({**ABOUT, "model": number}, CHOICE)
        os.utime(kept._path({**ABOUT, "model": number}), (number, number))
    kept.put(ABOUT, CHOICE)
    assert len(list(tmp_path.iterdir())) == cache.MOST and kept.get(ABOUT) == CHOICE
    assert [kept.get({**ABOUT, "model": number}) for number in range(4)] == [None] * 4


def _put(folder: Path, speed: float) -> None:
    for _ in range(100):
        Cache(folder).put(ABOUT, Choice(LATENCY, "now", 0.0, (Measured(Arrangement("a", 1), speed),)))


def test_two_processes_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    _put(tmp_path, 1.0)
    writers = [multiprocessing.get_context("spawn").Process(target=_put, args=(tmp_path, n)) for n in (1.0, 2.0)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        reader = Cache(tmp_path)
        found = reader.get(ABOUT)
        assert not reader.trouble and found is not None and found.measured[0].speed in (1.0, 2.0)
    assert [writer.exitcode for writer in writers] == [0, 0] and len(list(tmp_path.iterdir())) == 1


def test_it_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.folder() == Path("/somewhere/edge-runtime/arrangements")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/u")
    assert cache.folder() == Path("/home/u/.cache/edge-runtime/arrangements")


def test_the_line_has_all_figures() -> None:
    assert CHOICE.line("measured now") == (
        "openvino, 2 threads in 2 streams: 31.2 images/s (onnxruntime, 2 threads, spinning 27.0; "
        "onnxruntime, 1 thread: it has no such operator; measured now)"
    )
    slow = Choice(LATENCY, "", 1.0, (Measured(Arrangement("openvino", 1), 80.0),))
    assert slow.line("x") == "openvino, 1 thread: 12.5 ms for one image (other programs used 1.0 cores; x)"
