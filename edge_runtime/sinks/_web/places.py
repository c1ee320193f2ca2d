"""Lines and zones as the page sends and gets them: corners are fractions of the picture."""

from __future__ import annotations

import json
import shlex
from typing import Any, Dict, List, Sequence, Tuple, Type, TypeVar

from edge_runtime.errors import UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.files.toml_tables import quoted
from edge_runtime.text.escape import printable
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Place, Zone
from edge_runtime.types.places import PlaceStates

AnyPlace = TypeVar("AnyPlace", bound=Place)
MOST = 64  # lines of one stream, and zones
DIGITS = 4


def read(given: Dict[str, Any]) -> Tuple[str, Tuple[Line, ...], Tuple[Zone, ...]]:
    """The stream, its lines and its zones.

    Raises:
        UsageError: a place is none, or two have one name.
    """
    kept = check_fields(given, FIELDS, "", UsageError)
    if "stream" not in kept:
        raise UsageError("no stream", hint="name the stream that the lines and zones are for")
    lines, zones = _places(Line, kept.get("lines", ())), _places(Zone, kept.get("zones", ()))
    TrackOptions(lines=lines, zones=zones)
    return kept["stream"], lines, zones


def seen(places: PlaceStates, image_wh: Tuple[int, int]) -> Dict[str, Any]:
    """The lines and zones of a result, for the page."""

    def fraction(place: Any) -> Dict[str, Any]:
        points = [[round(x / image_wh[0], DIGITS), round(y / image_wh[1], DIGITS)] for x, y in place.points]
        return {"name": place.name, "points": points}

    return {"lines": [fraction(line) for line in places.lines], "zones": [fraction(zone) for zone in places.zones]}


def plain(lines: Sequence[Place], zones: Sequence[Place]) -> Dict[str, Any]:
    """Lines and zones that the page has sent, for the page."""
    kinds = {"lines": lines, "zones": zones}
    return {
        kind: [{"name": place.name, "points": [list(p) for p in place.points]} for place in places]
        for kind, places in kinds.items()
    }


def toml(lines: Sequence[Place], zones: Sequence[Place]) -> str:
    """The tables of a configuration file, to follow the table `[[stream]]` of the stream."""
    text = ""
    for kind, places in (("lines", lines), ("zones", zones)):
        for place in places:
            points = [[round(x, DIGITS), round(y, DIGITS)] for x, y in place.points]
            text += f"[[stream.{kind}]]\nname = {quoted(place.name)}\nfractions = {json.dumps(points)}\n\n"
    return text.rstrip("\n")


def flags(lines: Sequence[Place], zones: Sequence[Place]) -> str:
    """The flags of edge-detect."""
    words: List[str] = []
    for flag, places in (("--line", lines), ("--zone", zones)):
        for place in places:
            numbers = ",".join(f"{round(value, DIGITS):g}" for point in place.points for value in point)
            words += [flag, shlex.quote(f"{place.name}={numbers}")]
    return " ".join(words)


def _places(kind: Type[AnyPlace], given: Sequence[Dict[str, Any]]) -> Tuple[AnyPlace, ...]:
    found = []
    for item in given:
        if set(item) != {"name", "points"}:
            raise UsageError(f"a place has {sorted(item)}", hint="expected name and points")
        place = kind(item["name"], item["points"])
        if not place.name.strip() or printable(place.name) != place.name:
            raise UsageError("a line or zone has no name, or one that cannot be printed", hint="give it a name")
        if not place.fractions:
            raise UsageError(f"{place.name} has a corner above 1", hint="corners are fractions of the picture")
        found.append(place)
    return tuple(found)


_PLACE = fields.mapping(fields.anything())
FIELDS = {
    "stream": fields.text(200),
    "lines": fields.several(_PLACE, 0, MOST),
    "zones": fields.several(_PLACE, 0, MOST),
}
