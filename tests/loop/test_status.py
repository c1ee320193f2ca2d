"""What a run says of itself once a second."""

from __future__ import annotations

from edge_runtime.loop.monitor import Monitor
from edge_runtime.loop.status import RunStatus
from tests.sinks.results import result


def test_frames_per_watt_are_of_the_same_time() -> None:
    """Without frames there are none, although the watts go on."""
    monitor = Monitor()
    status = RunStatus(monitor, dict)
    status.more = lambda: {"power_w": 10.0}
    for index in range(3):
        monitor.write(result(index))
    first = status()
    assert first["fps"] > 0 and first["fps_per_watt"] == round(first["fps"] / 10, 3)
    assert status()["fps"] is None and status()["fps_per_watt"] == 0.0


def test_without_watts_there_is_no_such_figure() -> None:
    assert "fps_per_watt" not in RunStatus(Monitor(), dict)()
