"""The report of a study: one page with its tables and plots, and the same tables as Markdown."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

from edge_runtime.benchmark.results import Row
from edge_runtime.reports import page, placing
from edge_runtime.reports.pictures import figure, halo, png
from edge_runtime.reports.placing import Box
from edge_runtime.study.fronts import Front, fronts
from edge_runtime.study.sections import Section, sections
from edge_runtime.text.escape import plot_label, printable

TITLE = "Study"
FRONTS = "Fronts"  # the section that the plots belong to
BEST, OTHERS = "tab:blue", "0.55"  # colours
WIDE = 5.0  # costs that differ by more are drawn on a logarithmic axis


def write_study_page(rows: Sequence[Row], command: str) -> str:
    """Returns the page as HTML.

    Raises:
        BackendUnavailable: matplotlib is not installed.
    """
    parts = [page.note(command)]
    for section in sections(rows):
        parts += [page.heading(section.title), page.table(section.columns, section.rows, words=section.words)]
        parts += [page.note(note) for note in section.notes]
        if section.title.startswith(FRONTS):
            parts += [page.picture(plot(one), f"AP against {one.cost}: {one.place}") for one in fronts(rows)]
    return page.page(_title(rows), *parts)


def write_study_markdown(rows: Sequence[Row], command: str) -> str:
    """Returns the tables as Markdown, without plots."""
    parts = [f"# {_cell(_title(rows))}", f"`{printable(command).replace('`', '')}`", *map(_markdown, sections(rows))]
    return "\n\n".join(parts) + "\n"


def plot(one: Front) -> bytes:
    """Draws AP with its interval over a cost. The names of the points stand beside them, and a line joins the front."""
    return png(_draw(one))


def _draw(one: Front) -> Any:
    drawn = figure((9, 5))
    axes = drawn.subplots()
    for number, (_, cost, ap, low, high) in enumerate(one.points):
        color = BEST if number in one.best else OTHERS
        ends = [[max(0.0, ap - low)], [max(0.0, high - ap)]]
        axes.errorbar([cost], [ap], ends, fmt="o", color=color, lw=0.6, markersize=4, alpha=0.8)
    corners = [one.points[number] for number in one.best]
    axes.step([corner[1] for corner in corners], [corner[2] for corner in corners], where="post", lw=1, color=BEST)
    costs = [point[1] for point in one.points]
    if 0 < WIDE * min(costs) < max(costs):
        axes.set_xscale("log", subs=(2, 5))
        for axis_formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            axis_formatter("{x:g}")
        axes.set_xlim(0.5 * min(costs), 2 * max(costs))
    else:
        axes.set_xlim(0, 1.25 * max(costs) or 1)
    axes.set(xlabel=one.cost, ylabel="AP (coco_101)", ylim=(0, None))
    axes.set_title(plot_label(one.place), fontsize=9)
    _name_points(axes, one)
    return drawn


def _name_points(axes: Any, one: Front) -> None:
    """Writes each name beside its point, clear of the lines. The front comes first."""
    axes.figure.draw_without_rendering()  # only now the axes have their place
    points = _on_paper(axes, [point[1:3] for point in one.points])
    (left, bottom), (right, top) = axes.bbox.get_points() * 72 / axes.figure.dpi
    names = [plot_label(point[0]) for point in one.points]
    found = placing.places(points, names, _lines(axes, one), (left, bottom, right, top), one.best)
    for number, (name, place) in enumerate(zip(names, found)):
        axes.annotate(name, one.points[number][1:3], place.shift, textcoords="offset points", fontsize=7, va="bottom",
                      ha="left" if place.side > 0 else "right", path_effects=halo(),
                      arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "0.6", "shrinkB": 3} if place.far else None,
                      color="black" if number in one.best else "0.35")  # fmt: skip


def _lines(axes: Any, one: Front) -> List[Box]:
    """The intervals and the steps of the front: from each of its points level to the next one's cost, then upright."""
    ends = [((cost, low), (cost, high)) for _, cost, _, low, high in one.points]
    corners = [one.points[number][1:3] for number in one.best]
    for (cost, gain), (next_cost, next_gain) in zip(corners, corners[1:]):
        ends += [((cost, gain), (next_cost, gain)), ((next_cost, gain), (next_cost, next_gain))]
    return [(*start, *end) for start, end in zip(*(_on_paper(axes, side) for side in zip(*ends)))]


def _on_paper(axes: Any, points: Sequence[Tuple[float, float]]) -> List[Tuple[float, float]]:
    """Points of the plot's data in 1/72 inch from its lower left corner."""
    return [(float(x), float(y)) for x, y in axes.transData.transform(points) * 72 / axes.figure.dpi]


def _title(rows: Sequence[Row]) -> str:
    titles = dict.fromkeys(str((row.get("study") or {}).get("title") or "") for row in rows)
    return ", ".join(filter(None, titles)) or TITLE


def _markdown(section: Section) -> str:
    lines = [[_cell(cell) for cell in line] for line in (section.columns, *section.rows)]
    widths = [0 if section.words else max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * max(3, width) for width in widths])
    table = "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines
    )
    notes = "".join(f"\n* {_cell(note)}" for note in section.notes)
    return f"## {_cell(section.title)}\n\n{table}" + (f"\n{notes}" if notes else "")


def _cell(text: str) -> str:
    """A text that is no markup: names of files and results of others are data."""
    plain: List[str] = [f"\\{sign}" if sign in "\\|*_`<>[]#" else sign for sign in printable(text)]
    return "".join(plain)
