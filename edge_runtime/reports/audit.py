"""The page of edge-audit: the stages, what explains them, and the worst pictures with the boxes of both sides."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit import words
from edge_runtime.audit.likeness import Floats
from edge_runtime.audit.stages import Audit, Seen
from edge_runtime.files import atomic
from edge_runtime.imaging.drawing import draw
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.reports import page
from edge_runtime.types import Detections

HEIGHT, WIDEST, GAP, WHITE = 360, 480, 8, 255  # pixels
Image = NDArray[np.uint8]


def write_audit_page(path: Path, title: str, found: Audit) -> None:
    """Writes the page.

    Raises:
        UsageError: it cannot be written.
    """
    with atomic.said_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    parts = [page.paragraph(words.sentence(found)), page.table(words.COLUMNS, words.rows(found), words=True)]
    parts += [page.note(note) for note in found.notes]
    tried, layers = words.tried_rows(found), words.layer_rows(found)
    if tried:
        parts += [page.heading("What explains the difference"), page.table(words.TRIED, tried, words=True)]
    if layers:
        parts += [page.heading("Layers"), page.note(words.TENSORS_SAID), page.table(words.TENSORS, layers)]
    atomic.replace_file(path, page.page(title, *parts, *_sheet(found)).encode())


def _sheet(found: Audit) -> List[str]:
    """The worst pictures, each with the boxes of both sides; the first pictures if none differs."""
    shown = words.worst(found) or list(found.pictures[:2])
    parts = [page.heading(f"Pictures: {found.names[0]} on the left, {found.names[1]} on the right")]
    for each in shown:
        about = (
            f"{each.path}: {100 * each.alike:.0f} % of the boxes are the same, {len(each.ours)} and {len(each.theirs)}"
        )
        parts += [page.note(about), page.picture(_pair(each, found.labels), f"boxes of both sides in {each.path}")]
    return parts


def _pair(seen: Seen, labels: Sequence[str]) -> bytes:
    height, width = seen.image.shape[:2]
    scale = min(HEIGHT / height, WIDEST / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = load_cv2().resize(seen.image, size, interpolation=3)
    gap = np.full((size[1], GAP, 3), WHITE, np.uint8)
    strip = np.hstack([_drawn(small, seen.ours, scale, labels), gap, _drawn(small, seen.theirs, scale, labels)])
    return bytes(load_cv2().imencode(".png", strip)[1].tobytes())


def _drawn(image: Image, rows: Floats, scale: float, labels: Sequence[str]) -> Image:
    scaled = rows.copy()
    scaled[:, :4] = np.clip(scaled[:, :4] * scale, -image.shape[1], 2 * max(image.shape[:2]))
    drawn: Image = draw(image.copy(), Detections.from_rows(scaled, labels))
    return drawn
