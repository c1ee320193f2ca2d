"""The tables of a study, for its page and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from edge_runtime.benchmark import judged, results
from edge_runtime.benchmark.results import Row
from edge_runtime.study import figures, fronts, systems
from edge_runtime.study.figures import ap, of
from edge_runtime.study.published import Published, published

NONE, BAD = "–", " *"
MAX_DROP = 0.5  # points of AP that a form may lose, as in the other commands
SIZES = ("AP", "AP50", "APs", "APm", "APl")


@dataclass(frozen=True)
class Section:
    """A table with its heading, and what a reader should know.

    Attributes:
        words: whether the cells are words, and not figures.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    words: bool = False


def sections(rows: Sequence[Row]) -> List[Section]:
    """All tables that have a row."""
    beside = _beside(rows)
    found = [_summary(rows, beside), _fronts(rows), _networks(rows), _accuracy(rows), _forms(rows),
             _systems(rows, beside), _beside_ours(rows, beside), _left_out(rows)]  # fmt: skip
    return [section for section in found if section.rows]


def _summary(rows: Sequence[Row], beside: Sequence[Published]) -> Section:
    columns = ("", "from", "M params", "GMACs", "MB", "AP", "AP50", "FPS", "ms", "W", "J/frame", "NetScore")
    lines = []
    for row in rows:
        bad = "" if row["valid"] else BAD
        figure = ap(row), ap(row, "AP50")
        lines.append((results.title(row), results.platform(row), _n(of(row, "counts", "parameters"), 1e-6),
                      _n(of(row, "counts", "conv_macs"), 1e-9), _n(of(row, "counts", "bytes_file"), 1e-6),
                      *(NONE if one is None else f"{one[0]:.3f}" for one in figure), _n(of(row, "fps"), 1, 1, bad),
                      _n(of(row, "latency_ms", "p50"), 1, 1, bad), _n(of(row, "mean_w"), 1, 2, bad),
                      _n(of(row, "joules_per_frame"), 1, 4, bad), _n(figures.netscore(row), 1, 1)))  # fmt: skip
    for one in beside:
        if not one.stated:
            continue
        joules = one.watts / one.fps if one.watts and one.fps else None
        place = ", ".join(filter(None, (f"published: {one.short}", one.where)))
        lines.append((one.name, place, _n(one.params, 1e-6),
                      _n(one.multiply_adds or one.thop_macs, 1e-9), _n(one.bytes, 1e-6), _n(one.ap, 1, 3),
                      _n(one.ap50, 1, 3), _n(one.fps, 1, 1), NONE, _n(one.watts, 1, 2), _n(joules, 1, 4),
                      NONE))  # fmt: skip
    return Section("All rows", columns, lines, list(_summary_notes(rows, beside)))


def _summary_notes(rows: Sequence[Row], beside: Sequence[Published]) -> Iterator[str]:
    """What a reader of the first table should know."""
    yield ("AP is coco_101 at IoU 0.5:0.95, AP50 at 0.5. FPS and ms (the median of a frame) are end to end, from the "
           "source to the boxes. NetScore is 20 log10(AP^2 / sqrt(params x MACs)), with AP in percent, millions and "
           "billions; it compares rows of the same pictures.")  # fmt: skip
    for reason in dict.fromkeys(f"{results.platform(row)}: {row['no_watts']}" for row in rows if row.get("no_watts")):
        yield f"No watts and joules of {reason}."
    if any(not row["valid"] for row in rows):
        yield "* The row is not valid, and its speed must not be compared. The reasons are below."
    left_out = ((results.platform(row), line) for row in rows for line in (row.get("study") or {}).get("left_out", ()))
    for platform, line in dict.fromkeys(left_out):
        yield f"Left out on {platform}: {line}."
    seen = [f"{_name(row)}: {results.seen(row)}." for row in rows if results.seen(row)]
    yield from (f"AP too high, and not in the fronts. {note}" for note in _joined(list(dict.fromkeys(seen))))
    if beside:
        yield "Published rows are not comparable with ours: their conditions and the reasons are below."
    if any(one.thop_macs and not one.multiply_adds for one in beside):
        yield "The GMACs of a published row that states THOP MACs alone are these."
    if len(figures.same_data(rows)) > 1:
        yield "The rows are of several sets of pictures (see Accuracy): only AP of the same pictures can be compared."


def _fronts(rows: Sequence[Row]) -> Section:
    columns = ("cost", "of", "networks", "on the front, by rising cost")
    lines = [(one.cost, one.place, str(len(one.points)), ", ".join(one.points[number][0] for number in one.best))
             for one in fronts.fronts(rows)]  # fmt: skip
    said = "No other network has as much AP at as little cost. Costs of a machine are those of valid rows alone."
    return Section("Fronts: AP against cost", columns, lines, [said], True)


def _networks(rows: Sequence[Row]) -> Section:
    columns = ("", "input", "parameters", "zero weights", "MACs", "ops (Darknet), 2 x MACs", "THOP MACs", "MB at fp32",
               "at fp16", "at int8", "file")  # fmt: skip
    lines, notes = [], []
    for row in figures.one_of_each(rows):
        held = row.get("counts") or {}
        if not held.get("parameters"):
            notes += [f"{_name(row)}: {held['note']}."] if held.get("note") else []
            continue
        sizes = (_n(of(row, "counts", name), 1e-6) for name in ("bytes_fp32", "bytes_fp16", "bytes_int8", "bytes_file"))
        numbers = (_whole(held.get("zeros")), _whole(held.get("conv_macs")), _whole(2 * (held.get("conv_macs") or 0)))
        lines.append((_name(row), held.get("input") or "open", _whole(held["parameters"]), *numbers,
                      _whole(held.get("thop_macs")), *sizes))  # fmt: skip
        notes += [f"{_name(row)}: {held['note']}."] if held.get("note") else []
    about = "Sizes are those of the weights at so many bits, with float32 shifts; the last is the file as it is."
    zero = (
        "Single weights of zero save no time: the network is computed as the dense one. "
        "A float file that was made from 8-bit weights has many."
    )
    return Section("Networks", columns, lines, [about, zero, *_joined(notes)])


def _joined(notes: Sequence[str]) -> List[str]:
    """Notes of several rows that say the same, as one."""
    said: Dict[str, List[str]] = {}
    for note in notes:
        name, _, text = note.partition(": ")
        said.setdefault(text, []).append(name)
    return [f"{', '.join(names)}: {text}" for text, names in said.items()]


def _accuracy(rows: Sequence[Row]) -> Section:
    columns = ("", "data", "pictures", "objects", "AP", "AP50", "small", "medium", "large")
    lines = []
    for row in figures.one_of_each(rows):
        if ap(row):
            seen = row["ap"]
            lines.append((_name(row), str(seen.get("name") or seen["data"][:8]), str(seen["pictures"]),
                          str(seen.get("objects", NONE)), *(_ap(row, name) for name in SIZES)))  # fmt: skip
    said = "Behind each figure stands the interval that holds 95 % of random samples of the pictures (bootstrap)."
    return Section(
        "Accuracy", columns, lines, [said, "Small, medium and large are COCO's: below 32^2, to 96^2 pixels."]
    )


def _forms(rows: Sequence[Row]) -> Section:
    """Each form of a network beside the one that it was made from, on the same machine and mode."""
    columns = ("", "form", "made from", "MACs", "file", "speed", "verdict")
    lines = []
    for row in rows:
        about = row.get("study") or {}
        if not about.get("base"):
            continue
        first = next((r for r in rows if r.get("name") == about["base"] and _place(r) == _place(row)), None)
        if first is None:
            made_from = f"{about['base']}, which was not measured here"
            lines.append((results.title(row), about.get("form") or NONE, made_from, NONE, NONE, NONE, NONE))
            continue
        speed = _ratio(row, first, "fps") if row["valid"] and first["valid"] else NONE
        cells = (_ratio(row, first, "counts", "conv_macs"), _ratio(row, first, "counts", "bytes_file"), speed)
        both = {**row, "fps": row.get("fps") if speed != NONE else None}
        lines.append((results.title(row), about.get("form") or NONE, _name(first), *cells,
                      judged.sentence(first, both, MAX_DROP) or NONE))  # fmt: skip
    said = "Figures are parts of those of the form that it was made from. The verdict is that of edge-bench compare."
    return Section("Forms of one network: FP16, INT8 (PTQ, QAT), pruned, compacted", columns, lines, [said], True)


def _systems(rows: Sequence[Row], beside: Sequence[Published]) -> Section:
    return Section(systems.TITLE, systems.COLUMNS, systems.lines(rows, beside), systems.NOTES, True)


def _beside_ours(rows: Sequence[Row], beside: Sequence[Published]) -> Section:
    columns = ("published", "source", "parameters", "counted", "ours", "conditions", "why it cannot be compared")
    lines = []
    for one in beside:
        ours = "; ".join(_ours(row) for row in figures.one_of_each(rows) if _system(row) == one.system)
        why = "; ".join(one.why) or "other pictures of COCO than ours, and other thresholds"
        where = f"; {one.where}" if one.where else ""
        lines.append((one.name, one.title, _whole(one.params), _counted(one), ours or NONE,
                      f"{one.conditions}{where}", why))  # fmt: skip
    return Section("Published rows: conditions, and why they cannot be compared", columns, lines, (), True)


def _ours(row: Row) -> str:
    held, found = row.get("counts") or {}, ap(row)
    parts = [f"{held['parameters']:,} parameters, {held['thop_macs']:,} THOP MACs" if held.get("parameters") else ""]
    parts += [f"AP {found[0]:.3f}" if found else ""]
    return f"{_name(row)}: {', '.join(filter(None, parts)) or 'no figures'}"


def _counted(one: Published) -> str:
    named = (("MACs", one.macs), ("ops", one.ops), ("THOP MACs", one.thop_macs))
    return ", ".join(f"{number:,} {name}" for name, number in named if number) or NONE


def _left_out(rows: Sequence[Row]) -> Section:
    lines = [(results.title(row), results.platform(row), "; ".join(row["reasons"])) for row in rows if not row["valid"]]
    return Section("Rows whose speed is not valid", ("", "machine", "reason"), lines, (), True)


def _beside(rows: Sequence[Row]) -> List[Published]:
    """The published rows of our systems, then those that a study asks for with `published`."""
    ours = {_system(row) for row in rows}
    asked = {name for row in rows for name in (row.get("study") or {}).get("published", ())}
    return [one for one in published() if one.system in ours or one.system in asked]


def _system(row: Row) -> str:
    return str((row.get("study") or {}).get("system") or "")


def _place(row: Row) -> Tuple[Any, ...]:
    return tuple(row.get(name) for name in ("board", "cpu", "mode", "batch", "streams"))


def _name(row: Row) -> str:
    return str(row.get("name") or row["engine"])


def _ap(row: Row, name: str) -> str:
    found = ap(row, name)
    return NONE if found is None else "{:.3f} ({:.3f} to {:.3f})".format(*found)


def _ratio(row: Row, first: Row, *names: str) -> str:
    one, other = of(row, *names), of(first, *names)
    return f"{one / other:.2f}" if one is not None and other else NONE


def _n(value: Optional[float], factor: float, digits: int = 2, end: str = "") -> str:
    return NONE if value is None else f"{value * factor:.{digits}f}{end}"


def _whole(value: Optional[float]) -> str:
    return NONE if value is None else f"{round(value):,}"
