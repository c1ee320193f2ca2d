"""The flags for threads and streams, and the opening of a detector in the arrangement that is fastest here."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Optional, Sequence

from edge_runtime.backends import MOST_STREAMS, BackendOptions
from edge_runtime.cli import _flags, _values
from edge_runtime.cli._power import print_status
from edge_runtime.detect.detector import Detector
from edge_runtime.sources import SourceOptions
from edge_runtime.tuning import tuner

OFF = "off"
SPINNING = {"auto": None, "on": True, "off": False}
SHORT_S = 20.0  # a run that is shorter is not worth a trial


def add_flags(parser: argparse.ArgumentParser, streams: bool = True) -> None:
    """Flags for what is tried on the processor.

    Args:
        streams: whether `--streams` is among them; edge-bench means copies of the source by it.
    """
    group = parser.add_argument_group("threads and streams, on the processor")
    group.add_argument(
        "--tune", choices=(tuner.AUTO, OFF, tuner.AGAIN), default=tuner.AUTO,
        help="auto tries backends, threads, streams and batches once, and keeps the fastest; again tries anew;"
        f" what other flags name is not tried{'; nothing is with --target-fps and --budget' * streams}",
    )  # fmt: skip
    parser.set_defaults(inference_streams=0)
    if streams:
        parser.set_defaults(batch=None)  # what is not named is tried
        group.add_argument(
            "--streams", dest="inference_streams", type=_values.whole(1, MOST_STREAMS), metavar="N",
            help="images in inference at once, each with its part of the threads",
        )  # fmt: skip
    group.add_argument("--spinning", choices=SPINNING, default="auto", help="keep idle threads of onnxruntime awake")


def is_short(frames: Optional[int], seconds: Optional[float]) -> bool:
    """Whether a run of so many frames or seconds, None for all, is not worth a trial."""
    return (frames is not None and frames < tuner.WORTH) or (seconds is not None and seconds < SHORT_S)


def opened(
    args: argparse.Namespace, engine: str, sources: Sequence[str], source_options: SourceOptions, short: bool
) -> Detector:
    """Opens a model, and prints what was tried for it.

    Args:
        short: the run is not worth a trial. A choice that was kept is still used.
    """
    flags, options = _flags.model_flags(args), _options(args)
    if args.tune == OFF:
        return Detector.open(engine, flags=flags, options=options)
    when = tuner.KEPT if short and args.tune == tuner.AUTO else args.tune
    tuned = tuner.tune(
        engine, sources, flags=flags, options=options, source_options=source_options, when=when,
        batches=args.batch is None, tell=print_status,
    )  # fmt: skip
    for line in [*(f"note: {note}" for note in tuned.notes), *([f"arrangement: {tuned}"] if tuned.choice else [])]:
        print_status(line)
    return tuned.detector


def _options(args: argparse.Namespace) -> BackendOptions:
    """What the flags name. The usual number of threads is filled in only if nothing is tried."""
    options = _flags.backend_options(args)
    threads = options.threads if args.tune == OFF else args.threads
    return replace(options, threads=threads, streams=args.inference_streams, spinning=SPINNING[args.spinning])
