"""Writes a recording completely or not at all, under a name that is free."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from edge_runtime.blackbox.facts import Facts, clean, of_machine, of_rules, of_software
from edge_runtime.blackbox.kept import Kept
from edge_runtime.files.atomic import temporary
from edge_runtime.imaging import pyav
from edge_runtime.imaging.remux import Remuxer
from edge_runtime.sources import Source
from edge_runtime.text.secrets import redact
from edge_runtime.types.packets import Kept as Packet
from edge_runtime.types.packets import PacketRing, Part

FORMAT, VERSION = "edge-runtime recording", 1
MOST_NAMES = 10_000
SLACK_S = 1e-5  # of two times that are one


@dataclass(frozen=True)
class Snapshot:
    """What a recording is made of.

    Attributes:
        reason: why it is written.
        results: in order.
        packets: encoded pictures by source.
        sources: those that are open.
        log, status: rows of the diary.
        facts: of engines.
        counts: of what was forgotten.
    """

    reason: str
    results: Sequence[Kept]
    packets: Mapping[str, PacketRing]
    sources: Sequence[Source]
    log: Sequence[Dict[str, Any]]
    status: Sequence[Dict[str, Any]]
    facts: Facts
    counts: Mapping[str, int]


def write_recording(path: Path, content: Snapshot) -> Path:
    """Writes a recording as `path`, or if that is taken as `NAME-2.edge` and so on. Returns the name.

    Raises:
        OSError: it cannot be written. Nothing is left behind.
    """
    new = temporary(Path(os.path.abspath(path)))
    try:
        with open(new, "wb") as file:
            _Writer(file).write(content)
            file.flush()
            os.fsync(file.fileno())
        return _name(new, path)
    finally:
        with contextlib.suppress(OSError):
            new.unlink()


def _name(new: Path, path: Path) -> Path:
    """Gives the file the first name that is free. A link fails if somebody else has taken it meanwhile."""
    for number in range(1, MOST_NAMES):
        named = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            os.link(new, named)
            return named
        except FileExistsError:
            continue
        except OSError:  # a file system without links, such as FAT
            if not os.path.lexists(named):
                os.rename(new, named)
                return named
    raise OSError(f"{MOST_NAMES} recordings of that name are there")


class _Writer:
    """Writes the parts, then the manifest with their hashes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._parts = file, {}  # type: BinaryIO, Dict[str, Dict[str, Any]]
        self._engines: List[Any] = []
        self._rules: List[Any] = []

    def write(self, content: Snapshot) -> None:
        with zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED) as self._zip:
            names = list(dict.fromkeys(kept.row["source"] for kept in content.results))
            names += [source.name for source in content.sources if source.name not in names]
            streams = [self._stream(number, name, content) for number, name in enumerate(names)]
            frames = [self._frame(number, kept, names) for number, kept in enumerate(content.results)]
            self._add("results.jsonl", _lines(kept.row for kept in content.results))
            self._add("frames.jsonl", _lines(frames))
            self._add("log.jsonl", _lines(map(clean, content.log)))
            self._add("status.jsonl", _lines(map(clean, content.status)))
            manifest = {
                "format": FORMAT, "version": VERSION, "reason": clean(content.reason), "written_s": time.time(),
                "results": len(frames), "counts": dict(content.counts), "run": content.facts.about,
                "software": of_software(), "machine": clean(of_machine()), "streams": streams,
                "engines": [content.facts.of_engine(engine) for engine in self._engines],
                "settings": [of_rules(rules) for rules in self._rules], "parts": self._parts,
            }  # fmt: skip
            self._zip.writestr("manifest.json", json.dumps(manifest, indent=1, allow_nan=False))

    def _add(self, name: str, content: bytes) -> None:
        self._zip.writestr(name, content)
        self._parts[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def _stream(self, number: int, name: str, content: Snapshot) -> Dict[str, Any]:
        ring = content.packets.get(name)
        source = next((source for source in content.sources if source.name == name), None)
        mine = [kept for kept in content.results if kept.row["source"] == name and kept.shown]
        parts = []
        why = ring.why if ring else "its pixels are kept, because it gives no encoded pictures"
        for part, packets in _by_part(ring.after(0) if ring else []):
            wanted = [kept.shown[1] for kept in mine if kept.shown and kept.shown[0] == part.number]
            packets = _from_key(packets, min(wanted, default=float("inf")))
            try:
                stream = _muxed(part, packets) if packets else b""
            except pyav.failures() as error:
                why, stream = f"its pictures could not be copied: {error}", b""
            if stream:
                self._add(f"streams/{number}-{part.number}.mkv", stream)
                self._add(f"streams/{number}-{part.number}.json", _times(packets))
                parts.append({"number": part.number, "codec": part.codec})
        about = {"live": source.live, "description": redact(source.description)} if source else {}
        return {"name": name, "parts": parts, "why": redact(why), **about}

    def _frame(self, number: int, kept: Kept, names: List[str]) -> Dict[str, Any]:
        planes, outputs = kept.planes, kept.outputs  # others may set them meanwhile
        if planes:
            self._add(f"pixels/{number}.bin", b"".join(plane.tobytes() for plane in planes))
        if outputs:
            packed = io.BytesIO()
            np.savez(packed, *outputs)
            self._add(f"outputs/{number}.npz", packed.getvalue())
        part, shown_s = kept.shown or (None, None)
        return {
            "stream": names.index(kept.row["source"]), "part": part, "shown_s": shown_s, "picture": kept.about,
            "pixels": kept.pixels, "tensor": kept.tensor, "source": kept.source, "restarts": kept.restarts,
            "run": kept.run, "engine": _place(self._engines, kept.detector),
            "settings": _place(self._rules, kept.rules),
            "kept": bool(planes), "outputs": bool(outputs), "found": kept.found.tolist(),
            "tracks": kept.tracks,
        }  # fmt: skip


def _place(known: List[Any], item: Any) -> int:
    """The number of an object in a list, to which it is added if it is new."""
    for number, each in enumerate(known):
        if each is item:
            return number
    known.append(item)
    return len(known) - 1


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n" for row in rows)


def _by_part(packets: Sequence[Packet]) -> List[Tuple[Part, List[Packet]]]:
    found: Dict[int, Tuple[Part, List[Packet]]] = {}
    for packet in packets:
        found.setdefault(packet.part.number, (packet.part, []))[1].append(packet)
    return list(found.values())


def _from_key(packets: List[Packet], first_s: float) -> List[Packet]:
    """Packets from the last key picture on that is shown before the first wanted frame."""
    keys = [place for place, kept in enumerate(packets) if kept.packet.key and kept.packet.at_s <= first_s + SLACK_S]
    first: Optional[int] = keys[-1] if keys else next((n for n, kept in enumerate(packets) if kept.packet.key), None)
    return [] if first is None or first_s == float("inf") else packets[first:]


def _muxed(part: Part, packets: Sequence[Packet]) -> bytes:
    """A Matroska file of the pictures."""
    file = io.BytesIO()
    muxer = Remuxer(file, part.header)
    for kept in packets:
        muxer.add(kept.packet)
    muxer.close()
    return file.getvalue()


def _times(packets: Sequence[Packet]) -> bytes:
    """When each picture is shown, in its own units, and when it came. Matroska rounds to milliseconds."""
    day_s = time.time() - monotonic()
    base = packets[0].packet.time_base
    rows = [[kept.packet.pts, round(kept.came_s + day_s, 6)] for kept in packets]
    return json.dumps({"time_base": [base.numerator, base.denominator], "pictures": rows}).encode()
