"""What systemd hears from edge-detect over a real socket: ready, alive, reloading, ending; nothing while it hangs."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from edge_runtime.cli import _systemd, detect
from edge_runtime.cli._systemd import Service
from edge_runtime.loop import view
from edge_runtime.loop.pipeline import Pipeline
from tests.loop.parts import Numbers, open_detector, within
from tests.sources.clips import write_clip
from tests.tiny import boxes_v8, write_onnx

SITE = 'engine = "tiny.onnx"\nfamily = "yolo_v8"\nlabels = "a,b,c"\ntune = "off"\nthreads = 1\n'


class Supervisor:
    """The other end of $NOTIFY_SOCKET. Attributes: heard: all messages, each as a mapping."""

    def __init__(self, bound: Any, shown: str) -> None:
        self._socket, self.shown = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), shown
        self._socket.bind(bound)
        self.heard: List[Dict[str, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            message = self._socket.recv(1 << 16)
            if message == b"end":
                return
            self.heard.append(dict(line.split("=", 1) for line in message.decode().split("\n")))

    def has(self, key: str) -> bool:
        return any(key in message for message in self.heard)

    def close(self) -> None:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
            sender.sendto(b"end", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@edge-{os.getpid()}-{id(request)}"
    made = Supervisor(name if request.param == "path" else "\0" + name[1:], name)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    yield made
    made.close()


def test_a_run_from_ready_to_stopping(supervisor: Supervisor, tmp_path: Path) -> None:
    write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    write_clip(tmp_path / "clip.mp4", 10)
    site = tmp_path / "site.toml"
    site.write_text(
        f'{SITE}target_fps = 20\nloop = true\n[[stream]]\nname = "a"\nsource = "clip.mp4"\n', encoding="utf-8"
    )

    def conduct() -> None:
        assert within(30, lambda: supervisor.has("WATCHDOG"))
        os.kill(os.getpid(), signal.SIGHUP)
        assert within(30, lambda: supervisor.has("RELOADING") and supervisor.heard[-1].keys() != {"RELOADING"})
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=conduct)
    thread.start()
    assert detect.main(["--config", str(site)]) == 0
    thread.join()
    assert within(10, lambda: supervisor.has("STOPPING"))
    heard = supervisor.heard
    assert heard[0] == {"READY": "1"} and heard[1] == {"WATCHDOG": "1"}
    assert "FPS" in heard[2]["STATUS"] and heard[-1] == {"STOPPING": "1", "STATUS": "ended"}
    reloaded = next(number for number, message in enumerate(heard) if "RELOADING" in message)
    assert int(heard[reloaded]["MONOTONIC_USEC"]) > 0 and {"READY": "1"} in heard[reloaded:]


def test_a_hang_ends_the_sign_of_life(supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "STUCK_S", 0.5)
    gate = threading.Event()
    with open_detector(tmp_path) as detector:
        wait = detector.backend.wait

        def hangs(slot: int) -> Tuple[Any, Any]:
            if pipeline.monitor.frames == 5:
                gate.wait(60)
            return wait(slot)

        monkeypatch.setattr(detector.backend, "wait", hangs)
        pipeline = Pipeline(detector, Numbers(10))
        service = Service(pipeline, lambda: "fine")
        monkeypatch.setattr(_systemd, "TOLD_S", 0.0)

        def tick() -> None:
            service.tell()
            if any("at the same thing" in message.get("STATUS", "") for message in supervisor.heard):
                gate.set()

        pipeline.run(tick)
    heard = supervisor.heard
    stuck = next(number for number, message in enumerate(heard) if "at the same thing" in message.get("STATUS", ""))
    assert not any("WATCHDOG" in message for message in heard[stuck - 1 : stuck + 1])
    assert {"WATCHDOG": "1"} in heard[:stuck]


def test_an_engine_that_fails_is_never_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no")
    assert detect.main([str(tmp_path / "broken.onnx"), "demo"]) == 1
    assert not supervisor.heard


def test_names_cannot_forge_messages(supervisor: Supervisor) -> None:
    with pytest.raises(ValueError, match="READY"), Service(None, str):  # type: ignore[arg-type]
        raise ValueError("away\nREADY=1\x1b\udcff" + "x" * 9999)
    assert within(10, lambda: supervisor.has("STOPPING"))
    assert supervisor.heard[0].keys() == {"STOPPING", "STATUS"} and len(supervisor.heard[0]["STATUS"]) <= 1000


@pytest.mark.parametrize("address", ["", "vsock:2:3", "/nowhere/notify", "@nobody-listens", "/" + "x" * 300])
def test_without_a_supervisor_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    _systemd.send("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"), [("2000000", "", 2.0), ("2000000", "1", 0.0), ("", "", 0.0), ("x", "", 0.0)]
)
def test_whose_watchdog_it_is(monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, seconds: float) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert _systemd._watchdog_s() == seconds
