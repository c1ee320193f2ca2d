"""The report of an evaluation: a folder with one page, which also holds its pictures, and the pictures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Tuple

from edge_runtime.accuracy.evaluate import CONFUSION_CONF, Evaluation
from edge_runtime.files import atomic
from edge_runtime.reports import page, pictures


def write_evaluation_page(folder: Path, title: str, evaluation: Evaluation, about: Dict[str, Any]) -> Path:
    """Writes index.html, pr_curves.png and confusion.png, and returns the path of the page.

    Args:
        about: conditions of the measurement, which the page shows.

    Raises:
        UsageError: the folder cannot be written.
        BackendUnavailable: matplotlib is not installed.
    """
    labels = evaluation.found.labels
    curves = pictures.precision_recall(labels, evaluation.curves)
    confusion = pictures.confusion(labels, evaluation.confusion, CONFUSION_CONF)
    text = page.page(
        title,
        page.table(("metric", "value"), [(name, _figure(value)) for name, value in totals(evaluation).items()]),
        *(page.note(note) for note in evaluation.found.notes),
        page.heading("Classes"),
        _classes(evaluation),
        page.heading("Precision and recall"),
        page.picture(curves, "precision over recall per class"),
        page.heading("Confusion"),
        page.picture(confusion, "labelled against found classes"),
        page.heading("Conditions"),
        page.table(("", ""), list(about.items())),
    )
    with atomic.said_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path, content in zip(report_files(folder), (text.encode(), curves, confusion)):
        atomic.replace_file(path, content)
    return report_files(folder)[0]


def report_files(folder: Path) -> Tuple[Path, Path, Path]:
    """Returns the paths of the page and its pictures."""
    return folder / "index.html", folder / "pr_curves.png", folder / "confusion.png"


def totals(evaluation: Evaluation) -> Dict[str, float]:
    """Returns every metric by its name."""
    return {
        "voc07_11pt": evaluation.voc07_11pt,
        "voc_allpoint": evaluation.voc_allpoint,
        **{f"coco_101 {name}": value for name, value in evaluation.coco_101.items()},
    }


def _classes(evaluation: Evaluation) -> str:
    rows = [
        (row["label"], row["objects"], *(_figure(row[name]) for name in ("voc07_11pt", "voc_allpoint", "AP", "AP50")))
        for row in evaluation.classes()
    ]
    return page.table(("class", "objects", "voc07_11pt", "voc_allpoint", "AP", "AP50"), rows)


def _figure(value: float) -> str:
    return f"{value:.4f}" if value >= 0 else "none"
