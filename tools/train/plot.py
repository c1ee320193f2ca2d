"""Draws a training log."""

from __future__ import annotations

import json
from pathlib import Path


def plot(log: Path, picture: Path) -> None:
    """Loss parts and validation mAP over images seen, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure, (losses, scores) = pyplot.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    seen = [row["images"] / 1000 for row in rows]
    for part in ("box", "objectness", "class"):
        losses.plot(seen, [row[part] for row in rows], marker="o", label=part)
    scores.plot(seen, [row["map"] for row in rows], marker="o", color="black")
    losses.set(xlabel="thousand images seen", ylabel="loss", title="loss of the last batch")
    scores.set(
        xlabel="thousand images seen", ylabel="voc07_11pt", title="validation split, EMA weights", ylim=(0, None)
    )
    losses.legend()
    figure.savefig(picture, dpi=100)
    pyplot.close(figure)
