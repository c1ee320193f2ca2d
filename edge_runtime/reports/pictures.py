"""Plots as PNG, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import warnings
from typing import Any, List, Sequence, Tuple

import numpy as np

from edge_runtime.accuracy.confusion import Counts
from edge_runtime.accuracy.voc import Curve
from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint
from edge_runtime.text.escape import plot_label

LEGEND = 8  # number of classes in the legend; the most frequent ones


def precision_recall(labels: Sequence[str], curves: Sequence[Curve]) -> bytes:
    """Draws precision over recall, one line per class that has objects. The most frequent classes are named."""
    shown = sorted((pair for pair in zip(labels, curves) if pair[1].truths), key=lambda pair: -pair[1].truths)
    drawn = figure((8, 5))
    axes = drawn.subplots()
    for place, (label, curve) in enumerate(shown):
        named = (
            {"label": plot_label(f"{label} {curve.all_point():.2f}")}
            if place < LEGEND
            else {"color": "0.8", "zorder": 0}
        )
        axes.plot(*_steps(curve), **named)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="IoU 0.5")
    if shown:
        axes.legend(title="class, area", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return png(drawn)


def confusion(labels: Sequence[str], counts: Counts, conf: float) -> bytes:
    """Draws the confusion matrix, counts (classes + 1, classes + 1).

    Rows are labelled classes, each normalised to 1. The last row shows detections where nothing is labelled. Classes
    that have no objects and were never found are left out.
    """
    used = [number for number in range(len(labels)) if counts[number].any() or counts[:, number].any()] + [len(labels)]
    names = [*(plot_label(labels[number]) for number in used[:-1]), "nothing"]
    counts = counts[np.ix_(used, used)]
    part = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 3 + 0.32 * len(names)
    drawn = figure((side + 0.8, side))
    axes = drawn.subplots()
    drawn.colorbar(axes.imshow(part, cmap="Blues", vmin=0, vmax=1), shrink=0.7, label="fraction of the row")
    axes.set_xticks(range(len(names)), labels=names, rotation=90)
    axes.set_yticks(range(len(names)), labels=names)
    axes.set(xlabel="found", ylabel="labelled", title=f"confidence {conf}, IoU 0.5")
    for row, column in zip(*np.nonzero(counts)):
        tone = "white" if part[row, column] > 0.5 else "black"
        axes.text(column, row, int(counts[row, column]), ha="center", va="center", fontsize=7, color=tone)
    return png(drawn)


def pairs(labels: Sequence[str], before: Sequence[float], after: Sequence[float]) -> bytes:
    """Draws two bars per class: AP before and after."""
    drawn = figure((9, 1.2 + 0.24 * len(labels)))
    axes = drawn.subplots()
    places = np.arange(len(labels))
    axes.barh(places - 0.2, before, 0.4, label="fp32")
    axes.barh(places + 0.2, after, 0.4, label="int8")
    axes.set(yticks=places, yticklabels=[*map(plot_label, labels)], xlabel="AP")
    axes.invert_yaxis()
    axes.legend()
    return png(drawn)


def _steps(curve: Curve) -> Tuple[List[float], List[float]]:
    """Returns the points of the curve's envelope, from recall 0 to the curve's end."""
    if not len(curve.recall):
        return [0.0], [0.0]
    envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
    recall = [0.0, *curve.recall.tolist(), float(curve.recall[-1])]
    return recall, [float(envelope[0]), *envelope.tolist(), 0.0]


def check() -> None:
    """Fails before long work is done for a page that could not be drawn.

    Raises:
        BackendUnavailable: matplotlib is not installed.
    """
    figure((1, 1))


def figure(size: Tuple[float, float]) -> Any:
    """Returns an empty figure of (width, height) inches.

    Raises:
        BackendUnavailable: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BackendUnavailable("matplotlib is not installed", hint=install_hint("eval")) from error
    return Figure(figsize=size, layout="constrained")


def halo() -> List[Any]:
    """A white edge around letters, so that they are read on lines, as `path_effects` of a text."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def png(drawn: Any) -> bytes:
    """Returns a figure as PNG. Names are drawn as they are, even if the user's matplotlib uses TeX for all text."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    buffer = io.BytesIO()
    with rc_context({"text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the font lacks a character; the tables show the name as text
        for text in drawn.findobj(Text):
            text.set_usetex(False)
        drawn.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
