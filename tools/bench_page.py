"""What viewers of the page cost: frames that detection lost, and the CPU of the page's threads, by number of viewers.

python tools/bench_page.py [--seconds 20]                # into tools/reference/bench_page.{json,md}

Sources give frames by a clock, like cameras. Every viewer takes the pictures of all streams, and the events. The
viewers are another process, whose CPU does not count.
"""

from __future__ import annotations

import argparse
import multiprocessing
import selectors
import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence
from urllib.parse import urlsplit

from bench import report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from edge_runtime.detect.detector import Detector  # noqa: E402
from edge_runtime.loop.pipeline import Pipeline  # noqa: E402
from edge_runtime.types.events import Event  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "bench_page.json"
ENGINE = ROOT / "engines" / "yolo_nano_voc_int8.onnx"
PAGE = "http://127.0.0.1:0"
THREADS = {"page": "server", "page pictures": "encoder", f"sink {PAGE}": "copies"}
COLUMNS = (
    "viewers", "frames", "lost before detection", "lost before the page", "pictures a second", "server, % of a core",
    "encoder, % of a core", "copies, % of a core", "a viewer, % of a core",
)  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each run")
    parser.add_argument("--viewers", type=int, nargs="+", default=(0, 1, 20))
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--fps", type=float, default=10.0, help="frames per second of each stream")
    args = parser.parse_args(argv)
    table = Table("Viewers of the page", COLUMNS)
    for viewers in args.viewers:
        row = measured(viewers, args)
        table.data.append(row)
        table.rows.append([f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()])
        print(row, flush=True)
    table.notes.append(
        f"{args.streams} test patterns of 1280x720 at {args.fps:g} frames per second, {args.seconds:g} s each, "
        f"10 pictures per second and stream at most, model {ENGINE.name}. A viewer: the server's CPU, divided by their "
        "number. Lost before detection: frames that a newer one replaced."
    )
    report.save(TARGET, "What viewers of the page cost", report.machine(), [table])
    return 0


def measured(viewers: int, args: argparse.Namespace) -> Dict[str, Any]:
    """One row."""
    sources = [f"synthetic://1280x720@{args.fps:g}"] * args.streams
    with Detector.open(str(ENGINE)) as detector, Pipeline(detector, sources, [PAGE]) as pipeline:
        page: Any = pipeline.sinks[0]
        run = threading.Thread(target=pipeline.run)
        run.start()
        with watchers(page.url, viewers):
            time.sleep(3.0)  # until all of them see pictures
            before, began_s = counts(pipeline, page), time.monotonic()
            for second in range(round(args.seconds)):
                page.take(Event("status", "", time.time(), second, "run", "", {"fps": args.fps}))
                time.sleep(1.0)
            took_s, after = time.monotonic() - began_s, counts(pipeline, page)
        pipeline.stop()
        run.join()
    return row_of(viewers, {name: after[name] - before[name] for name in after}, took_s)


def row_of(viewers: int, spent: Dict[str, float], took_s: float) -> Dict[str, Any]:
    """Counts of a run as the columns of the table."""
    share = {name: 100 * spent[name] / took_s for name in THREADS.values()}
    each = share["server"] / viewers if viewers else 0.0
    values = (
        viewers, int(spent["frames"]), int(spent["dropped"]), int(spent["sink dropped"]), spent["pictures"] / took_s,
        share["server"], share["encoder"], share["copies"], each,
    )  # fmt: skip
    return dict(zip(COLUMNS, values))


def counts(pipeline: Pipeline, page: Any) -> Dict[str, float]:
    """What happened so far, and the CPU of each thread of the page, seconds."""
    found: Dict[str, float] = {
        "frames": pipeline.monitor.summary()["frames"],
        "dropped": sum(pipeline.dropped),
        "sink dropped": sum(sink.get("dropped", 0) for sink in pipeline.summary()["sinks"].values()),
        "pictures": page.summary()["pictures"],
    }
    for thread in threading.enumerate():
        kind = THREADS.get(thread.name)
        if kind:
            found[kind] = time.clock_gettime(time.pthread_getcpuclockid(int(thread.ident or 0)))
    return found


@contextmanager
def watchers(url: str, number: int) -> Iterator[None]:
    """Viewers in a process of their own."""
    process = multiprocessing.get_context("spawn").Process(target=watch, args=(url, number), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def watch(url: str, number: int) -> None:
    """Takes pictures and events until the process ends."""
    place = urlsplit(url)
    selector, kept = selectors.DefaultSelector(), []
    for path in ["/pictures", "/events"] * number:
        connection = socket.create_connection((place.hostname, place.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        selector.register(connection, selectors.EVENT_READ)
        kept.append(connection)
    while number:
        for key, _ in selector.select():
            if not key.fileobj.recv(1 << 20):  # type: ignore[union-attr]
                selector.unregister(key.fileobj)


if __name__ == "__main__":
    sys.exit(main())
