"""Every sink, report and printer, with the same nasty names: nothing raises, nothing is obeyed, nothing is lost."""

from __future__ import annotations

import argparse
import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import cv2
import matplotlib
import numpy as np
import pytest

from edge_runtime import sinks
from edge_runtime.accuracy.evaluate import Evaluation, Found
from edge_runtime.accuracy.voc import Curve
from edge_runtime.benchmark import results
from edge_runtime.cli import _bench_files, _guard, _streams, _summary, detect
from edge_runtime.cli import eval as eval_command
from edge_runtime.energy.runlog import RunLog
from edge_runtime.errors import SourceError
from edge_runtime.imaging import drawing
from edge_runtime.reports import benchmark, evaluation, pictures, verdict
from edge_runtime.sinks import window
from edge_runtime.sources import SourceState
from edge_runtime.types import Detections, Frame, Result
from tests.sinks.test_contract import OF_FRAMES, PLACELESS, target
from tests.sinks.web.client import ask, event, page
from tests.text.nasty import NASTY, obeyed
from tests.tiny import boxes_v8, write_onnx


def nasty_results() -> List[Result]:
    rows = np.array([[1, 1, 30, 30, 0.9, number] for number in range(len(NASTY))], np.float32)
    image = np.zeros((48, 64, 3), np.uint8)
    return [Result(Frame(image, name, n, n / 25), Detections.from_rows(rows, NASTY)) for n, name in enumerate(NASTY)]


@pytest.mark.parametrize("name", [name for name in OF_FRAMES if name not in PLACELESS])
def test_sinks(name: str, tmp_path: Path) -> None:
    sink = sinks.open(target(name, tmp_path), sinks.SinkOptions(labels=NASTY))
    for result in nasty_results():
        sink.write(result)
    sink.close()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    for path in written:
        assert not obeyed(str(path))
        if path.suffix in (".csv", ".json", ".jsonl", ".txt"):
            assert not obeyed(path.read_text(encoding="utf-8"))
        if path.suffix == ".csv":
            cells = [cell for row in csv.reader(path.open(encoding="utf-8")) for cell in row]
            assert not [cell for cell in cells if cell[:1] and cell[0] in "=+@"]
        if path.suffix == ".jsonl":
            frames = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            assert [frame["source"] for frame in frames] == list(NASTY)
            assert [box["label"] for box in frames[0]["detections"]] == list(NASTY)


def test_the_page() -> None:
    pytest.importorskip("h11")
    with page() as sink:
        for number, (name, result) in enumerate(zip(NASTY, nasty_results())):
            sink.write(result)
            sink.take(event("new", number, name, source=name, data={"label": name, name: name}))
        _, _, body = ask(sink, "GET", "/state.json")
    state = json.loads(body)
    assert not obeyed(json.dumps(state, ensure_ascii=False))
    assert len(state["streams"]) == 1 + len(set(NASTY)) and len(state["events"]) == len(NASTY)


def test_window_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    titles: List[str] = []
    stand_in = SimpleNamespace(
        namedWindow=lambda name, flags: titles.append(name), resizeWindow=lambda *_: None, imshow=lambda *_: None,
        waitKey=lambda _: -1, getWindowProperty=lambda *_: 1.0, destroyAllWindows=lambda: None, WINDOW_NORMAL=0,
        WINDOW_KEEPRATIO=0, WND_PROP_VISIBLE=0,
    )  # fmt: skip
    monkeypatch.setattr(window, "load_cv2", lambda: stand_in)
    sink = window.WindowSink("window")
    for result in nasty_results():
        sink.write(result)
    assert len(titles) == len(NASTY) and not obeyed("".join(titles)) and "\n" not in "".join(titles)


@pytest.mark.parametrize("label", NASTY)
def test_drawn_labels(label: str) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    drawing.draw(image, Detections.from_rows(np.array([[1, 1, 30, 30, 0.9, 0]], np.float32), [label]))
    assert image.any()


def nasty_evaluation() -> Evaluation:
    curve = Curve(np.array([0.5, 1.0]), np.array([1.0, 0.9]), np.array([0.9, 0.8]), 2)
    count = len(NASTY)
    found = Found((), (), NASTY, 10.0, NASTY)
    counts = np.eye(count + 1, dtype=np.int64)
    return Evaluation(found, (curve,) * count, 0.5, 0.5, {"AP": 0.5}, np.full((count, 2), 0.5), counts)


def row(name: str, **more: Any) -> Dict[str, Any]:
    return {
        "engine": name, "board": name, "mode": name, "batch": 1, "streams": 1, "source": name, "valid": True,
        "fps": 9.0, "fps_low": 8.0, "fps_high": 10.0, "mean_w": 5.0, "fps_per_watt": 1.8, "joules_per_frame": 0.5,
        "reasons": [name], "notes": [name], "trace": [{"hottest_c": 40.0}, {"hottest_c": 41.0}], "clocks": {name: 1.0},
        "accuracy": {"metric": name, "value": 0.5}, **more,
    }  # fmt: skip


def assert_harmless_page(page: str) -> None:
    assert not obeyed(page) and "<script" not in page and page.count("<img") == page.count('src="data:image/png')
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page, "the name is still there to be read"


def test_report_of_an_evaluation(tmp_path: Path) -> None:
    about = {name: name for name in NASTY}
    path = evaluation.write_evaluation_page(tmp_path, "".join(NASTY), nasty_evaluation(), about)
    assert_harmless_page(path.read_text(encoding="utf-8"))


def test_plots_need_no_tex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with matplotlib.rc_context({"text.usetex": True}):
        assert pictures.confusion(NASTY, nasty_evaluation().confusion, 0.5)
        assert pictures.precision_recall(NASTY, nasty_evaluation().curves)
        assert pictures.pairs(NASTY, [0.5] * len(NASTY), [0.4] * len(NASTY))


def test_report_of_a_benchmark() -> None:
    rows = [row(name) for name in NASTY] + [row(name, valid=False) for name in NASTY]
    assert_harmless_page(benchmark.write_benchmark_page(rows, " ".join(NASTY)))


def test_report_of_a_calibration(tmp_path: Path) -> None:
    comparison = {
        "metric": NASTY[0], "before": 0.5, "after": 0.4, "drop": 10.0, "interval": [1.0, 20.0], "agreement": 0.9,
        "score_drift": 0.1, "score_shift": 0.0, "images": 3, "boxes": 9, "possible": [-9.0, 30.0], "agreement_50": 0.95,
        "sizes": [{"label": name, "before": 0.5, "after": 0.4} for name in NASTY],
        "classes": [{"label": name, "before": 0.5, "after": 0.4} for name in NASTY],
    }  # fmt: skip
    content = {
        "recommendation": "".join(NASTY), "comparison": comparison, "tried": [], "milliseconds": {"fp32": 1.0},
        "backend": NASTY[0], "bytes": {"fp32": 1}, "images": {},
        "worst": [{"name": name, "sqnr_db": 1.0, "without_db": 0.1, "in_float": False} for name in NASTY],
    }  # fmt: skip
    verdict.write_verdict_page(tmp_path / "r.html", "".join(NASTY), content)
    assert_harmless_page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert not obeyed((tmp_path / "r.json").read_text(encoding="utf-8"))


def test_sheets(tmp_path: Path) -> None:
    with_names = results.to_csv([row(name) for name in NASTY])
    path = tmp_path / "log.csv"
    log = RunLog(str(path))
    for name in NASTY:
        log({"mode": name, "rails_w": {"=1+1": 1.0}})
    log.close()
    for text in (with_names, path.read_text(encoding="utf-8")):
        assert not obeyed(text)
        lines = list(csv.reader(text.splitlines()))
        assert len(lines) == len(NASTY) + 1, "one line per row"
        assert not [cell for line in lines for cell in line if cell and cell[0] in "=+-@\t\r"]


def nasty_state(name: str) -> Dict[str, Any]:
    state = SourceState(name)
    state.name, state.reason = "lost", name  # without a line in the log
    return state.summary()


def test_tables_and_lines_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    summary = {
        "frames": 1, "fps": 1.0, "latency_ms": {}, "stage_ms": {}, "detections": dict.fromkeys(NASTY, 2),
        "dropped": dict.fromkeys(NASTY, 1), "sinks": {}, "skipped": list(NASTY), "failed": [],
        "left_behind": list(NASTY), "not_finite": {"frames": 0, "looked_at": 1},
        "power": {"reason": NASTY[0], "mode": None}, "states": [nasty_state(name) for name in NASTY],
    }  # fmt: skip
    about = {"conf": 0.5, "iou": 0.5, "backend": NASTY[0]}
    rows = [row(name) for name in NASTY] + [row(name, valid=False) for name in NASTY]
    with _streams.escaped():
        _summary.print_summary(summary)
        eval_command._print(nasty_evaluation(), about)
        _bench_files.show(rows, argparse.Namespace(json=False))
    shown = capsys.readouterr()
    assert not obeyed(shown.out) and not obeyed(shown.err)
    for name in ("[red]x[/]", "[/b]", ":smile:", "[link=x]"):
        assert shown.out.count(name) >= 2 and name in shown.err, "data is no markup"


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("name", NASTY)
def test_errors(name: str, verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def main(args: argparse.Namespace) -> int:
        try:
            raise RuntimeError(f"{name} rtsp://u5er:pa55/w@host?token=t0ken")
        except RuntimeError as error:
            raise SourceError(f"no {name!s} rtsp://u5er:pa55/w@host", hint=f"{name} ?password=pa55") from error

    with _streams.escaped():
        assert _guard.guarded(main, argparse.Namespace(verbose=verbose)) == 1
    said = capsys.readouterr().err
    assert not obeyed(said) and "pa55" not in said and "t0ken" not in said
    assert [line[:7] for line in said.splitlines()[-2:]] == ["error: ", "hint: " + said.splitlines()[-1][6:7]]


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        detect.main(
            ["--engine", "x.onnx", "--\x1b[31mflag", "\x9b31m", "--source", "rtsp://u5er:pa55@host", "--fps", "\x1b"]
        )
    said = capsys.readouterr()
    assert not obeyed(said.out + said.err) and "pa55" not in said.out + said.err and said.err


def test_json_and_json_lines_do_not_share_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert detect.main(["--engine", "x.onnx", "--source", "demo", "--output", "-", "--json"]) == 1
    said = capsys.readouterr()
    assert not said.out and "both write to stdout" in said.err


def test_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    code = "from edge_runtime.cli import _streams\nwith _streams.escaped(): print('größe caf\\udce9')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8")
    assert done.stdout == "gr\\xf6\\xdfe caf\\udce9\n", done.stderr


def test_a_real_terminal(tmp_path: Path) -> None:
    """With bars and the live line, which are control codes themselves."""
    write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 20, 20, 0.9, 1))})
    (tmp_path / "names").write_text("[red]a[/]\n\x1b[31mEVIL\n[/b]\n", encoding="utf-8")
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "labels").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{number}.png"), np.full((64, 64, 3), 90, np.uint8))
        (tmp_path / "data" / "labels" / f"{number}.txt").write_text("1 0.5 0.5 0.3125 0.3125\n", encoding="utf-8")
    (tmp_path / "data" / "my.names").write_text("[red]a[/]\n\x1b[31mEVIL\n[/b]\n", encoding="utf-8")
    flags = ["--engine", "tiny.onnx", "--family", "yolo_v8", "--labels", "names", "--threads", "1"]
    for command in (["detect", *flags, "--source", "data/images"], ["eval", *flags, "--data", "data"]):
        ours, theirs = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
        started = [sys.executable, "-m", f"edge_runtime.cli.{command[0]}", *command[1:]]
        with subprocess.Popen(started, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment) as process:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the terminal's other end is closed
                    break
                if not part:
                    break
                shown += part
        os.close(ours)
        assert process.returncode == 0, shown
        assert b"\x1b[31mEVIL" not in shown and b"\\u001b[31mEVIL" in shown, shown
