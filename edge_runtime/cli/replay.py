"""edge-replay: runs a recording of edge-detect --record again, and says where this machine and that one part.

    edge-replay last60.edge
    edge-replay last60.edge --engine nano.onnx --output again.jsonl

The frames are in the recording, and so are thresholds, preprocessing, tracking, lines and zones. The engine is the
recorded file if it is here (by its SHA-256), or the one that --engine names. The stages are picture, tensor, network,
decoding, tracking and result. All but the network are computed by the host and are equal to the bit on every machine;
so is the picture if FFmpeg decoded it. The times in the lines are those of the recording. The exit code is 0 if all is
equal, 1 if something differs, 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, closing
from typing import Any, Dict, List, Optional, Sequence

from edge_runtime import plugins
from edge_runtime.backends import MOST_THREADS, BackendOptions
from edge_runtime.blackbox import words
from edge_runtime.blackbox.engines import open_engine
from edge_runtime.blackbox.recording import Recording
from edge_runtime.blackbox.replay import Replay
from edge_runtime.cli import _files, _guard, _progress, _streams
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._power import print_status
from edge_runtime.cli._values import whole
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import UsageError
from edge_runtime.files.growing import GrowingFile
from edge_runtime.text.escape import printable

PARTED, FAILED = 1, 2


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    args = _parser().parse_args(argv)
    args.parted = False
    code = _guard.guarded(_run, args)
    return FAILED if code == 1 else code or (PARTED if args.parted else 0)


def _parser() -> Parser:
    parser = Parser("edge-replay", description=__doc__)
    parser.add_argument("recording", metavar="FILE.edge", help="what edge-detect --record has written")
    parser.add_argument(
        "--engine", action="append", default=[], metavar="FILE",
        help="the model to run; of a run with several engines, one for each in their order",
    )  # fmt: skip
    parser.add_argument("--output", metavar="FILE.jsonl|-", help="write the results, as edge-detect does")
    parser.add_argument("--json", action="store_true", help="print what was compared as JSON on stdout")
    parser.add_argument(
        "--backend", choices=plugins.names("backends"), help="default: the recorded one, if it is installed"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"), help="default auto")
    parser.add_argument(
        "--threads", type=whole(0, MOST_THREADS), default=0, metavar="N", help="threads of inference; 0: as recorded"
    )  # fmt: skip
    parser.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    return parser


def _run(args: argparse.Namespace) -> int:
    if args.output and args.output != "-" and not args.output.endswith(".jsonl"):
        raise UsageError(f"results of a replay are no {args.output!r}", hint="expected FILE.jsonl, or - for stdout")
    if args.json and args.output == "-":
        raise UsageError("--json and --output - both write to stdout", hint="leave --json out, or --output FILE.jsonl")
    _files.declared(args, WRITES)
    recording = Recording(args.recording)
    print_status(words.about(recording))
    options = BackendOptions(args.backend, args.device, threads=args.threads, golden=False)  # it is looked at anyway
    with ExitStack() as stack:
        detectors: List[Detector] = []
        notes: List[str] = []
        for number, recorded in enumerate(recording.engines):
            given = args.engine[number] if number < len(args.engine) else None
            detector, different = open_engine(recorded, given, options)
            detectors.append(stack.enter_context(detector))
            notes += different
        replay = Replay(recording, detectors)
        _write(replay, args.output)
    args.parted = replay.found.first is not None
    summary = words.summary(recording, replay.found, [d.backend.description for d in detectors], notes)
    if args.json:
        print(json.dumps(summary), flush=True)
    else:
        _print(summary)
    return 0


def _write(replay: Replay, output: Optional[str]) -> None:
    with ExitStack() as stack:
        file = stack.enter_context(closing(GrowingFile(output))) if output else None
        begin = stack.enter_context(_progress.progress())
        tick = begin("frames", len(replay.recording.frames))
        for row in replay.run(tick):
            if file:
                file.append(json.dumps(row, separators=(",", ":")).encode() + b"\n")


def _print(summary: Dict[str, Any]) -> None:
    for line in words.lines(summary):
        print_status(printable(line))


WRITES: _files.Writes = {
    "output": lambda args: [] if args.output == "-" else _files.file_of("--output", "output")(args),
}


if __name__ == "__main__":
    sys.exit(main())
