"""The report of a study: one page with its tables and plots, and the same tables as Markdown."""

from __future__ import annotations

from typing import List, Sequence

from edge_runtime.benchmark.results import Row
from edge_runtime.reports import page
from edge_runtime.reports.pictures import figure, png
from edge_runtime.study.fronts import Front, fronts
from edge_runtime.study.sections import Section, sections
from edge_runtime.text.escape import plot_label, printable

TITLE = "Study"
FRONTS = "Fronts"  # the section that the plots belong to


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
    drawn = figure((9, 5))
    axes = drawn.subplots()
    for number, (name, cost, ap, low, high) in enumerate(one.points):
        best = number in one.best
        color = "tab:blue" if best else "0.55"
        axes.errorbar(
            [cost], [ap], [[max(0.0, ap - low)], [max(0.0, high - ap)]], fmt="o", color=color, lw=0.8, capsize=2
        )
        axes.annotate(plot_label(name), (cost, ap), (5, 4), textcoords="offset points", fontsize=7,
                      color="black" if best else "0.35")  # fmt: skip
    corners = [one.points[number] for number in one.best]
    axes.step(
        [corner[1] for corner in corners], [corner[2] for corner in corners], where="post", lw=1, color="tab:blue"
    )
    most = max(point[1] for point in one.points)
    axes.set(xlabel=one.cost, ylabel="AP (coco_101)", xlim=(0, 1.2 * most or 1), ylim=(0, None),
             title=plot_label(one.place))  # fmt: skip
    axes.title.set_fontsize(9)
    return png(drawn)


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
