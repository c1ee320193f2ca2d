"""Published rows beside ours: what their sources state, under which conditions, and why they cannot be compared."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from edge_runtime.errors import UsageError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.study import habits

FILE = Path(__file__).with_name("published.toml")
_TEXT, _WHOLE = fields.text(), fields.whole(1, 1 << 50)
# How the network of the zoo is built and counted that stands beside a row. A source says it for its rows, too.
COUNTED = {
    "side": fields.whole(32, 1 << 12),
    "classes": fields.one_of(("voc", "coco", "90")),
    "params_as": fields.one_of(habits.PARAMS),
    "ops_as": fields.one_of(habits.OPS),
    "thop_as": fields.one_of(habits.THOP),
    "bytes_as": fields.one_of(habits.BYTES),
    "differs": fields.several(_TEXT),
}
FIELDS = {
    **COUNTED,
    **dict.fromkeys(("name", "system", "source", "where"), _TEXT),
    **dict.fromkeys(("params", "macs", "ops", "ops_step", "thop_macs", "bytes", "bytes_step"), _WHOLE),
    **dict.fromkeys(("ap", "ap50"), fields.number(0, 1)),
    **dict.fromkeys(("fps", "watts"), fields.number(0, 1e6, above=True)),
    "why": fields.several(_TEXT),
    "network": fields.several(_TEXT, alone=True),
}
SOURCE = {**COUNTED, "title": _TEXT, "short": _TEXT, "conditions": _TEXT}


@dataclass(frozen=True)
class Published:
    """One row of a source.

    Attributes:
        system: the network; ours of the same name stand beside it.
        params, macs, ops, thop_macs: parameters, and the three ways of counting.
        bytes: size as published.
        ops_step, bytes_step: what the last printed digit stands for, if it is 0.
        ap, ap50: AP at IoU 0.5:0.95 and 0.5, 0..1.
        fps, watts, where: speed, and on what.
        why: reasons why it cannot be compared.
        network: the same networks of the zoo, as architecture/preset; empty if the zoo has none.
        side, classes: of the network: pixels, and a set of labels or their number.
        params_as, ops_as, thop_as, bytes_as: what the source counts, of `habits`.
        differs: why our counts differ from those stated.
        title, short, conditions: of the source; its title in two words, too.
    """

    name: str
    system: str
    title: str
    short: str
    conditions: str
    params: Optional[int] = None
    macs: Optional[int] = None
    ops: Optional[int] = None
    ops_step: Optional[int] = None
    thop_macs: Optional[int] = None
    bytes: Optional[int] = None
    bytes_step: Optional[int] = None
    ap: Optional[float] = None
    ap50: Optional[float] = None
    fps: Optional[float] = None
    watts: Optional[float] = None
    where: str = ""
    why: Tuple[str, ...] = ()
    network: Tuple[str, ...] = ()
    side: int = 416
    classes: str = "voc"
    params_as: str = "all"
    ops_as: str = "2 x MACs"
    thop_as: str = "all"
    bytes_as: str = "MiB of Darknet's file"
    differs: Tuple[str, ...] = ()

    @property
    def multiply_adds(self) -> Optional[int]:
        """Multiply-adds of the convolutions, if the source states them or operations."""
        return self.macs or (self.ops // 2 if self.ops else None)

    @property
    def stated(self) -> bool:
        """Whether the source states a figure that can stand in a table."""
        return any((self.params, self.multiply_adds, self.thop_macs, self.bytes, self.ap, self.ap50, self.fps))


@functools.lru_cache(maxsize=None)
def published() -> Tuple[Published, ...]:
    """All published rows, in the file's order."""
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> Tuple[Published, ...]:
    """Reads rows.

    Raises:
        UsageError: a key or value does not fit, or a row names a source that is not there.
    """
    data: Dict[str, Any] = read.parse_toml(text)
    sources = {name: check_fields(about, SOURCE, f"sources.{name}: ", UsageError)
               for name, about in data.get("sources", {}).items()}  # fmt: skip
    found = []
    for number, row in enumerate(data.get("row", [])):
        kept = check_fields(row, FIELDS, f"row[{number}]: ", UsageError)
        source = kept.pop("source", "")
        if source not in sources:
            raise UsageError(f"row[{number}]: source is {source!r}", hint=fields.nearest(source, sources))
        found.append(Published(**{**sources[source], **kept}))
    return tuple(found)
