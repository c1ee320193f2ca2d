"""What is served to Prometheus and to probes, and what is refused."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

pytest.importorskip("h11")
pytest.importorskip("prometheus_client")
from edge_runtime import sinks
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import BackendUnavailable, SinkError, UsageError
from edge_runtime.loop import view
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sinks import _exposition, prometheus
from edge_runtime.sinks._web import connection, metrics
from edge_runtime.sinks._web.address import METRICS, Address, parse
from tests.loop.parts import Numbers, Sink, open_detector
from tests.sinks.brokers import until
from tests.sinks.events import event
from tests.sinks.metrics import server
from tests.sinks.metrics.server import Camera, get, running
from tests.sinks.web.client import TOKEN, connect, until_end

TARGET = "prometheus://127.0.0.1:0"


@pytest.fixture
def detector(tmp_path: Path) -> Iterator[Detector]:
    with open_detector(tmp_path) as opened:
        yield opened


@pytest.fixture
def sink() -> Iterator[Any]:
    opened = sinks.open_events(TARGET)
    yield opened
    opened.close()


def of(served: Any, name: str, **labels: str) -> Any:
    return server.metrics(served).get(name, {}).get(tuple(sorted(labels.items())))


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    for written in ("prometheus://", "prometheus://:9464", "prometheus://127.0.0.1/"):
        assert parse(written, METRICS) == Address("127.0.0.1", 9464)
    assert parse("prometheus://0.0.0.0:0?token=env:METRICS_TOKEN&name=a", METRICS) == Address(
        "0.0.0.0", 0, TOKEN, ("a",)
    )
    for wrong in ("prometheus://?token=", f"prometheus://?token={TOKEN}", "prometheus://?fps=3", "prometheus://h/x"):
        with pytest.raises(UsageError) as caught:
            sinks.open_events(wrong)
        assert caught.value.hint and TOKEN not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(SinkError, match="the metrics cannot be served"):
        sinks.open_events("prometheus://127.255.255.256:0")


def test_the_note_says_who_can_read(sink: Any) -> None:
    assert sink.note == f"metrics: {sink.url}"
    with_all = sinks.open_events("prometheus://0.0.0.0:0")
    with_all.close()
    assert "without a token" in sinks.note(with_all)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "available", lambda: "prometheus_client is not installed: pip install x")
    with pytest.raises(BackendUnavailable, match=r"^prometheus_client is not installed$") as caught:
        sinks.open_events(TARGET)
    assert "prometheus" in str(caught.value.hint)


def test_before_the_run_there_is_nothing(sink: Any) -> None:
    assert get(sink, "/metrics")[0] == 503 and get(sink, "/readyz") == (503, "the run has not begun\n")
    assert get(sink, "/healthz") == (200, "ok\n") and get(sink, "/")[0] == 404
    sink.take(event("status"))
    sink.close()
    sink.close()


def test_requests_have_limits_as_those_of_the_page(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert get(sink, "/metrics", Host="evil.example")[0] == 421
    assert get(sink, "/metrics", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert get(sink, "/readyz", X="x" * (1 << 17))[0] == 431
    monkeypatch.setattr(connection, "REQUEST_S", 0.2)
    with connect(sink) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        assert until_end(slow) == b""


def test_a_camera_that_is_lost_is_not_ready_and_shows_nothing_of_the_past(detector: Detector) -> None:
    """Without ids: metrics need none."""
    camera = Camera(name="gate", live=True)
    with running(Pipeline(detector, [camera], [TARGET])) as sink:
        until(lambda: of(sink, "edge_objects_in_view", stream="gate", **{"class": "b"}) == 1)
        assert get(sink, "/readyz") == (200, "ok\n")
        camera.state.age_s = 0.5
        until(lambda: 0.5 < (of(sink, "edge_glass_to_result_seconds", stream="gate") or 0) < 5)
        camera.state.become("lost", "the cable")
        assert get(sink, "/readyz") == (503, "no source is live: gate is lost\n")
        assert get(sink, "/healthz")[0] == 200
        until(lambda: of(sink, "edge_stream_state", stream="gate", state="lost") == 1)
        found = server.metrics(sink)
        assert not found.get("edge_objects_in_view") and not found.get("edge_glass_to_result_seconds")
        assert found["edge_detections_total"]


def test_a_probe_hears_no_name_without_the_token(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    camera = Camera(name="gate", live=True)
    camera.state.become("lost", "")
    with running(Pipeline(detector, [camera], [f"{TARGET}?token=env:METRICS_TOKEN"])) as sink:
        until(lambda: "gate" in get(sink, "/readyz", Authorization=f"Bearer {TOKEN}")[1])
        assert get(sink, "/readyz") == (503, "no\n")


def test_a_stream_that_was_removed_is_gone(detector: Detector) -> None:
    pipeline = Pipeline(detector, [Camera(name="a"), Camera(name="b")], [TARGET])
    with running(pipeline) as sink:
        until(lambda: 'edge_frames_total{stream="b"}' in get(sink, "/metrics")[1])
        pipeline.remove("b")
        until(lambda: 'stream="b"' not in get(sink, "/metrics")[1])
        assert of(sink, "edge_frames_total", stream="a")


def test_a_thread_that_hangs_is_not_healthy(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "STUCK_S", 0.3)
    hanging = Sink(hangs_at=3)
    with running(Pipeline(detector, [Camera()], [TARGET, hanging])) as sink:
        until(lambda: get(sink, "/healthz")[0] == 503)
        assert "same thing" in get(sink, "/healthz")[1] and get(sink, "/readyz")[0] == 503
        hanging.gate.set()
        until(lambda: get(sink, "/healthz")[0] == 200)


def test_a_caller_who_takes_results_slowly_is_no_hang(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "STUCK_S", 0.2)
    pipeline = Pipeline(detector, Numbers(20))
    with closing(iter(pipeline)) as results:
        next(results)
        until(lambda: pipeline._run.outputs.awaits_caller)
        time.sleep(0.4)
        assert pipeline.stuck == ""
        assert len(list(results)) == 19


def test_figures_of_the_past_are_no_metrics(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Pipeline(detector, [Camera()], [TARGET])) as sink:
        until(lambda: get(sink, "/metrics")[0] == 200)
        monkeypatch.setattr(metrics, "OLD_S", -1.0)
        status, said = get(sink, "/metrics")
        assert status == 503 and "s old" in said


def test_the_number_of_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exposition, "MOST_CLASSES", 2)
    counts = _exposition.Counts()
    assert counts.bounded("s", {"a": 1, "b": 2, "c": 3}) == {"a": 1, "b": 2, "(others)": 3}
    assert counts.bounded("s", {"c": 4, "d": 1, "b": 3}) == {"b": 3, "(others)": 5}
    counts.take(event("nonsense"))
    counts.keep([])
    assert not counts.classes and not counts.events


def test_labels() -> None:
    assert _exposition.label("häuser") == "häuser"
    long = {_exposition.label("x" * 500 + end) for end in "ab"} | {
        _exposition.label("\x1b"),
        _exposition.label("\\u001b"),
    }
    assert len(long) == 4 and all(len(text) < 140 and text.isprintable() for text in long)


def test_of_an_output_that_keeps_what_it_cannot_send(detector: Detector) -> None:
    class Spooling:
        target = "mqtt://broker"

        def take(self, event: Any) -> None: ...
        def close(self) -> None: ...
        def summary(self) -> Dict[str, Any]:
            return {"sent": 3, "waiting": 5, "lost": 7}

    with running(Pipeline(detector, [Camera()], [TARGET, Spooling()])) as sink:
        until(lambda: of(sink, "edge_sink_sent_total", sink="mqtt://broker") == 3)
        assert of(sink, "edge_sink_waiting", sink="mqtt://broker") == 5
        assert of(sink, "edge_sink_lost_total", sink="mqtt://broker") == 7
