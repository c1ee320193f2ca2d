"""The detector and the pipeline of edge-detect, as its flags ask for them. What people should know is printed."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Optional

from edge_runtime.blackbox.recorder import BlackBox
from edge_runtime.cli import _notes, _states, _tune, _video, _written
from edge_runtime.cli._power import print_status
from edge_runtime.detect import engines
from edge_runtime.detect.detector import Detector
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sinks import SinkOptions, VideoOptions
from edge_runtime.track.options import TrackOptions


def detector(args: argparse.Namespace, engine: str, governed: bool) -> Detector:
    """An open engine. Args: governed: whether engines or power modes take turns.

    Raises:
        EdgeError: it cannot be opened.
    """
    path = engines.find_engine(engine)
    if governed:  # engines and modes take turns, and a trial before the run cannot say what is fastest then
        args.tune = _tune.OFF
    short = _tune.is_short(args.max_frames, args.duration)
    opened = _tune.opened(args, path, args.sources, _states.options(args), short)
    about = f"{path}: {opened.model.spec.family}, {opened.backend.description}"
    for line in [about, *_notes.about(opened.model, args.verbose)]:
        print_status(line)
    return opened


def pipeline(
    args: argparse.Namespace,
    detector: Detector,
    video: VideoOptions,
    track: Optional[TrackOptions],
    box: Optional[BlackBox],
) -> Pipeline:
    """A pipeline whose outputs and sources are open.

    Raises:
        EdgeError: one cannot be opened.
    """
    save = args.reload and args.reload.save
    shrink = detector.model.spec.input_wh if args.shrink == _states.MODEL else args.shrink
    opened = Pipeline(
        detector, args.streams, _written.targets(args), max_frames=args.max_frames, duration_s=args.duration,
        warmup=args.warmup, source_options=replace(_states.options(args), shrink_wh=shrink),
        sink_options=SinkOptions(video=video, save=save), fail_fast=args.fail_fast, track=track, gate=args.gate,
        record=box,
    )  # fmt: skip
    for line in [source.description for source in opened.sources] + _video.notes(opened.sinks):
        print_status(line)
    return opened
