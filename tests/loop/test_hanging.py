"""Sinks and sources that hang: left behind and named after a grace time, once the end was asked for; never before."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import count
from pathlib import Path
from typing import Iterator, Tuple

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError, SinkError
from edge_runtime.loop import run
from edge_runtime.loop.pipeline import Pipeline
from tests.loop.parts import Numbers, Sink, open_detector, threads, within

GRACE_S = 0.5


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Detector]:
    monkeypatch.setattr(run, "GRACE_S", GRACE_S)
    with open_detector(tmp_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _heed_ctrl_c() -> Iterator[None]:
    """Ctrl-C reaches the main thread, where pytest-xdist does not always run a test. A background shell ignores it."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("Ctrl-C reaches the main thread alone, and this test runs in another")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c(ready: threading.Event) -> threading.Thread:
    """Sends this process one SIGINT, a moment after something hangs."""

    def send() -> None:
        ready.wait(30)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("where", ["write", "close"])
def test_one_ctrl_c_ends_a_run_with_a_sink_that_hangs(
    detector: Detector, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    frames = 10**6 if where == "write" else 20
    hanging = Sink("fifo.jsonl", hangs_at=7 if where == "write" else -1, hangs_in_close=where == "close")
    first, last, before = Sink("first"), Sink("last"), threads()
    pipeline = Pipeline(detector, Numbers(frames), [first, hanging, last])
    sender = ctrl_c(hanging.hanging)
    with pytest.raises(SinkError, match=r"fifo.jsonl did not end within 0.5 s and is left behind") as caught:
        pipeline.run()
    sender.join()
    assert caught.value.hint and "fifo.jsonl" in caplog.text
    summary = pipeline.summary()
    assert summary["left_behind"] == ["fifo.jsonl"]
    for sink in (first, last):
        assert sink.finished == 1 and sink.seen == list(range(summary["frames"]))
    assert len(detector(np.zeros((48, 64, 3), np.uint8))) == 1
    hanging.gate.set()
    assert within(10, lambda: threads() == before) and hanging.finished == 1, "it ends by itself, should it wake up"


def test_several_that_hang_are_left_behind_together(detector: Detector) -> None:
    sinks = [Sink(f"fifo{number}", hangs_at=number) for number in range(4)]
    pipeline = Pipeline(detector, Numbers(10**6), sinks)

    def work() -> None:
        with pytest.raises(SinkError):
            pipeline.run()

    thread = threading.Thread(target=work)
    thread.start()
    assert sinks[0].hanging.wait(10)
    pipeline.stop()
    thread.join(10)
    assert not thread.is_alive() and pipeline.summary()["left_behind"][0] == "fifo0"
    for sink in sinks:
        sink.gate.set()
    assert within(10, lambda: not any("fifo" in name for name in threads()))


def test_a_sink_that_hangs_does_not_keep_a_run_whose_network_fails(detector: Detector) -> None:
    runs = count()

    def broken() -> Tuple[()]:
        if next(runs) == 3:
            raise EdgeError("the network failed", hint="export it again")
        return ()

    hanging = Sink("fifo", hangs_at=1)
    pipeline = Pipeline(detector, Numbers(10**6), hanging, warmup=0)
    for slot in detector.backend._slots:
        slot.run = broken

    def work() -> None:
        with pytest.raises(EdgeError, match="the network failed"):
            pipeline.run()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and pipeline.summary()["left_behind"] == ["fifo"]
    hanging.gate.set()
    assert within(10, lambda: hanging.finished == 1)


def test_nobody_is_left_behind_unasked(detector: Detector) -> None:
    """A sink that takes its time at the end of a file is waited for."""
    slow = Sink(hangs_in_close=True)
    threading.Timer(3 * GRACE_S, slow.gate.set).start()
    assert Pipeline(detector, Numbers(20), slow).run()["left_behind"] == []
    assert slow.finished == 1 and slow.seen == list(range(20))


def test_a_sink_that_is_slow_and_goes_on_is_not_left_behind(detector: Detector) -> None:
    class Slow(Sink):
        def write(self, result) -> None:
            time.sleep(0.3)
            super().write(result)

    slow = Slow()
    pipeline = Pipeline(detector, Numbers(10**6), slow)
    threading.Timer(0.1, pipeline.stop).start()
    summary = pipeline.run()
    assert slow.finished == 1 and slow.seen == list(range(summary["frames"])) and summary["left_behind"] == []


@pytest.mark.parametrize("others", [0, 1])
def test_one_ctrl_c_ends_a_run_with_a_source_that_hangs_in_its_driver(
    detector: Detector, others: int, caplog: pytest.LogCaptureFixture
) -> None:
    hanging, sink, before = Numbers(10**6, name="camera", hangs_at=5), Sink(), threads()
    pipeline = Pipeline(detector, [hanging, *[Numbers(30)] * others], sink)
    asked = threading.Event()
    sender = ctrl_c(asked)
    threading.Thread(target=lambda: within(10, lambda: len(sink.seen) == 5 + 30 * others) and asked.set()).start()
    summary = pipeline.run()
    sender.join()
    assert summary["left_behind"] == ["camera"] and "camera" in caplog.text
    assert sink.finished == 1 and len(sink.seen) == 5 + 30 * others
    hanging.gate.set()
    assert within(10, lambda: threads() == before) and hanging.closed == 1


def test_ctrl_c_in_a_loop_over_results_leaves_the_sink_behind_too(detector: Detector) -> None:
    hanging, healthy, before = Sink("fifo", hangs_at=3), Sink("healthy"), threads()
    with pytest.raises((KeyboardInterrupt, SinkError)), Pipeline(
        detector, Numbers(10**6), [hanging, healthy]
    ) as pipeline:
        sender = ctrl_c(hanging.hanging)
        for result in pipeline:
            del result
    sender.join()
    assert pipeline.summary()["left_behind"] == ["fifo"] and healthy.finished == 1
    hanging.gate.set()
    assert within(10, lambda: threads() == before)
