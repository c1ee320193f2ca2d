"""A clip that a source reads, and a sink of clips that follows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Union

import av

from edge_runtime import sinks, sources
from edge_runtime.sources import SourceOptions
from edge_runtime.types.packets import PacketRing
from tests.sinks.events import event
from tests.sources.clips import number, write_stamped


def write_source(folder: Path) -> Path:
    """30 s at 10 fps, with a key picture each second. Frame i has its level; it comes again after 32 frames."""
    return write_stamped(
        folder / "c.mp4", range(0, 30_000, 100), rate=10, codec="libx264",
        x264_params="keyint=10:scenecut=0", size_wh=(320, 240),
    )  # fmt: skip


class Played:
    """A clip that a source reads, and the sink that follows it."""

    def __init__(self, clip: Union[Path, str], target: str, keep: Any = None) -> None:
        self.ring = PacketRing(keep)
        self.source = sources.open(str(clip), SourceOptions(packets=self.ring))
        self.sink = sinks.open_events(target)
        self.sink.follow({"cam": self.ring})
        self.number, self.time_s = 0, -1.0

    def play(self, until_s: float) -> None:
        while self.time_s < until_s - 1e-6:
            frame = self.source.read()
            assert frame is not None
            self.time_s = frame.timestamp_s

    def tell(self, kind: str, key: str = "r-cam-1", **data: Any) -> None:
        self.number += 1
        said = {"last_s": self.time_s} if kind == "end" else {"timestamp_s": self.time_s}
        self.sink.take(event(kind, self.number, key if kind != "counts" else "", **{**said, **data}))

    def happens(self, before: int, after: int) -> List[float]:
        """Something that ends at once, behind so many frames and before others. Returns the times of the first ones."""
        times = [self.source.read().timestamp_s for _ in range(before)]
        self.time_s = times[-1]
        self.tell("new")
        self.tell("end")
        for _ in range(after):
            self.source.read()
        self.tell("counts")
        self.close()
        return times

    def close(self) -> None:
        self.sink.close()
        self.source.close()


def levels(path: Path) -> List[int]:
    with av.open(str(path)) as container:
        return [number(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def files(folder: Path) -> List[Path]:
    return sorted((path for path in folder.iterdir() if path.suffix != ".jsonl"), key=lambda path: path.stat().st_mtime)


def listed(folder: Path) -> Dict[str, Dict[str, Any]]:
    found: Dict[str, Dict[str, Any]] = {}
    for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["file"], {}).update(row)
    return found


def frames(first: int, last: int) -> List[int]:
    return [index % 32 for index in range(first, last)]


def story(played: Played, *at_s: float) -> None:
    for place, at in enumerate(at_s):
        played.play(at)
        played.tell("new", f"r-cam-{place}")
        played.tell("end", f"r-cam-{place}")
