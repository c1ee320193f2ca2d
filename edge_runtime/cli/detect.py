"""edge-detect: finds objects in cameras, videos, streams and images.

    edge-detect nano.onnx street.mp4 --output out.mp4 --output out.jsonl
    edge-detect nano.onnx *.jpg --save annotated/ --json
    edge-detect --engine nano.onnx --camera 0 --show

Files need no flag and can have any order. A source is a file, a folder, a glob, a camera number, csi://0, rtsp://…,
http://…, demo or synthetic://1280x720@30. An address with a password can be in a variable (env:CAMERA) or in the
first line of a file (@camera.txt). An output is FILE.mp4, FILE.jsonl, FILE.csv, FILE.coco.json, DIR/ (pictures),
yolo:DIR/ (YOLO txt), events:FILE.jsonl, clips:DIR, mqtt://BROKER/TOPIC, webhook+https://HOST/PATH (events by POST),
prometheus:// (metrics), http://127.0.0.1:8080 (a page), rtsp://127.0.0.1:8554 (serves pictures) or - (JSON lines on
stdout). In its name, {source} stands for the name of the source. If there is a power sensor, the summary has frames
per second per watt:

    edge-detect --camera 0 --engine nano_int8.plan --power-mode 15W --log run.csv
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import List, Optional, Sequence

from edge_runtime import sinks
from edge_runtime.cli import (
    _check,
    _demo,
    _flags,
    _gate,
    _govern,
    _guard,
    _hangup,
    _opened,
    _power,
    _record,
    _signals,
    _site,
    _states,
    _streams,
    _track,
    _tune,
    _values,
    _video,
    _written,
)
from edge_runtime.cli._byproducts import ByProducts
from edge_runtime.cli._govern import Governing
from edge_runtime.cli._parser import Parser
from edge_runtime.cli._power import print_status
from edge_runtime.cli._reload import Reload
from edge_runtime.cli._summary import Status, print_summary
from edge_runtime.cli._systemd import Service
from edge_runtime.energy.efficiency import Efficiency
from edge_runtime.energy.runlog import RunLog
from edge_runtime.energy.sampler import Sampler
from edge_runtime.errors import UsageError
from edge_runtime.loop.pipeline import Pipeline

SOURCES = (
    ("--source", "URI", "any source"),
    ("--camera", "N", "a camera: 0 is /dev/video0"),
    ("--video", "FILE", "a video"),
    ("--images", "FILE|DIR", "a picture, or a folder of them"),
)
SWITCH_INTERVAL_S = 0.0005  # of the GIL; with Python's 5 ms a busy sink thread delays every frame by 5 ms


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code. Without arguments it shows a demo."""
    words = list(sys.argv[1:] if argv is None else argv)
    with _hangup.held_back(words):
        return _main(words)


def _main(words: List[str]) -> int:
    if not words:
        return _guard.guarded(_demo.show, argparse.Namespace(verbose=False))
    parser = _parser()
    typed = parser.typed(words)
    if typed.config is None:
        return _guard.guarded(_run, parser.parse_args(words))
    return _guard.guarded(lambda typed: _run_site(parser, words, typed), typed)


def _parser() -> Parser:
    parser = Parser("edge-detect", description=__doc__)
    parser.take_files("FILE", "sources", "model files and sources, in any order")
    several = "model file (.onnx, .plan); for --target-fps and --budget several, the lightest last"
    parser.add_argument("--engine", action="append", default=[], metavar="FILE", help=several)
    group = parser.add_argument_group("where frames come from (repeatable)")
    for flag, value, about in SOURCES:
        group.add_argument(flag, action="append", dest="sources", default=[], metavar=value, help=about)
    group.add_argument("--size", type=_flags.size, metavar="WxH", help="size to ask a camera for")
    group.add_argument("--fps", type=_values.rate, metavar="FPS", help="rate to ask a camera for")
    group.add_argument("--loop", action="store_true", help="start files again at their end")
    _states.add_flags(group)
    group = parser.add_argument_group("where results go (repeatable)")
    group.add_argument(
        "--output", action="append", default=[], metavar="URI", help="a file, a folder or -; the suffix says what"
    )
    _video.add_flags(group)
    group.add_argument("--save", metavar="DIR", help="a folder for annotated pictures, as --output DIR/")
    group.add_argument("--show", action="store_true", help="show a window; q or Esc ends the run")
    group.add_argument("--json", action="store_true", help="print the summary as JSON on stdout")
    group = parser.add_argument_group("when to stop")
    group.add_argument("--max-frames", type=_flags.positive, metavar="N", help="stop after N frames")
    group.add_argument("--duration", type=_values.duration, metavar="SECONDS", help="stop after so long")
    group.add_argument(
        "--fail-fast", action="store_true", help="end the run if a source fails; without it the others go on"
    )
    warmup, about = _values.whole(0, 10_000), "runs before the first frame, not counted; default 2"
    group.add_argument("--warmup", type=warmup, default=2, metavar="N", help=about)
    group = _power.add_flags(parser)
    group.add_argument("--power-mode", metavar="15W|MAXN|ID", help="mode to set for the run; the old mode is put back")
    group.add_argument(
        "--log", metavar="FILE.csv|.jsonl", help="write a row a second: FPS, stages, watts, clocks, temperatures"
    )
    _govern.add_flags(group)
    _flags.add_model_flags(parser)
    group = _flags.add_detection_flags(parser)
    group.add_argument(
        "--class-conf", type=_values.named_fractions, default={}, metavar="NAME=0..1,…", help="--conf of single classes"
    )
    _track.add_flags(parser)
    _gate.add_flags(parser)
    _record.add_flags(parser)
    _tune.add_flags(parser)
    _site.add_flags(parser)
    return parser


def _run_site(parser: Parser, words: List[str], typed: argparse.Namespace) -> int:
    args = _site.arguments(parser, words, typed)
    for note in _site.overridden(args, parser):
        print_status(f"note: {note}")
    args.reload = Reload(args, lambda text: _site.arguments(parser, words, typed, text))
    return _guard.guarded(_run, args)


def _run(args: argparse.Namespace) -> int:
    if not args.sources:
        raise UsageError("no source", hint="--source URI, --camera N, --video FILE, --images DIR, or --source demo")
    args.track = args.track or any(map(sinks.needs_ids, args.output))
    _written.check(args)
    video, args.gate = _video.options(args), _gate.options(args)
    args.streams, track = args.sources, None
    if args.site or args.class_conf:
        args.streams = _site.streams(args)
        args.conf = _site.least(args.streams, args)
        args.classes = None if args.site else args.classes  # those of a stream may change
    else:
        track = _track.options(args)
    modes = [args.power_mode] if args.power_mode else args.power_modes
    if args.check:
        return _check.say(args, video, modes)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    root, goal = Path(args.sysroot), _govern.goal(args)
    _power.put_back(args, root, bool(modes))
    with ExitStack() as stack:
        if args.reload:
            stack.enter_context(args.reload.hears(lambda: signal.raise_signal(signal.SIGINT)))
        beside, box = ByProducts(args.verbose), _record.opened(args)
        stack.enter_context(_record.hears(box))
        log = stack.enter_context(closing(RunLog(args.log))) if args.log is not None else None
        hold = _power.hold_modes(stack, args, root) if modes else None
        if hold:
            hold.refuse_unknown(modes)
            print_status(f"power mode: {hold.set(modes[0])}")
        detectors = [stack.enter_context(_opened.detector(args, engine, goal is not None)) for engine in args.engine]
        sampler = stack.enter_context(Sampler.open(root, args.meter))
        idle_s = args.idle if args.log or modes or args.budget or args.gate else 0.0
        conditions = _power.conditions(root, sampler, idle_s)
        _power.say_trace(root, sampler, conditions.mode_name)
        if box:
            box.sampler = sampler
        pipeline = stack.enter_context(_opened.pipeline(args, detectors[0], video, track, box))
        stack.enter_context(_signals.ending(pipeline.stop))
        stack.enter_context(_signals.interrupting(pipeline.stop))
        if args.reload:
            stack.enter_context(args.reload.of(pipeline, args.streams))
        efficiency = Efficiency(
            pipeline.monitor, sampler, conditions, drops=lambda: sum(pipeline.dropped),
            log=log and beside.until_it_fails("the log", log),
            extra=lambda: governing.row() if governing else {},
        )  # fmt: skip
        pipeline.status.more = efficiency.status
        governing = None if goal is None else Governing(
            goal, pipeline, sampler, detectors, hold, modes, idle_w=conditions.idle_w, settle_s=args.settle,
            changed=lambda: efficiency.change(_power.conditions(root, sampler, 0.0)),
        )  # fmt: skip
        return _finish(args, detectors[0].model.path, pipeline, efficiency, governing, beside)


def _finish(
    args: argparse.Namespace,
    engine: str,
    pipeline: Pipeline,
    efficiency: Efficiency,
    governing: Optional[Governing],
    beside: ByProducts,
) -> int:
    """Runs the pipeline. The summary is printed also after an error."""
    try:
        with Status(pipeline, efficiency, governing, beside) as status, Service(pipeline, status.text) as service:

            def tick() -> None:
                status.show()
                service.tell()
                if args.reload:
                    args.reload.reload_if_asked()

            pipeline.run(tick)
    finally:
        names = [source.name for source in pipeline.sources]
        summary = {"engine": engine, "sources": names, **pipeline.summary(), "power": efficiency.finish()}
        if "motion_gate" in summary:
            _gate.add_saved(summary)
        if governing:
            summary["decisions"] = list(governing.decisions)
        if args.json:
            print(json.dumps(summary), flush=True)
        else:
            print_summary(summary)
        code = beside.end()
    return code


if __name__ == "__main__":
    sys.exit(main())
