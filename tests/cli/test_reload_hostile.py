"""A configuration that is changed under a run, by hand and by the page: nothing is lost, and the run goes on."""

from __future__ import annotations

import argparse
import os
import stat
import threading
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

from edge_runtime import Detector, Pipeline
from edge_runtime.cli import _drawn, _site
from edge_runtime.cli._reload import Reload
from edge_runtime.errors import UsageError
from edge_runtime.files.read import parse_toml
from edge_runtime.track.places import Line, Zone
from tests.cli.test_config import PARSER
from tests.loop.parts import within
from tests.tiny import boxes_v8, write_onnx

SITE = """# ours
engine = "tiny.onnx"
[[stream]]
name = "a"   # the first
source = "synthetic://32x32@30"
output = "a.jsonl"
"""
SECOND = '[[stream]]\nname = "b"\nsource = "synthetic://32x32@30"\noutput = "{}"\n'
ZONE = Zone("yard", ((0, 0), (0.5, 0), (0.5, 0.5)), "fractions")
LINE = Line("gate", ((0, 0), (1, 1)), "fractions")


class Running:
    """A run with a configuration, without signals."""

    def __init__(self, folder: Path, capsys: Any) -> None:
        self.file, self._capsys = folder / "site.toml", capsys
        write_onnx(folder / "tiny.onnx", {"output0": boxes_v8((16, 16, 16, 8, 0.9, 1))})
        self.detector = Detector.open(str(folder / "tiny.onnx"), conf=0.1, family="yolo_v8", labels=["a", "b", "c"])

    def start(self, text: str = SITE) -> Running:
        self.file.write_bytes(text.encode())
        args = self.again()
        self.reload, streams = Reload(args, self.again), _site.streams(args)
        self.pipeline = Pipeline(self.detector, streams)
        self._context = self.reload.of(self.pipeline, streams)
        self._context.__enter__()
        self._thread = threading.Thread(target=self.pipeline.run)
        self._thread.start()
        assert within(20, lambda: self.pipeline.monitor.frames > 2)
        return self

    def again(self, text: Optional[str] = None) -> argparse.Namespace:
        words = ["--config", str(self.file)]
        return _site.arguments(PARSER, words, PARSER.typed(words), text)

    def told(self, text: Optional[str] = None) -> str:
        """What is said when the file is read again."""
        if text is not None:
            self.file.write_text(text, encoding="utf-8")
        self._capsys.readouterr()
        self.reload.reload()
        return str(self._capsys.readouterr().err).replace(f"{self.file.parent}/", "")

    def refused(self, zones: List[Zone], lines: Optional[List[Line]] = None) -> str:
        """Why the page cannot save. The file stays."""
        before = self.file.read_bytes() if self.file.exists() else None
        with pytest.raises(UsageError) as caught:
            self.reload.save("a", tuple(lines or ()), tuple(zones))
        assert before == (self.file.read_bytes() if self.file.exists() else None)
        return f"{caught.value} / {caught.value.hint}"

    @property
    def names(self) -> List[str]:
        return [source.name for source in self.pipeline.sources]

    def goes_on(self) -> bool:
        before = self.pipeline.monitor.frames
        return within(20, lambda: self.pipeline.monitor.frames > before)

    def end(self) -> None:
        self.pipeline.stop()
        self._thread.join(20)
        self._context.__exit__(None, None, None)
        assert not self._thread.is_alive()


@pytest.fixture
def run(tmp_path: Path, capsys: Any) -> Iterator[Running]:
    running = Running(tmp_path, capsys)
    yield running
    running.end()
    running.detector.close()


def test_outputs_of_new_streams_take_no_file_that_is_in_use(run: Running) -> None:
    run.start()
    model = (run.file.parent / "tiny.onnx").read_bytes()
    assert "names it twice; the settings before go on" in run.told(SITE + SECOND.format("a.jsonl"))
    assert "no output is written as" in run.told(SITE + SECOND.format("tiny.onnx"))
    (run.file.parent / "x.jsonl").symlink_to("tiny.onnx")
    assert "is both model and output; the settings before go on" in run.told(SITE + SECOND.format("x.jsonl"))
    assert "config: site.toml is read again: added b" in run.told(SITE + SECOND.format("b.jsonl"))
    results = run.file.parent / "b.jsonl"
    assert within(20, lambda: results.exists() and results.stat().st_size > 100)
    assert "read again: removed b" in run.told(SITE)
    said = run.told(SITE + SECOND.format("b.jsonl"))
    assert "b.jsonl has results of this run; the settings" in said and "hint: give it another file" in said
    assert results.stat().st_size > 100
    assert "read again: added b" in run.told(SITE + SECOND.format("b2.jsonl"))
    assert (run.file.parent / "tiny.onnx").read_bytes() == model and run.names == ["a", "b"]


def test_the_last_stream_stays_until_another_runs(run: Running) -> None:
    run.start()
    other = SITE.replace('"a"', '"b"').replace("a.jsonl", "b.jsonl").replace("synthetic://32x32@30", "none.mp4")
    said = run.told(other)
    assert "not opened b (" in said and "not removed, for no other stream runs a" in said
    assert "no change" in run.told(SITE), "it came back, and it still runs"
    assert "it has no stream any more" in run.told('engine = "tiny.onnx"')
    assert run.names == ["a"] and run.goes_on()


def test_a_camera_that_is_away_is_opened_later(run: Running) -> None:
    run.start()
    away = SECOND.format("b.jsonl").replace("synthetic://32x32@30", "rtsp://127.0.0.1:1/live")
    assert "read again: added b" in run.told(SITE + away)
    (state,) = (state for state in run.pipeline.states if state["source"] == "b")
    assert state["state"] in ("connecting", "lost") and run.goes_on()
    assert "no change" in run.told()


def test_no_fault_of_a_reload_ends_the_run(run: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    run.start()
    run.file.unlink()
    assert "is not there; the settings before go on" in run.told()

    def broken(*_: Any) -> None:
        raise KeyError("a")

    monkeypatch.setattr(run.reload, "_again", broken)
    assert "KeyError: 'a'; the settings before go on" in run.told() and run.goes_on()


def test_what_is_only_for_the_start_has_the_names_of_its_keys(run: Running) -> None:
    run.start()
    said = run.told(SITE.replace("a.jsonl", "c.jsonl").replace("@30", "@20") + "fps = 5\n")
    later = "only at the next start source of a, size, fps, loop, wait, give_up, patience or ca_file of a, output of a"
    assert later in said and later in run.told()


def test_what_the_page_saves_must_run(run: Running) -> None:
    run.start()
    tiny = Zone("tiny", ((0, 0), (0.00001, 0), (0.00001, 0.00001)), "fractions")
    assert "stream[0].zones[0]: tiny has no area" in run.refused([tiny])
    assert "has a password or a token" in run.refused([Zone("rtsp://u:velvet-otter@c/x", ZONE.points, "fractions")])
    assert "yard is no line" in run.refused([], [Line("yard", ((0, 0), (0.00001, 0)), "fractions")])
    run.file.write_text(SITE + "conf = 0.01", encoding="utf-8")
    assert "the detector reports those above 0.1" in run.refused([ZONE])
    run.file.write_text(SITE + "output = 3 = 4", encoding="utf-8")
    assert "is not TOML" in run.refused([ZONE])
    run.file.unlink()
    assert "is not there / it must be there to save into it" in run.refused([ZONE])


def test_what_was_written_by_hand_is_not_lost(run: Running) -> None:
    run.start()
    run.file.write_text(f"{SITE}zone = 'mine=0,0,9,0,9,9'", encoding="utf-8")
    assert "has newer lines or zones of a than those that run / kill -HUP" in run.refused([ZONE])
    assert "changed a" in run.told()
    assert "in a form that is not replaced" in run.refused([ZONE])
    run.file.write_text(f"{SITE}[[zones]]\nname = 'all'\npixels = [[0, 0], [9, 0], [9, 9]]", encoding="utf-8")
    assert "changed a" in run.told()
    assert "for all streams, which come back / write lines = [] or zones = []" in run.refused([])
    run.file.write_text(f"{SITE}zones = []", encoding="utf-8")
    assert "changed a" in run.told()
    run.reload.save("a", (LINE,), ())
    assert parse_toml(run.file.read_text(encoding="utf-8"))["stream"][0]["lines"][0]["name"] == "gate"


def test_the_file_stays_a_link_with_its_rights_and_line_ends(run: Running) -> None:
    run.start()
    real = run.file.with_name("real.toml")
    run.file.rename(real)
    run.file.symlink_to("real.toml")
    real.write_bytes(_drawn.BOM + SITE.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    run.reload.save("a", (LINE,), (ZONE,))
    assert run.file.is_symlink() and stat.S_IMODE(os.stat(real).st_mode) == 0o640
    content = real.read_bytes()
    assert content.startswith(_drawn.BOM + b"# ours\r\n") and content.count(b"\n") == content.count(b"\r\n")
    assert b'"a"   # the first\r\n' in content and "no change" in run.told()
    run.reload.save("a", (), ())
    assert real.read_bytes() == _drawn.BOM + SITE.replace("\n", "\r\n").encode()


def test_a_file_that_changes_while_it_is_saved_is_kept(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("conf = 0.4", encoding="utf-8")
    with pytest.raises(UsageError, match="was changed meanwhile"):
        _drawn.replace(str(tmp_path / "site.toml"), "conf = 0.3", "conf = 0.2")
    with pytest.raises(UsageError, match="would be too long to read again"):
        _drawn.replace(str(tmp_path / "site.toml"), "conf = 0.4", "#" * (1 << 20) + "\n")
    assert (tmp_path / "site.toml").read_text(encoding="utf-8") == "conf = 0.4"
