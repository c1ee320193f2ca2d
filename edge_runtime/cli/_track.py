"""edge-detect's flags for tracking, and what it says of it."""

from __future__ import annotations

import argparse
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar

from edge_runtime.cli._values import to_seconds, typed
from edge_runtime.errors import UsageError
from edge_runtime.track.options import FIELDS, TrackOptions
from edge_runtime.track.places import BOTH, Line, Place, Zone

AnyPlace = TypeVar("AnyPlace", bound=Place)
LOST = typed(FIELDS["lost_s"], to_seconds)
LOW = TrackOptions.low_threshold


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for tracking."""
    group = parser.add_argument_group("tracking (ByteTrack)")
    about = f"give objects ids; boxes from {LOW:g} to --conf then go on with objects, and begin none"
    group.add_argument("--track", action="store_true", help=about)
    group.add_argument(
        "--track-lost", type=LOST, metavar="SECONDS",
        help=f"an object not seen for so long gets a new id, default {TrackOptions.lost_s:g}",
    )  # fmt: skip
    group.add_argument(
        "--track-hits", type=typed(FIELDS["min_hits"], int), metavar="N",
        help=f"frames in a row before an object gets an id, default {TrackOptions.min_hits}",
    )  # fmt: skip
    group.add_argument(
        "--line", type=_place(Line), action="append", default=[], metavar="NAME=x1,y1,x2,y2",
        help=f"count objects that cross a line: in is from its right to its left; {BOTH}; implies --track",
    )  # fmt: skip
    group.add_argument(
        "--zone", type=_place(Zone), action="append", default=[], metavar="NAME=x1,y1,x2,y2,…",
        help="count and time objects whose lower edge has its middle in a polygon; implies --track",
    )  # fmt: skip
    about = "a box of another class is another object; without it, an object may change its class"
    group.add_argument("--track-by-class", action="store_true", help=about)


def options(args: argparse.Namespace) -> Optional[TrackOptions]:
    """The options that were typed; None if nothing is to be tracked.

    The detector is then asked for boxes below --conf: `args.conf` becomes the least confidence that tracking uses.
    """
    given: Dict[str, Any] = {
        "lost_s": args.track_lost,
        "min_hits": args.track_hits,
        "by_class": args.track_by_class or None,
        "lines": args.line or None,
        "zones": args.zone or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if not args.track and not given:
        return None
    found = TrackOptions(track_threshold=args.conf, low_threshold=min(LOW, args.conf), **given)
    args.conf = found.low_threshold
    return found


def _place(kind: Type[AnyPlace]) -> Callable[[str], AnyPlace]:
    """A `type=` for argparse: `NAME=x1,y1,x2,y2`."""

    def parse(text: str) -> AnyPlace:
        name, _, numbers = text.rpartition("=")
        try:
            values = [float(value) for value in numbers.split(",")]
            if not name or len(values) % 2:
                raise ValueError
            return kind(name, tuple(zip(values[::2], values[1::2])))
        except UsageError as error:
            raise argparse.ArgumentTypeError(f"{error}: {error.hint}") from error
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text[:60]!r} is not NAME=x1,y1,x2,y2") from error

    return parse


def lines(summary: Dict[str, Any]) -> List[str]:
    """What the summary says of objects, lines and zones."""
    tracking = summary.get("tracking", {})
    said = []
    for source, found in tracking.items():
        where = f" of {source}" if len(tracking) > 1 else ""
        said.append(f"objects{where}: {_counted(found['objects'])}")
        for name, line in found.get("lines", {}).items():
            said.append(f"line {name}{where}: in {_counted(line['in'])}; out {_counted(line['out'])}")
        for name, zone in found.get("zones", {}).items():
            stay = zone["dwell_s"]
            times = f"; stayed {stay['mean']:.1f} s on average, {stay['longest']:.1f} s at most" if stay else ""
            most = f"; {zone['most_at_once']} at once at most"
            said.append(f"zone {name}{where}: {_counted(zone['objects'])}{most}{times}")
    return said


def _counted(counts: Dict[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in counts.items()) or "none"
