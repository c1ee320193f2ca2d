"""Published systems beside the same networks of our zoo: our counts, and how the published figures differ from them."""

from __future__ import annotations

from typing import Iterator, List, Sequence, Tuple

from edge_runtime.benchmark.results import Row
from edge_runtime.graph.counts import Stats
from edge_runtime.study import habits
from edge_runtime.study.figures import ap
from edge_runtime.study.published import Published

TITLE = "Systems of the papers: published beside ours"
COLUMNS = (
    "", "published by", "ours", "parameters", "MACs", "ops (Darknet), 2 x MACs", "THOP MACs", "MB at fp32", "at fp16",
    "at int8", "published", "ours, counted in the same way", "AP of ours", "why it differs",
)  # fmt: skip
NOTES = (
    "Ours is the network of the zoo with this name, at the input and with the classes of the published row. Its counts "
    "need no weights. Sizes are those of the weights at so many bits, with float32 shifts.",
    "Behind a published figure stands what its source counts. Printed digits may be rounded or cut. Megabytes of "
    "Darknet's files are MiB.",
    "Rows of sparse networks have the counts of the dense one, because it computes as much: its zeros are stored and "
    "multiplied like all weights.",
)
NO_WEIGHTS = "no weights of ours"


def lines(rows: Sequence[Row], beside: Sequence[Published]) -> List[Tuple[str, ...]]:
    """One line for each published row and network of the zoo, with a cell for each of COLUMNS.

    Args:
        rows: of the study. Those of the same system give the AP.
        beside: the published rows.
    """
    return [_line(rows, one, name) for one in beside for name in one.network]


def _line(rows: Sequence[Row], one: Published, name: str) -> Tuple[str, ...]:
    found = habits.network(name, one.side, one.classes)
    compared = list(_compared(one, found))
    stated = [f"{number:,} {what}" for what, number, _ in compared] or ["no counts"]
    stated += [f"{what} {value:.3f}" for what, value in (("AP", one.ap), ("AP50", one.ap50)) if value]
    said = "; ".join(f"{what.partition(' (')[0]}: {words}" for what, _, words in compared) or "no counts to compare"
    place = f"{name}, {one.side} px, {one.classes}{' classes' * one.classes.isdecimal()}"
    return (one.name, one.short, place, *_cells(found.whole), "; ".join(stated), said, _accuracy(rows, one),
            "; ".join(one.differs) or "–")  # fmt: skip


def _cells(whole: Stats) -> Tuple[str, ...]:
    numbers = (whole.parameters, whole.conv_macs, whole.ops, whole.thop_macs)
    return (*(f"{number:,}" for number in numbers), *(f"{whole.bytes(bits) / 1e6:.2f}" for bits in (32, 16, 8)))


def _compared(one: Published, found: habits.Network) -> Iterator[Tuple[str, int, str]]:
    """What the source states with its way of counting, the number, and how ours differs if it is counted so."""
    if one.params:
        said = habits.difference(one.params, habits.PARAMS[one.params_as](found))
        yield f"parameters{_as(one.params_as)}", one.params, said
    if one.macs:
        yield "MACs", one.macs, habits.difference(one.macs, found.whole.conv_macs)
    if one.ops:
        yield f"ops ({one.ops_as})", one.ops, habits.difference(one.ops, habits.OPS[one.ops_as](found), one.ops_step)
    if one.thop_macs:
        said = habits.difference(one.thop_macs, habits.THOP[one.thop_as](found))
        yield f"THOP MACs{_as(one.thop_as)}", one.thop_macs, said
    if one.bytes:
        said = habits.difference(one.bytes, habits.BYTES[one.bytes_as](found), one.bytes_step)
        yield f"bytes ({one.bytes_as})", one.bytes, said


def _as(habit: str) -> str:
    return "" if habit == "all" else f" ({habit})"


def _accuracy(rows: Sequence[Row], one: Published) -> str:
    """AP of our rows of this system as they were trained; forms made of them are left out."""
    found = {}
    for row in rows:
        about, figure = row.get("study") or {}, ap(row)
        if about.get("system") == one.system and not about.get("base") and figure:
            side = (row.get("counts") or {}).get("input") or "open input"
            found[f"{figure[0]:.3f} ({row.get('name') or row['engine']}, {side})"] = True
    return "; ".join(found) or NO_WEIGHTS
