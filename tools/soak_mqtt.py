"""A real Mosquitto that is away and killed under load, and a disk that is full: what arrives, and what is said.

sudo python tools/soak_mqtt.py                           # into tools/reference/soak_mqtt.{json,md}; 5 minutes

It needs Mosquitto, and root to mount a small disk in memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from bench import report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from soaking.process import Beside  # noqa: E402

from edge_runtime import Detector, Pipeline  # noqa: E402
from edge_runtime.events.options import EventOptions  # noqa: E402
from edge_runtime.sinks import mqtt  # noqa: E402
from edge_runtime.sources import SourceOptions  # noqa: E402
from edge_runtime.track.options import TrackOptions  # noqa: E402
from tests.sinks.brokers import Broker, Subscriber, event, free_port, until  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "soak_mqtt.json"
ENGINE = ROOT / "engines" / "yolo_nano_voc_int8.onnx"
TOPICS, DRAIN_S = "soak/events/#", 120.0
DISK_MB, PICTURE = 1, b"\xff\xd8" + bytes(20_000)


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100, help="events per second")
    parser.add_argument("--away", type=float, default=60.0, help="seconds without a broker")
    args = parser.parse_args(argv)
    conditions, tables = report.machine(("paho-mqtt",)), []
    for part in (outages, full_disk, detection):
        with tempfile.TemporaryDirectory() as folder:
            tables.append(part(Path(folder), args))
        print(tables[-1].markdown(), flush=True)
    report.save(TARGET, "A broker that is away, and a full disk", conditions, tables)
    return 0


def outages(folder: Path, args: argparse.Namespace) -> Table:
    """The broker is away for a minute, and then killed three times, while events come."""
    broker, heard = _broker(folder)
    sink = mqtt.open_events(_target(broker.port, folder / "spool"))
    try:
        with _Load(sink, args.rate) as load:
            for away_s in (args.away, 3.0, 3.0, 3.0):
                time.sleep(5)
                broker.kill()
                time.sleep(away_s)
                before = heard.subscribed
                broker.start()
                until(lambda before=before: heard.subscribed > before)  # type: ignore[misc]
            time.sleep(5)
        most = load.most_waiting
        until(lambda: not sink.summary()["waiting"], DRAIN_S)
        until(lambda: len(set(_numbers(heard))) >= load.number, DRAIN_S)
    finally:
        sink.close()
        heard.close()
        broker.kill()
    came = _numbers(heard)
    first, said = list(dict.fromkeys(came)), sink.summary()
    figures = {
        "events": load.number,
        "most records that waited on the disk": most,
        "lost": load.number - len(first),
        "came again with the same number (at most 20 are on the way)": len(came) - len(first),
        "different from what came first under that number": _different(heard),
        "order of first arrivals kept": first == list(range(1, load.number + 1)),
        "waiting at the end": said["waiting"],
        "files left in the spool": len(list((folder / "spool").rglob("*.spool"))),
        "counted as lost by the sink": said["lost"],
    }
    note = f"{args.rate} events a second. The broker was away for {args.away:g} s, then killed three times for 3 s."
    return report.figures("The broker is away, and killed three times", figures, note)


def full_disk(folder: Path, args: argparse.Namespace) -> Table:
    """More events than the disk and the memory take, before the broker comes."""
    events = 600
    with _small_disk(folder / "disk") as disk:
        port = free_port()
        sink = mqtt.open_events(_target(port, disk / "spool"))
        for number in range(1, events + 1):
            sink.take(event(number, picture=PICTURE))
        full = sink.summary()
        broker, heard = _broker(folder, port)
        try:
            until(lambda: not sink.summary()["waiting"], DRAIN_S)
            until(lambda: _numbers(heard)[-1:] == [events], DRAIN_S)
        finally:
            sink.close()
            heard.close()
            broker.kill()
        after = sink.summary()
    first = list(dict.fromkeys(_numbers(heard)))
    figures = {
        "events, each with a picture: two records": events,
        "said": full["trouble"].replace(str(folder), ""),
        "waiting, on the disk and in memory": full["waiting"],
        "counted as lost (the oldest in memory)": full["lost"],
        "waiting and lost are all records": full["waiting"] + full["lost"] == 2 * events,
        "arrived once the broker was there": len(first),
        "in order": first == sorted(first),
        "sent and lost are all records": after["sent"] + after["lost"] == 2 * events,
    }
    return report.figures(
        "A full disk", figures, f"A disk of {DISK_MB} MiB; 4 MiB are held in memory. No broker at first."
    )


def detection(folder: Path, args: argparse.Namespace) -> Table:
    """Whether detection goes on while the disk of the spool is full."""
    port = free_port()
    with _small_disk(folder / "disk") as disk, Detector.open(str(ENGINE)) as detector, ExitStack() as opened:
        pipeline = Pipeline(
            detector, "demo", [_target(port, disk / "spool")], track=TrackOptions(),
            source_options=SourceOptions(loop=True), events=EventOptions(update_s=0.2, change_s=0.1),
        )  # fmt: skip
        pipeline.pace.fps = 5
        run = threading.Thread(target=pipeline.run)
        run.start()
        opened.callback(run.join)
        opened.callback(pipeline.stop)
        until(lambda: pipeline.monitor.frames)
        parts = [_part("room on the disk", pipeline)]
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1000)):
                pass
        parts.append(_part("disk full", pipeline))
        filler.unlink()
        broker, heard = _broker(folder, port)
        opened.callback(broker.kill)
        opened.callback(heard.close)
        until(lambda: not _said(pipeline)["waiting"], DRAIN_S)
        parts.append(_part("room again, and a broker", pipeline))
        pipeline.stop()
        run.join()
    table = Table("Detection beside a full disk", tuple(parts[0]))
    parts = [{**part, "trouble": part["trouble"].replace(str(folder), "")} for part in parts]
    table.rows += [[str(value) for value in part.values()] for part in parts]
    table.data += parts
    numbers = _numbers(heard)
    table.notes.append(f"20 s each, 5 frames a second asked for. Events that arrived: {len(set(numbers))}, in order: "
                       f"{list(dict.fromkeys(numbers)) == sorted(set(numbers))}.")  # fmt: skip
    return table


def _part(name: str, pipeline: Pipeline) -> Dict[str, Any]:
    before, began_s = pipeline.monitor.frames, time.monotonic()
    time.sleep(20)
    frames, sink = pipeline.monitor.frames - before, _said(pipeline)
    rate = round(frames / (time.monotonic() - began_s), 2)
    return {"": name, "frames a second": rate, **{key: sink.get(key, "") for key in ("waiting", "lost", "trouble")}}


def _said(pipeline: Pipeline) -> Dict[str, Any]:
    sink: Any = pipeline.sinks[0]
    return dict(sink.summary())


class _Load(Beside):
    """Events for a sink."""

    def __init__(self, sink: Any, rate: int) -> None:
        super().__init__()
        self._sink, self._rate = sink, rate
        self.number = self.most_waiting = 0

    def _work(self) -> None:
        began_s = time.monotonic()
        while not self._done.wait(0.01):
            while self.number < (time.monotonic() - began_s) * self._rate:
                self.number += 1
                self._sink.take(event(self.number, picture=PICTURE[:2000] if self.number % 10 == 0 else None))
            self.most_waiting = max(self.most_waiting, self._sink.summary()["waiting"])


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _broker(folder: Path, port: int = 0) -> Tuple[Broker, Subscriber]:
    store = folder / "broker"
    store.mkdir()
    broker = Broker(store, port=port)
    heard = Subscriber(broker.port, TOPICS)
    broker.save()  # so that the subscription survives a kill
    return broker, heard


def _target(port: int, spool: Path) -> str:
    return f"mqtt://127.0.0.1:{port}/soak?spool={spool}"


def _numbers(heard: Subscriber) -> List[int]:
    return [each["number"] for each in heard.events()]


def _different(heard: Subscriber) -> int:
    first: Dict[int, Any] = {}
    return sum(first.setdefault(each["number"], each) != each for each in heard.events())


if __name__ == "__main__":
    sys.exit(main())
