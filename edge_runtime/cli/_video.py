"""Flags of edge-detect for videos that it writes."""

from __future__ import annotations

import argparse
import re
from typing import Dict, List, Sequence

from edge_runtime import sinks
from edge_runtime.cli import _written
from edge_runtime.cli._values import typed, words
from edge_runtime.errors import UsageError
from edge_runtime.files.fields import Field
from edge_runtime.sinks import CODECS, VIDEO_FIELDS, AnySink, VideoOptions
from edge_runtime.sinks._video_options import SIZE
from edge_runtime.sinks.video import HANDLES

UNITS = {"": 1, "k": 1000, "M": 1_000_000}


def _bits(text: str) -> int:
    found = re.fullmatch(r"(\d+\.?\d*)([kM]?)", text)
    return round(float(found[1]) * UNITS[found[2]]) if found else int(text)


BITRATE = typed(Field("bits per second from 1k to 1000M, such as 800k or 2M", VIDEO_FIELDS["bitrate"].take), _bits)


def add_flags(group: argparse._ArgumentGroup) -> None:
    """`--video-size`, `--video-codec`, `--video-bitrate`, `--video-options`."""
    group.add_argument(
        "--video-size",
        type=typed(SIZE, str),
        metavar="WxH|1/2",
        help="size of videos; boxes of other outputs stay as they are",
    )
    group.add_argument(
        "--video-codec", choices=CODECS, default="auto", metavar="NAME", help=f"of .mp4 and .mkv: {', '.join(CODECS)}"
    )
    group.add_argument(
        "--video-bitrate", type=BITRATE, metavar="2M", help="bits per second; default: a constant quality"
    )
    group.add_argument(
        "--video-options", type=_pairs, default={}, metavar="K=V,…", help="of FFmpeg's encoder: preset=veryfast,crf=20"
    )


def options(args: argparse.Namespace) -> VideoOptions:
    """What the flags say.

    Raises:
        UsageError: no output is a video, so a flag has no meaning.
    """
    chosen = VideoOptions(args.video_size, args.video_codec, args.video_bitrate, args.video_options)
    if chosen != VideoOptions() and not any(target.lower().endswith(HANDLES) for target in _written.named(args)):
        raise UsageError("--video-size, --video-codec and so on are for videos, and no output is one",
                         hint="--output FILE.mp4 writes one")  # fmt: skip
    return chosen


def notes(opened: Sequence[AnySink]) -> List[str]:
    """What is to be said of the outputs, each once."""
    return [note for note in dict.fromkeys(map(sinks.note, opened)) if note]


def _pairs(text: str) -> Dict[str, str]:
    pairs = [word.partition("=") for word in words(text)]
    wrong = next((name for name, equals, value in pairs if not (name and equals and value)), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not NAME=VALUE,NAME=VALUE")
    return {name: value for name, _, value in pairs}
