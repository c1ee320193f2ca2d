"""Examines an image set for what makes it unsuitable for calibration."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from edge_runtime.calibrate.images import FEW
from edge_runtime.datasets import Dataset
from edge_runtime.errors import EdgeError
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sources.image import ImageSource

DARK, BLURRED = 40.0, 25.0  # mean grey level; variance of the Laplacian at 320 px
ALIKE = 2  # two images look the same if at most this many of the 64 bits of their difference hashes differ
SIDE = 320


@dataclass(frozen=True)
class Survey:
    """The result of a survey.

    Attributes:
        count: number of images that could be read.
        sizes: (width, height) and the number of images of that size, the most frequent first.
        dark, blurred, unreadable: paths of such images.
        alike: pairs of images that look the same.
        classes: number of objects per class, if there are labels.
        warnings: sentences about what to improve.
    """

    count: int
    sizes: Tuple[Tuple[Tuple[int, int], int], ...]
    dark: Tuple[str, ...]
    blurred: Tuple[str, ...]
    unreadable: Tuple[str, ...]
    alike: Tuple[Tuple[str, str], ...]
    classes: Dict[str, int]

    @property
    def warnings(self) -> List[str]:
        """Sentences about what to improve."""
        said = [
            (self.count < FEW, f"only {self.count} images: {FEW} to 500 from the place of use are better"),
            (10 * len(self.alike) > self.count, f"{len(self.alike)} pairs of images look the same"),
            (3 * len(self.dark) > self.count, f"{len(self.dark)} images are dark"),
            (3 * len(self.blurred) > self.count, f"{len(self.blurred)} images are blurred"),
            (bool(self.unreadable), f"{len(self.unreadable)} images cannot be read"),
        ]
        missing = [label for label, objects in self.classes.items() if not objects]
        said.append((bool(missing), f"{len(missing)} classes do not occur: {', '.join(missing[:5])}"))
        return [sentence for holds, sentence in said if holds]

    def summary(self) -> Dict[str, Any]:
        """Returns plain data for JSON."""
        return {
            "images": self.count,
            "sizes": [[*size, count] for size, count in self.sizes[:10]],
            "dark": list(self.dark),
            "blurred": list(self.blurred),
            "unreadable": list(self.unreadable),
            "alike": [list(pair) for pair in self.alike],
            "classes": self.classes,
            "warnings": self.warnings,
        }


def survey(paths: Sequence[str], labelled: Dataset) -> Survey:
    """Reads every image once.

    Args:
        labelled: data set whose labels are counted, if it has any.
    """
    sizes: Counter[Tuple[int, int]] = Counter()
    dark, blurred, unreadable, hashes = [], [], [], {}
    for path in paths:
        try:
            frame = ImageSource(path).read()
        except EdgeError:
            frame = None
        if frame is None:
            unreadable.append(path)
            continue
        width, height = frame.image_wh
        sizes[width, height] += 1
        grey = _grey(frame.image)
        dark += [path] if grey.mean() < DARK else []
        blurred += [path] if load_cv2().Laplacian(grey, 6).var() < BLURRED else []
        hashes[path] = _hash(grey)
    classes = _classes(labelled)
    alike = _alike(hashes)
    return Survey(
        sum(sizes.values()), tuple(sizes.most_common()), tuple(dark), tuple(blurred), tuple(unreadable), alike, classes
    )


def _grey(image: Any) -> Any:
    cv2 = load_cv2()
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    scale = SIDE / max(grey.shape)
    height, width = (max(1, round(scale * side)) for side in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else grey


def _hash(grey: Any) -> Any:
    """Returns 64 bits: whether the picture becomes brighter from left to right, at 64 places."""
    cv2 = load_cv2()
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    return (small[:, 1:] > small[:, :-1]).reshape(-1)


def _alike(hashes: Dict[str, Any]) -> Tuple[Tuple[str, str], ...]:
    paths = list(hashes)
    if not paths:
        return ()
    bits = np.stack([hashes[path] for path in paths]).astype(np.int32)
    apart = bits @ (1 - bits.T) + (1 - bits) @ bits.T
    first, second = np.nonzero(np.triu(apart <= ALIKE, 1))
    return tuple((paths[a], paths[b]) for a, b in zip(first, second))


def _classes(data: Dataset) -> Dict[str, int]:
    if not data.labels or not data.truths:
        return {}
    counts = np.bincount(np.concatenate([truth.class_id for truth in data.truths]), minlength=len(data.labels))
    return {label: int(count) for label, count in zip(data.labels, counts)}
