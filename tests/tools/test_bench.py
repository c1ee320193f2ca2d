"""tools/bench_host.py: its loop, its comparisons and its report on tiny cases. No figure is judged here."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Callable, List

import cv2
import numpy as np
import pytest

import edge_runtime
from edge_runtime import machine
from tests.tiny import boxes_v8, write_onnx

batched = pytest.mark.skipif(
    not hasattr(cv2.dnn, "NMSBoxesBatched"), reason="a benchmark's contender needs OpenCV 4.7: cv2.dnn.NMSBoxesBatched"
)
ROOT = Path(__file__).resolve().parents[2]
Tool = Callable[[str], ModuleType]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Tool:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


@pytest.fixture
def model(tmp_path: Path) -> str:
    pytest.importorskip("onnxruntime")
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((30, 30, 20, 20, 0.9, 1))})


def bench(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(edge_runtime.__file__).parents[1])}
    command = [sys.executable, str(ROOT / "tools" / "bench_host.py"), *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_case_runs_in_every_round_and_each_starts_one(tool: Tool) -> None:
    timing, order = tool("bench.timing"), []  # type: ModuleType, List[str]

    def case(name: str, ms: float) -> Callable[[], dict]:
        def measure() -> dict:
            order.append(name)
            return {"ms": ms * len(order)}  # the machine gets slower all the time

        return measure

    cases = {"a": case("a", 1.0), "b": case("b", 1.0), "c": case("c", 4.0)}
    samples = timing.interleave("test", cases, 3, timing.progress_bar())
    assert "".join(order) == "abcbcacab"
    assert timing.ratio(samples, "c", "a", "ms") == 28 / 8  # rounds: 12/1, 20/6, 28/8
    assert timing.values(samples, "b", "ms") == [2.0, 4.0, 9.0]


def test_kernel_counts_calls_not_windows(tool: Tool) -> None:
    seen: List[int] = []
    measure = tool("bench.timing").kernel(seen.append, ring=3)
    seen.clear()
    assert 0 < measure()["us"] < 1000
    assert len(seen) % 3 == 0 and seen[:4] == [0, 1, 2, 0]


@batched
@pytest.mark.parametrize("layout", ["v8", "v3 rows", "v3 raw"])
@pytest.mark.parametrize(("count", "kept"), [(5, 1), (300, 38)])
def test_decode_contenders_keep_the_same_boxes(tool: Tool, layout: str, count: int, kept: int) -> None:
    decode = tool("bench.decode")
    calls = decode.contenders(layout, decode.LAYOUTS[layout][1](count))
    assert decode.agree(calls) == kept
    calls["lean numpy"] = lambda: np.zeros((2, 6))
    with pytest.raises(AssertionError, match="kept counts differ"):
        decode.agree(calls)


def test_preprocessing_contenders_agree(tool: Tool) -> None:
    assert tool("bench.preprocess").difference((320, 180), 160) < 1.7 / 255  # ours 1.1, and cv2 rounds to whole levels


@batched
def test_sections_and_report(tmp_path: Path, model: str) -> None:
    target = tmp_path / "out" / "bench.json"
    sizes = ["--rounds", "1", "--seconds", "0.2", "--frames", "80", "--backend", "onnxruntime"]
    text = bench("decode", "pipeline", "flat", "--model", model, "--json", str(target), *sizes, *video(tmp_path))
    written = json.loads(target.read_text(encoding="utf-8"))
    flat = written["sections"]["Flat memory"]["rows"][0]
    rows = written["sections"]["End to end, 720p file"]["rows"]
    assert {row["threads"] for row in rows} >= {1} and all(row["of_raw"] > 0 for row in rows)
    assert flat["frames"] == 80 and flat["net_numpy_bytes"] < 100_000 and flat["faults_per_frame"] >= 0
    assert written["machine"]["cpu"] and "numpy" in written["machine"]["versions"]
    assert "## Decode and NMS" in text and target.with_suffix(".md").read_text(encoding="utf-8").count("\n## ") == 3


def test_files_are_named_from_the_checkout(tool: Tool, tmp_path: Path) -> None:
    report = tool("bench.report")
    said = f"{ROOT / 'engines' / 'a.onnx'} and {ROOT.parent / 'shared' / 'b.onnx'}"
    table = report.Table("Files", ("said",), rows=[(said,)], data=[{"said": said}])
    report.save(tmp_path / "page.json", "Page", report.machine(), [table])
    (row,) = json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["sections"]["Files"]["rows"]
    assert row["said"] == "engines/a.onnx and ../shared/b.onnx"
    assert "| engines/a.onnx and ../shared/b.onnx" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_no_page_names_a_folder_of_the_machine_that_made_it() -> None:
    absolute = re.compile(r"(?<![\w./-])/[\w./-]+\.(?:jpe?g|json|jsonl|npz|onnx|plan|png|py|toml)\b")
    pages = [path for path in (ROOT / "tools" / "reference").iterdir() if path.suffix in (".json", ".jsonl", ".md")]
    found = [f"{path.name}: {text}" for path in pages for text in absolute.findall(path.read_text(encoding="utf-8"))]
    assert len(pages) > 40 and not found


def test_peers_without_the_peer_shows_our_side(tmp_path: Path, model: str) -> None:
    arguments = ["peers", "--model", model, "--rounds", "1", "--seconds", "0.2", "--backend", "onnxruntime"]
    text = bench(*arguments, *video(tmp_path))
    assert text.count("| tiny ") == 2 and "| onnxruntime" in text and "by a trial, and 1 to decode" in text


def test_every_arrangement_stands_beside_the_chosen_one(tmp_path: Path, model: str) -> None:
    target, sizes = tmp_path / "bench.json", ["--rounds", "1", "--seconds", "0.1", "--backend", "onnxruntime"]
    text = bench("tuned", "--model", model, "--json", str(target), *sizes, *video(tmp_path))
    rows = json.loads(target.read_text(encoding="utf-8"))["sections"]["Arrangements, 720p file"]["rows"]
    if machine.cores() == 1:
        assert "there is nothing to choose here" in text and not rows
        return
    assert len({row["arrangement"] for row in rows}) == len(rows) >= 4
    (chosen,) = [row for row in rows if row["chosen"]]
    assert f"the trial, tiny: {chosen['arrangement']}: " in text and max(row["of_best"] for row in rows) >= 1


def video(folder: Path) -> List[str]:
    path = str(folder / "clip.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"mp4v"), 30, (64, 48))
    for level in range(0, 250, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return ["--video", path]
