"""The page of edge-identify: the ranking, why the first is the first, and a contact sheet of the best combinations."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.files import atomic
from edge_runtime.identify import words
from edge_runtime.identify.contest import Entry
from edge_runtime.identify.search import Identified
from edge_runtime.imaging.drawing import draw
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.reports import page
from edge_runtime.types import Detections

SHOWN, PICTURES = 5, 4  # combinations and pictures on the contact sheet
HEIGHT, GAP, WHITE = 240, 6, 255  # pixels
Image = NDArray[np.uint8]


def write_identification_page(path: Path, title: str, found: Identified, notes: Sequence[str]) -> None:
    """Writes the page.

    Raises:
        UsageError: it cannot be written.
    """
    with atomic.said_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    text = page.page(
        title,
        page.paragraph(words.reason(found)),
        page.paragraph(words.sure(found)),
        page.table(words.COLUMNS, words.rows(found)),
        *(page.note(note) for note in notes),
        page.heading("What the best combinations find"),
        *sheet(found),
    )
    atomic.replace_file(path, text.encode())


def sheet(found: Identified) -> List[str]:
    """Returns a line and a strip of pictures with boxes for each of the best combinations, as HTML."""
    ended = [entry for entry, _ in (*found.order, *found.dropped)]
    shown = [found.winner, *(entry for entry in ended if entry is not found.winner)][:SHOWN]
    seen = min(len(entry.rows) for entry in shown)
    if not seen:  # the file is believed, and nothing was compared
        return [page.note("No picture says anything about it.")]
    most = sorted(range(seen), key=lambda number: -len(found.winner.rows[number]))[:PICTURES]
    parts = []
    for entry in shown:
        said = words.describe(entry.candidate)
        parts += [page.note(said), page.picture(_strip(found, entry, sorted(most)), f"boxes of {said}")]
    return parts


def _strip(found: Identified, entry: Entry, numbers: Sequence[int]) -> bytes:
    cells = [_cell(found.pictures.images[number], entry, number) for number in numbers]
    gap = np.full((HEIGHT, GAP, 3), WHITE, np.uint8)
    strip = np.hstack([part for cell in cells for part in (cell, gap)][:-1])
    return bytes(load_cv2().imencode(".png", strip)[1].tobytes())


def _cell(image: Image, entry: Entry, number: int) -> Image:
    """A picture at the height of the strip, with its boxes."""
    cv2 = load_cv2()
    height, width = image.shape[:2]
    wide = max(1, round(width * HEIGHT / height))
    small = cv2.resize(image, (wide, HEIGHT), interpolation=cv2.INTER_AREA)
    rows = entry.rows[number].copy()
    rows[:, :4] *= np.array([wide / width, HEIGHT / height] * 2, np.float32)
    drawn: Image = draw(small, Detections.from_rows(rows, entry.candidate.spec.labels))
    return drawn
