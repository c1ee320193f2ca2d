"""Thirty minutes of edge-detect with everything: four streams, tracking, MQTT, the page with a viewer, clips, metrics.

python tools/soak.py [--minutes 30]                      # into tools/reference/soak.{json,md,png}

Streams come from real RTSP servers, and events go to a real Mosquitto, all on the loopback. What the process holds is
noted every 10 s. Its events are compared with those that came from the broker.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from bench import report
from bench.report import Table
from bench_page import watchers

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from soaking.process import Watch, growth, plot  # noqa: E402

from tests.sinks.brokers import Broker, Subscriber, free_port, until  # noqa: E402
from tests.sources.stamped import StampedCamera  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "soak.json"
ENGINE = ROOT / "engines" / "yolo_nano_voc_int8.onnx"
STREAMS, EVERY_S, SETTLED_S, READY_S, END_S = 4, 10.0, 120.0, 60.0, 60.0
UNSENT = ("counts", "status")  # only the newest of these is sent


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--fps", type=int, default=8, help="of each stream")
    parser.add_argument("--output", action="append", default=[], help="one more output of edge-detect")
    args = parser.parse_args(argv)
    conditions = report.machine()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        summary, samples, heard = soak(stack, folder, args)
        tables = [growth(samples, min(SETTLED_S, args.minutes * 10)), counted(summary, folder, heard)]
    tables[0].notes.append(
        f"{STREAMS} streams of 640x360 at {args.fps} fps (H.264), {ENGINE.name}, tracking, MQTT, the page with a "
        f"viewer of all streams, clips, events in a file{''.join(f', {each}' for each in args.output)}; "
        f"{args.minutes:g} minutes."
    )
    report.save(TARGET, "Half an hour with everything", conditions, tables)
    plot(samples, TARGET.with_suffix(".png"))
    for table in tables:
        print(table.markdown())
    return 0


def soak(
    stack: ExitStack, folder: Path, args: argparse.Namespace
) -> Tuple[Dict[str, Any], List[Dict[str, float]], Subscriber]:
    """The summary of the run, what the process held, and what came from the broker."""
    cameras = [StampedCamera(args.fps) for _ in range(STREAMS)]
    for camera in cameras:
        stack.callback(camera.stop)
    store = folder / "broker"
    store.mkdir()
    broker = Broker(store)
    stack.callback(broker.kill)
    heard, page = Subscriber(broker.port, "soak/events/#"), f"127.0.0.1:{free_port()}"
    stack.callback(heard.close)
    outputs = [
        f"mqtt://127.0.0.1:{broker.port}/soak?spool={folder / 'spool'}", f"http://{page}",
        f"clips:{folder / 'clips'}?bytes=50M", f"events:{folder / 'events.jsonl'}?pictures=no", *args.output,
    ]  # fmt: skip
    command = [sys.executable, "-m", "edge_runtime.cli.detect", str(ENGINE), "--track", "--json", "--wait"]
    for camera in cameras:
        command += ["--source", camera.url]
    for output in outputs:
        command += ["--output", output]
    with (folder / "said.txt").open("w") as said:
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, encoding="utf-8")
    stack.callback(run.kill)
    until(heard.events, READY_S)
    with watchers(f"http://{page}/", 1), Watch(run.pid, EVERY_S) as watch:
        end_s = time.monotonic() + 60 * args.minutes
        while time.monotonic() < end_s and run.poll() is None:
            time.sleep(1.0)
    run.send_signal(signal.SIGINT)
    text, _ = run.communicate(timeout=END_S)
    print((folder / "said.txt").read_text(encoding="utf-8")[-2000:], f"exit status {run.returncode}", flush=True)
    return json.loads(text), watch.samples, heard


def counted(summary: Dict[str, Any], folder: Path, heard: Subscriber) -> Table:
    """Frames, states, clips, and the events of the file beside those of the broker."""
    written = _numbers((folder / "events.jsonl").read_text(encoding="utf-8").splitlines())
    until(lambda: len(_came(heard)) >= len(written), END_S)
    came = _came(heard)
    clips = list((folder / "clips").rglob("*.mkv")) + list((folder / "clips").rglob("*.mp4"))
    figures: Dict[str, Any] = {
        "frames": summary["frames"],
        "frames of live streams replaced by newer ones": sum(summary["dropped"].values()),
        "frames per second": round(summary["fps"], 2),
        "reconnects": sum(each["reconnects"] for each in summary["states"]),
        "broken pictures": sum(each["broken"] for each in summary["states"]),
        "events": len(written),
        "events that the broker did not give": len(set(written) - set(came)),
        "events that came twice": len(came) - len(set(came)),
        "events in their order": list(dict.fromkeys(came)) == written,
        "clips": len(clips),
    }
    return report.figures("What came of it", figures)


def _came(heard: Subscriber) -> List[Tuple[str, int]]:
    return [(each["run"], each["number"]) for each in heard.events()]


def _numbers(lines: Sequence[str]) -> List[Tuple[str, int]]:
    events = [json.loads(line) for line in lines]
    return [(each["run"], each["number"]) for each in events if each["event"] not in UNSENT]


if __name__ == "__main__":
    sys.exit(main())
