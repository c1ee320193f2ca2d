"""A real Prometheus scrapes a run, and answers questions about it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("h11")
pytest.importorskip("prometheus_client")
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.track.options import TrackOptions
from tests.loop.parts import open_detector
from tests.sinks.brokers import until
from tests.sinks.metrics.server import PROMTOOL, Camera, Prometheus, get, running
from tests.sinks.web.client import TOKEN

POWER = {"power_w": 10.0, "rails_w": {"VDD_IN": 10.0, "GPU": 4.5}, "temperatures_c": {"gpu": 51.5}, "mode": "15W"}


def test_a_real_prometheus(tmp_path: Path) -> None:
    """With names that would break an exposition."""
    names = ["rtsp://cam/1", 'a"b\\c\n{}=,#\x1b\udcff']
    with open_detector(tmp_path) as detector:
        sources = [Camera(name=name, live=True) for name in names]
        pipeline = Pipeline(detector, sources, ["prometheus://127.0.0.1:0"], track=TrackOptions())
        pipeline.status.more = lambda: POWER
        with running(pipeline) as sink:
            until(lambda: get(sink, "/metrics")[0] == 200)
            scraper = Prometheus(tmp_path, urlsplit(sink.url).netloc)
            try:
                until(lambda: len(scraper.query("edge_frames_total > 20")) == 2)
                ask = scraper.query
                assert [value for _, value in ask("up")] == [1.0]
                assert ask("sum(rate(edge_frames_total[10s])) > 0") or ask("sum(edge_frames_total) > 40")
                streams = [labels["stream"] for labels, _ in ask("edge_stream_state{state='live'} == 1")]
                assert len(streams) == 2 and streams.count("rtsp://cam/1") == 1
                assert len(ask("edge_objects_total{class='b'} == 1")) == 2
                assert len(ask("edge_latency_seconds{quantile='0.95'} < 10")) == 2
                assert len(ask("edge_latency_seconds_sum / edge_latency_seconds_count < 10")) == 2
                assert [value for _, value in ask("edge_power_watts")] == [10.0]
                assert {labels["rail"]: watts for labels, watts in ask("edge_power_rail_watts")} == POWER["rails_w"]
                assert ask("edge_temperature_celsius{zone='gpu'} == 51.5") and ask("edge_power_mode_info{mode='15W'}")
                assert ask("abs(edge_fps_per_watt - edge_fps / 10) < 0.01")
                assert len(ask("edge_build_info{engine='m.replay.npz'}")[0][0]["sha256"]) == 64
                assert scraper.targets()[0]["lastError"] == ""
            finally:
                scraper.close()


def test_a_real_prometheus_with_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    with open_detector(tmp_path) as detector:
        target = "prometheus://127.0.0.1:0?token=env:METRICS_TOKEN"
        with running(Pipeline(detector, [Camera()], [target])) as sink:
            assert get(sink, "/metrics")[0] == 401 and get(sink, "/healthz") == (200, "ok\n")
            more = f"authorization: {{type: Bearer, credentials: {TOKEN}}}"
            scraper = Prometheus(tmp_path, urlsplit(sink.url).netloc, more)
            try:
                until(lambda: scraper.query("edge_frames_total"))
            finally:
                scraper.close()


def test_names_as_the_rules_want_them(tmp_path: Path) -> None:
    if PROMTOOL is None:
        pytest.skip("no promtool here")
    with open_detector(tmp_path) as detector:
        pipeline = Pipeline(detector, [Camera(live=True)], ["prometheus://127.0.0.1:0"], track=TrackOptions())
        pipeline.status.more = lambda: POWER
        with running(pipeline) as sink:
            until(lambda: "edge_objects_total{" in get(sink, "/metrics")[1])
            text = get(sink, "/metrics")[1]
    found = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, encoding="utf-8")
    assert found.returncode == 0, found.stdout + found.stderr
