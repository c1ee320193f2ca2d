"""The delay of streams: from the moment a real RTSP server on the loopback gets a picture to its boxes.

python tools/bench_streams.py [--seconds 20]             # into tools/reference/bench_streams.{json,md}

The pictures of the server say when they were taken (tests/sources/stamped.py). It needs PyGObject, and GStreamer with
its RTSP server, x264enc and x265enc.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from bench import report
from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from edge_runtime import Detector, Pipeline  # noqa: E402
from edge_runtime.sources import SourceOptions  # noqa: E402
from edge_runtime.sources._avcapture import AvCapture  # noqa: E402
from edge_runtime.sources._avopen import open_address  # noqa: E402
from edge_runtime.sources.rtsp import StreamSource  # noqa: E402
from edge_runtime.types import Result  # noqa: E402
from tests.sources.rtsp_server import H265, h264  # noqa: E402
from tests.sources.stamped import StampedCamera, taken_s  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "bench_streams.json"
ENGINE = str(ROOT / "engines" / "yolo_nano_voc_int8.onnx")
# FFmpeg takes slices with parameter sets apart; frames in threads would be held back by the encoder
H264 = h264(30, "bframes=0 tune=zerolatency sliced-threads=false threads=1")
CODECS = {"H.264": f"{H264} config-interval=-1", "H.265": f"{H265} config-interval=-1"}
CLIENTS = ("ours", "FFmpeg")
BEGIN, MOST_MS = 15, 50.0  # results that are not counted; the aim
COLUMNS = (
    "codec", "client", "results", "to the decoded picture, ms: median", "95 %", "aim", "to the boxes, ms: median",
    "95 %", "older than 1 s",
)  # fmt: skip


class Delays:
    """A sink. Attributes: found: seconds from the server to the decoded picture, and to the boxes."""

    target = "delays"

    def __init__(self) -> None:
        self.found: List[Tuple[float, float]] = []

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        now_s = time.monotonic()
        taken = taken_s(result.frame.image, now_s)
        if taken is not None:
            self.found.append((now_s - taken - result.latency_ms / 1e3, now_s - taken))

    def close(self) -> None:
        """See `Sink.close`."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--fps", type=int, default=15)
    args = parser.parse_args(argv)
    conditions, table = report.machine(), Table("From server to boxes", COLUMNS)
    with Detector.open(ENGINE) as detector:
        for codec, encoder in CODECS.items():
            for client in CLIENTS:
                row = measured(detector, encoder, client, args)
                table.data.append({"codec": codec, "client": client, **row})
                table.rows.append((codec, client, *words(row)))
                print(*table.rows[-1], flush=True)
    table.notes.append(
        f"One stream of 640x360 at {args.fps} fps, {args.seconds:g} s each, {Path(ENGINE).name}. The server's encoder, "
        "the loopback and the decoder are in it; from the decoded picture on it is the pipeline's own latency. Load "
        f"average before: {conditions['load'][0]}."
    )
    report.save(TARGET, "Delay of streams", conditions, [table])
    return 0


def measured(detector: Detector, encoder: str, client: str, args: argparse.Namespace) -> Dict[str, Any]:
    """Milliseconds of one stream."""
    camera, delays = StampedCamera(args.fps, encoder=encoder), Delays()
    try:
        options = SourceOptions()
        by_ffmpeg = partial(AvCapture, partial(open_address, camera.url, 5.0, live=True), timed=True)
        source: Any = camera.url if client == "ours" else StreamSource(camera.url, options, by_ffmpeg)
        Pipeline(detector, source, [delays], duration_s=args.seconds).run()
    finally:
        camera.stop()
    if len(delays.found) <= BEGIN:
        raise SystemExit(f"{client}: only {len(delays.found)} results in {args.seconds:g} s")
    decoded, boxes = (1e3 * np.array(each) for each in zip(*delays.found[BEGIN:]))
    return {
        "results": len(boxes),
        "decoded_ms": [float(np.median(decoded)), float(np.percentile(decoded, 95))],
        "boxes_ms": [float(np.median(boxes)), float(np.percentile(boxes, 95))],
        "stale": int(np.sum(boxes > 1e3)),
    }


def words(row: Dict[str, Any]) -> List[str]:
    """The columns of a table."""
    decoded, boxes = ([f"{value:.1f}" for value in row[key]] for key in ("decoded_ms", "boxes_ms"))
    verdict = f"{MOST_MS:g} {'ok' if row['decoded_ms'][0] < MOST_MS else 'MISSED'}"
    return [str(row["results"]), *decoded, verdict, *boxes, str(row["stale"])]


if __name__ == "__main__":
    sys.exit(main())
