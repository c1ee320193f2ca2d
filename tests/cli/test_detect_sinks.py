"""edge-detect --output prometheus://… and webhook+http://…: what they get, and what is said of them."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest

from edge_runtime.cli import detect
from tests.sinks.brokers import free_port
from tests.sinks.hooks import Receiver
from tests.sinks.metrics import server
from tests.tiny import boxes_v8, write_onnx

FLAGS = ["--family", "yolo_v8", "--labels", "a,b,c", "--threads", "1", "--tune", "off"]
KEY = "T024BE7LDq"


@pytest.fixture
def engine(tmp_path: Path) -> str:
    return write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})


def test_a_webhook_implies_tracking_and_its_path_is_shown_nowhere(
    engine: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver()
    monkeypatch.setenv("HOOK", f"webhook+http://127.0.0.1:{receiver.port}/in/{KEY}?k={KEY}#spool={tmp_path}/spool")
    source = ["synthetic://64x48?frames=10", "--engine", engine, "--output", "env:HOOK", *FLAGS]
    assert detect.main([*source, "--json"]) == 0
    summary = capsys.readouterr()
    assert [post.event["event"] for post in receiver.posts] == ["new", "end"]
    (about,) = json.loads(summary.out)["sinks"].values()
    assert (about["events"]["sent"], about["events"]["waiting"]) == (2, 0)
    receiver.close()
    assert detect.main(source) == 0
    said = capsys.readouterr()
    assert "not sent yet: 2 messages to webhook+http://127.0.0.1" in said.err
    monkeypatch.setenv("HOOK", f"webhook+http://127.0.0.1:{receiver.port}/in/{KEY} x?k={KEY}")
    assert detect.main(source) == 1
    assert KEY not in f"{summary}{said}{capsys.readouterr()}"


def test_metrics_of_a_run_without_ids(engine: str, tmp_path: Path, capsys: Any) -> None:
    """They have watts, and the run ends as one without them."""
    pytest.importorskip("h11")
    pytest.importorskip("prometheus_client")
    port, over = free_port(), threading.Event()
    found: Dict[str, Any] = {}
    served = SimpleNamespace(url=f"http://127.0.0.1:{port}/")

    def scrape() -> None:
        while "edge_power_watts" not in found and not over.wait(0.05):
            with contextlib.suppress(OSError):
                found.update(server.metrics(served))

    scraping = threading.Thread(target=scrape)
    scraping.start()
    (tmp_path / "run.csv").write_text(
        "time_s,VDD_IN_w,GPU_w\n" + "".join(f"{s},5.5,2\n" for s in range(20)), encoding="utf-8"
    )
    source = ["synthetic://64x48@30", "--engine", engine, "--meter", f"replay:{tmp_path}/run.csv", "--duration", "4"]
    assert detect.main([*source, "--output", f"prometheus://127.0.0.1:{port}", "--json", *FLAGS]) == 0
    over.set()
    scraping.join()
    summary = json.loads(capsys.readouterr().out)
    assert "tracking" not in summary and set(summary["sinks"]) == {f"prometheus://127.0.0.1:{port}"}
    assert "edge_objects_total" not in found and list(found["edge_power_watts"].values()) == [5.5]
    assert found["edge_power_rail_watts"][(("rail", "GPU"),)] == 2.0 and found["edge_fps_per_watt"]
