"""What a run tells Prometheus: metrics with names, units and labels as its rules want them."""

from __future__ import annotations

import zlib
from collections import Counter
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric, SummaryMetricFamily

from edge_runtime.text.escape import printable
from edge_runtime.types.events import KINDS, Event

STATES = ("connecting", "live", "stalled", "lost", "refused", "reading", "ended")
LONGEST = 120  # characters of a label's value
MOST_CLASSES = 200  # of one stream, in the order in which they come; those that come later are counted together
OTHERS = "(others)"
Stream = Mapping[str, Any]
Values = Mapping[Any, Any]  # by labels
STREAM_COUNTS: Dict[str, Tuple[str, Callable[[Stream], Any]]] = {  # name of the metric: what counts it, and the help
    "frames": ("Frames with a result.", lambda of: of["frames"]),
    "frames_read": ("Frames that the source gave.", lambda of: of["frames"] + of["dropped"]),
    "frames_inferred": ("Frames that the engine looked at.", lambda of: of["inferred"]),
    "frames_gated": ("Frames in which nothing moved, so that they were not inferred.", lambda of: of["gated"]),
    "frames_dropped": ("Frames that a newer one replaced before detection.", lambda of: of["dropped"]),
    "frames_damaged": ("Pictures that could not be decoded as a whole.", lambda of: of.get("broken")),
    "frames_stale": ("Frames that came so late that they were left out.", lambda of: of.get("stale")),
    "reconnects": ("How often the source came back.", lambda of: of.get("reconnects")),
    "stalls": ("How often the source gave no frame for a while.", lambda of: of.get("stalls")),
}


class Counts:
    """What events say, by stream. One thread adds and reads."""

    def __init__(self) -> None:
        self.events: Counter[Tuple[str, str]] = Counter()
        self.newest: Dict[str, Mapping[str, Any]] = {}
        self.classes: Dict[str, List[str]] = {}

    def take(self, event: Event) -> None:
        """Adds an event."""
        self.events[event.source, event.kind if event.kind in KINDS else OTHERS] += 1
        if event.kind == "counts":
            self.newest[event.source] = event.data

    def keep(self, streams: Iterable[str]) -> None:
        """Forgets streams that were removed."""
        kept = {*streams, ""}
        self.events = Counter({key: count for key, count in self.events.items() if key[0] in kept})
        self.newest = {name: data for name, data in self.newest.items() if name in kept}
        self.classes = {name: known for name, known in self.classes.items() if name in kept}

    def bounded(self, stream: str, counts: Mapping[str, float]) -> Dict[str, float]:
        """Counts by class, of so many classes that Prometheus can bear them."""
        known = self.classes.setdefault(stream, [])
        known += [name for name in counts if name not in known][: max(0, MOST_CLASSES - len(known))]
        listed = set(known)
        found = {label(name): count for name, count in counts.items() if name in listed}
        rest = sum(count for name, count in counts.items() if name not in listed)
        return {**found, **({OTHERS: rest} if rest else {})}


def label(text: str) -> str:
    """A label's value: the text if it can be shown and is not long; else one with a checksum."""
    shown = printable(text)
    return text if shown == text and len(text) <= LONGEST else f"{shown[:LONGEST]}-{_sum(text)}"


def families(figures: Mapping[str, Any], counts: Counts) -> Iterator[Metric]:
    """All metrics. Args: figures: see `sinks.RunView.figures`."""
    streams: Dict[str, Stream] = {label(name): {**of, "name": name} for name, of in figures["streams"].items()}
    build = {name: label(str(value)) for name, value in figures["build"].items()}
    yield InfoMetricFamily("edge_build", "The program and the engine that runs.", value=build)
    yield from _of_streams(streams)
    yield from _of_objects(streams, counts)
    yield from _of_sinks(figures["sinks"])
    yield from _of_machine(figures)


def _of_streams(streams: Mapping[str, Stream]) -> Iterator[Metric]:
    for name, (about, read) in STREAM_COUNTS.items():
        yield _counter(f"edge_{name}", about, ["stream"], {(s,): read(of) for s, of in streams.items()})
    states = {(s, state): float(of["state"] == state) for s, of in streams.items() for state in STATES}
    yield _gauge("edge_stream_state", "1 for the state that the stream is in.", ["stream", "state"], states)
    about = "Frames per second of the last seconds."
    yield _gauge("edge_stream_fps", about, ["stream"], {(s,): of["fps"] for s, of in streams.items()})
    about = "Age of the newest frame by the camera's clock (RTCP), when its result came."
    ages = {(s,): of.get("age_s") for s, of in streams.items()}
    yield _gauge("edge_glass_to_result_seconds", about, ["stream"], ages)
    about = "From the arrival of a frame to its boxes: quantiles of the last seconds."
    times = SummaryMetricFamily("edge_latency_seconds", about, labels=["stream"])
    for stream, of in streams.items():
        for percent in (50, 95, 99):
            labels = {"stream": stream, "quantile": str(percent / 100)}
            value = of["latency_ms"].get(f"p{percent}", float("nan")) / 1e3
            times.add_sample("edge_latency_seconds", labels, value)
        times.add_metric([stream], of["inferred"], of["latency_s"])
    yield times
    about = "Mean latency of the last seconds."
    means = {(s,): _seconds(of["latency_ms"].get("mean")) for s, of in streams.items()}
    yield _gauge("edge_latency_mean_seconds", about, ["stream"], means)


def _of_objects(streams: Mapping[str, Stream], counts: Counts) -> Iterator[Metric]:
    def by_class(read: Callable[[Stream], Mapping[str, float]]) -> Values:
        found = {stream: counts.bounded(of["name"], read(of)) for stream, of in streams.items()}
        return {(stream, name): count for stream, each in found.items() for name, count in each.items()}

    def newest(of: Stream, what: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = counts.newest.get(of["name"], {}).get(what, {})
        return found

    def in_view(of: Stream) -> Mapping[str, float]:
        """A class that was seen before is 0. A stream that gives no frames shows nothing, and not the past."""
        if of["state"] not in ("live", "reading"):
            return {}
        return {**dict.fromkeys(counts.classes.get(of["name"], ()), 0), **newest(of, "in_view")}

    both = ["stream", "class"]
    yield _counter("edge_detections", "Boxes.", both, by_class(lambda of: of["detections"]))
    yield _counter("edge_objects", "Tracked objects.", both, by_class(lambda of: newest(of, "objects")))
    yield _gauge("edge_objects_in_view", "Objects in the newest frame.", both, by_class(in_view))
    crossed = {
        (stream, label(line), way): count
        for stream, of in streams.items()
        for line, ways in newest(of, "lines").items()
        for way, count in ways.items()
    }
    yield _counter("edge_line_crossings", "Objects that crossed a line.", ["stream", "line", "direction"], crossed)
    inside = {(s, label(zone)): n for s, of in streams.items() for zone, n in newest(of, "zones").items()}
    yield _gauge("edge_zone_objects", "Objects that are in a zone.", ["stream", "zone"], inside)
    events = {(label(source), kind): count for (source, kind), count in counts.events.items()}
    yield _counter("edge_events", "Events; those of the whole run have no stream.", ["stream", "kind"], events)


def _of_sinks(sinks: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    events = {(label(name),): of["events"] for name, of in sinks.items() if "events" in of}
    sent = {key: of.get("sent", of.get("taken")) for key, of in events.items()}
    yield _counter("edge_sink_sent", "Events that an output has delivered.", ["sink"], sent)
    waiting = {key: of.get("waiting") for key, of in events.items()}
    yield _gauge("edge_sink_waiting", "Events that wait to be sent.", ["sink"], waiting)
    lost = {key: of.get("lost") for key, of in events.items()}
    yield _counter("edge_sink_lost", "Events that an output has lost.", ["sink"], lost)
    dropped = {(label(name),): of.get("dropped") for name, of in sinks.items()}
    yield _counter("edge_sink_dropped_frames", "Frames that an output was too slow for.", ["sink"], dropped)


def _of_machine(figures: Mapping[str, Any]) -> Iterator[Metric]:
    single: Dict[str, Tuple[str, Optional[float]]] = {
        "edge_fps": ("Frames per second of all streams, of the last seconds.", figures["fps"]),
        "edge_power_watts": ("Power of the whole machine.", figures.get("power_w")),
        "edge_fps_per_watt": ("Frames per second per watt, which is frames per joule.", figures.get("fps_per_watt")),
    }
    for name, (about, value) in single.items():
        yield _gauge(name, about, [], {(): value})
    rails = {(label(name),): watts for name, watts in figures.get("rails_w", {}).items()}
    yield _gauge("edge_power_rail_watts", "Power of a rail.", ["rail"], rails)
    zones = {(label(name),): celsius for name, celsius in figures.get("temperatures_c", {}).items()}
    yield _gauge("edge_temperature_celsius", "Temperature of a place of the board.", ["zone"], zones)
    if figures.get("mode"):
        yield InfoMetricFamily("edge_power_mode", "The board's power mode.", value={"mode": label(figures["mode"])})


def _counter(name: str, about: str, labels: Sequence[str], values: Values) -> Metric:
    return _filled(CounterMetricFamily(name, about, labels=labels), values)


def _gauge(name: str, about: str, labels: Sequence[str], values: Values) -> Metric:
    return _filled(GaugeMetricFamily(name, about, labels=labels), values)


def _filled(family: Any, values: Values) -> Metric:
    """What is not known is left out, and is never 0."""
    for labels, value in values.items():
        if value is not None:
            family.add_metric(list(labels), float(value))
    return family  # type: ignore[no-any-return]


def _seconds(milliseconds: Optional[float]) -> Optional[float]:
    return None if milliseconds is None else milliseconds / 1e3


def _sum(text: str) -> str:
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
