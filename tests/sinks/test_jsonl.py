"""JSON Lines: the fields, and whole lines whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from edge_runtime import sinks
from edge_runtime.errors import SinkError
from edge_runtime.sinks import SinkOptions, jsonl
from tests.sinks.results import result


def lines(path: Path) -> List[Dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_one_object_per_frame(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.jsonl"))
    sink.write(result(7))
    sink.close()
    assert lines(tmp_path / "out.jsonl") == [
        {
            "source": "cam",
            "frame": 7,
            "timestamp_s": 0.28,
            "width": 64,
            "height": 48,
            "latency_ms": 8.765,
            "stage_ms": {"capture": 1.235, "inference": 7.0},
            "detections": [
                {"class_id": 0, "label": "person", "confidence": 0.9, "box": [4.0, 20.0, 40.0, 44.0]},
                {"class_id": 1, "label": "cat", "confidence": 0.1235, "box": [10.5, 2.0, 60.0, 30.0]},
            ],
        }
    ]


@pytest.mark.parametrize("path", ["photos/Grüße.jpg", 'a"b\n.jpg', "not-utf8-\udcff.jpg"])
def test_images_have_a_path(tmp_path: Path, path: str) -> None:
    sink = sinks.open(str(tmp_path / "out.jsonl"))
    sink.write(result(path=path))
    assert [line["path"] for line in lines(tmp_path / "out.jsonl")] == [path]


def test_a_line_is_there_before_the_next_frame(tmp_path: Path) -> None:
    sink = sinks.open(str(tmp_path / "out.jsonl"))
    for i in range(3):
        sink.write(result(i))
        assert len(lines(tmp_path / "out.jsonl")) == i + 1


def test_an_earlier_file_stays_until_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old", encoding="utf-8")
    sinks.open(str(path)).close()
    assert path.read_text(encoding="utf-8") == "old"
    sink = sinks.open(str(path))
    sink.write(result(4))
    assert [line["frame"] for line in lines(path)] == [4] and [entry.name for entry in tmp_path.iterdir()] == [
        path.name
    ]
    sink.close()


def test_no_frame_no_file(tmp_path: Path) -> None:
    sinks.open(str(tmp_path / "out.jsonl")).close()
    assert list(tmp_path.iterdir()) == []


def test_standard_output_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    sink = sinks.open("-")
    sink.write(result(1))
    sink.close()
    print("still open", flush=True)
    first, second = capfd.readouterr().out.splitlines()
    assert json.loads(first)["frame"] == 1 and second == "still open"


def test_a_full_device_is_an_error() -> None:
    sink = jsonl.open("/dev/full", SinkOptions())
    with pytest.raises(SinkError, match="No space left") as caught:
        sink.write(result())
    assert caught.value.hint
    sink.close()


WRITER = """
import resource, signal, sys
from tests.sinks.results import result
from edge_runtime import sinks
from edge_runtime.errors import SinkError
limit, target, old = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
sink = sinks.open(target)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for i in range(1000):
    try:
        sink.write(result(i))
    except SinkError as error:
        print(i, error, file=sys.stderr)
        sink.close()
        sys.exit(3)
"""


@pytest.mark.parametrize("limit", [1000, 4321])
def test_half_a_line_is_taken_back(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "out.jsonl"
    child = subprocess.run([sys.executable, "-c", WRITER, str(limit), str(path)], capture_output=True, encoding="utf-8")
    assert child.returncode == 3, child.stderr
    failed = int(child.stderr.split()[0])
    assert [line["frame"] for line in lines(path)] == list(range(failed))
    assert path.stat().st_size <= limit and "File too large" in child.stderr


def test_a_first_line_that_does_not_fit_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old", encoding="utf-8")
    child = subprocess.run([sys.executable, "-c", WRITER, "100", str(path)], capture_output=True, encoding="utf-8")
    assert child.returncode == 3 and path.read_text(encoding="utf-8") == "old", child.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_half_a_line_is_taken_back_after_what_was_there_before(tmp_path: Path) -> None:
    """Standard output appended to a file: earlier content is not ours to cut."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"frame": -1}\n', encoding="utf-8")
    with path.open("a") as appended:
        child = subprocess.run([sys.executable, "-c", WRITER, "1000", "-"], stdout=appended, stderr=subprocess.PIPE)
    assert child.returncode == 3, child.stderr
    assert [line["frame"] for line in lines(path)] == list(range(-1, int(child.stderr.split()[0])))


def test_a_reader_of_standard_output_that_leaves_closes_the_sink() -> None:
    """As `head` does: no error, and whoever feeds the sink should stop."""
    code = WRITER.replace("sink.write(result(i))", "sink.write(result(i))\n        sink.closed and sys.exit(4)")
    child = subprocess.Popen(
        [sys.executable, "-c", code, "100000", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    message = child.stderr.read()
    child.stderr.close()
    assert child.wait(20) == 4 and not message


ENDLESS = """
import sys
from itertools import count
from tests.sinks.results import result
from edge_runtime import sinks
sink = sinks.open(sys.argv[1])
for i in count():
    sink.write(result(i))
    i == 50 and print(flush=True)
"""


def test_a_kill_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    frames = [line["frame"] for line in lines(path)]
    assert len(frames) > 50 and frames == list(range(len(frames)))
