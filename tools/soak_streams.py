"""Four streams of real RTSP servers on the loopback that fail again and again: how long until they are back.

python tools/soak_streams.py [--turns 20]                # into tools/reference/soak_streams.{json,md}; 25 minutes

The pictures of the servers say when they were taken (tests/sources/stamped.py), so a result of the past is recognised.
It needs PyGObject and GStreamer with its RTSP server and x264enc.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from bench import report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from soaking import faults  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "soak_streams.json"
ENGINE = str(ROOT / "engines" / "yolo_nano_voc_int8.onnx")


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20, help="of each fault")
    parser.add_argument("--fps", type=int, default=10, help="of each stream")
    args = parser.parse_args(argv)
    conditions = report.machine()
    tables = faults.soak(ENGINE, args.turns, args.fps)
    report.save(TARGET, "Streams that fail", conditions, tables)
    for table in tables:
        print(table.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
