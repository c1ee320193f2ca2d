"""The report of a benchmark: one page with every row and its conditions, and plots of the valid rows."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from edge_runtime.benchmark.results import Row, title
from edge_runtime.energy.efficiency import PAPER
from edge_runtime.reports import page
from edge_runtime.reports.pictures import figure, png
from edge_runtime.text.escape import plot_label

COLUMNS = (  # key, heading, format
    ("fps", "FPS", "{:.1f}"), ("fps_engine", "network alone", "{:.1f}"), ("mean_w", "W", "{:.2f}"),
    ("fps_per_watt", "FPS/W", "{:.2f}"), ("fps_per_watt_nominal", "nominal", "{:.2f}"),
    ("fps_per_watt_above_idle", "above idle", "{:.2f}"), ("joules_per_frame", "J/frame", "{:.4f}"),
)  # fmt: skip
TRACES = (("hottest_c", "hottest zone, °C"), ("gpu_mhz", "GPU, MHz"), ("cpu_mhz", "fastest core, MHz"))
BESIDE: Dict[str, Any] = {"fontsize": 7, "loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False}
Points = Sequence[Tuple[str, float, float]]


def write_benchmark_page(rows: Sequence[Row], command: str) -> str:
    """Returns the page as HTML.

    Raises:
        BackendUnavailable: matplotlib is not installed.
    """
    valid = [row for row in rows if row["valid"]]
    parts = [
        page.note(command),
        *_table(valid),
        *_left_out(rows),
        *_efficiency(valid),
        *_traces(rows),
        *_conditions(rows),
    ]
    return page.page("Benchmark", *parts)


def _table(rows: Sequence[Row]) -> List[str]:
    if not rows:
        return [page.heading("Results"), page.note("No row may be published. The reasons are below.")]
    heads = ("", *(heading for _, heading, _ in COLUMNS), "spread of FPS", "accuracy")
    lines = [
        (title(row), *(_format(row.get(key), style) for key, _, style in COLUMNS),
         f"{row['fps_low']:.1f} to {row['fps_high']:.1f}", _accuracy(row))
        for row in rows
    ]  # fmt: skip
    notes = [page.note(f"{title(row)}: {note}") for row in rows for note in row["notes"]]
    if any(row.get("nominal_w") for row in rows):
        said = "; ".join(f"{row['mode']} {row['fps']} FPS, {row['fps_per_watt']} FPS/W" for row in PAPER.values())
        notes.append(page.note(f"Published results of YOLO Nano on AGX Xavier: {said}."))
    return [page.heading("Results"), page.table(heads, lines), *notes]


def _left_out(rows: Sequence[Row]) -> List[str]:
    lines = [(title(row), "; ".join(row["reasons"])) for row in rows if not row["valid"]]
    return [page.heading("Rows that are not valid"), page.table(("", "reason"), lines)] if lines else []


def _efficiency(rows: Sequence[Row]) -> List[str]:
    measured = [row for row in rows if row.get("mean_w") is not None]
    if not measured:
        return [page.note("Watts were not measured.")] if rows else []
    names = [title(row) for row in measured]
    power = [(name, row["mean_w"], row["fps"]) for name, row in zip(names, measured)]
    parts = [
        page.heading("Speed and energy"),
        page.picture(scatter(power, "W", "FPS"), "FPS against watts"),
        page.picture(bars(names, [row["fps_per_watt"] for row in measured], "FPS per watt"), "FPS per watt"),
        page.picture(bars(names, [row["joules_per_frame"] for row in measured], "J per frame"), "joules per frame"),
    ]
    known = [(title(row), row["joules_per_frame"], row["accuracy"]["value"]) for row in measured if "accuracy" in row]
    if known:
        metric = next(row["accuracy"]["metric"] for row in measured if "accuracy" in row)
        parts.append(page.picture(scatter(known, "J per frame", metric), "accuracy against energy"))
    return parts


def _traces(rows: Sequence[Row]) -> List[str]:
    drawn = [(title(row), row["trace"]) for row in rows if row.get("trace")]
    shown = [(key, label) for key, label in TRACES if any(point.get(key) is not None for _, t in drawn for point in t)]
    if not shown:
        return []
    canvas = figure((9, 2.4 * len(shown)))
    for axes, (key, label) in zip(canvas.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0], shown):
        for name, trace in drawn:
            axes.plot([point.get(key) for point in trace], label=plot_label(name))
        axes.set(ylabel=label)
    axes.set(xlabel="seconds of measurement")
    axes.legend(**BESIDE)
    return [page.heading("Temperature and clocks"), page.picture(png(canvas), "temperature and clocks over time")]


def _conditions(rows: Sequence[Row]) -> List[str]:
    keys = "board l4t backend source rail scope caps_verified idle_w coverage engine_sha256 ranges_sha256".split()
    lines = [(key, *(_short(row.get(key)) for row in rows)) for key in keys]
    clocks = ("clocks, MHz", *(_clocks(row) for row in rows))
    return [page.heading("Conditions"), page.table(("", *map(title, rows)), [*lines, clocks])]


def scatter(points: Points, across: str, up: str) -> bytes:
    """Draws named points, with axes from zero."""
    drawn = figure((9, 4.5))
    axes = drawn.subplots()
    for name, x, y in points:
        axes.plot([x], [y], "o", label=plot_label(name))
    most_x, most_y = (max(values) for values in list(zip(*points))[1:])
    axes.set(xlabel=across, ylabel=plot_label(up), xlim=(0, 1.15 * most_x), ylim=(0, 1.15 * most_y or 1))
    axes.legend(**BESIDE)
    return png(drawn)


def bars(names: Sequence[str], values: Sequence[float], label: str) -> bytes:
    """Draws one bar per row."""
    drawn = figure((8, 0.8 + 0.35 * len(names)))
    axes = drawn.subplots()
    shown = axes.barh(range(len(names)), values)
    axes.bar_label(shown, fmt="%.3g", padding=3, fontsize=8)
    axes.set(
        yticks=range(len(names)), yticklabels=[*map(plot_label, names)], xlabel=label, xlim=(0, 1.15 * max(values))
    )
    axes.invert_yaxis()
    return png(drawn)


def _clocks(row: Row) -> str:
    clocks: Dict[str, float] = row.get("clocks", {})
    return ", ".join(f"{name} {value:g}" for name, value in clocks.items())


def _accuracy(row: Row) -> str:
    found = row.get("accuracy")
    return f"{found['metric']} {found['value']:.3f}" if found else "n/a"


def _format(value: Any, style: str) -> str:
    return "n/a" if value is None else style.format(value)


def _short(value: Any) -> str:
    text = "n/a" if value in (None, "") else str(value)
    return text[:12] if len(text) == 64 else text
