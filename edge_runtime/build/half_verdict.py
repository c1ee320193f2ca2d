"""Judges the float16 form of a model: the boxes that it finds in pictures, beside those of the float32 form."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.accuracy import evaluate, evidence
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.accuracy.evidence import Evidence
from edge_runtime.backends import BackendOptions
from edge_runtime.build import half_study, reference
from edge_runtime.build.forms import BuildInput, float_form
from edge_runtime.build.half_study import Progress, Study
from edge_runtime.calibrate import verdict
from edge_runtime.datasets import Dataset
from edge_runtime.errors import ModelError
from edge_runtime.graph.half import half
from edge_runtime.model.thresholds import Thresholds

if TYPE_CHECKING:
    import onnx

MOST = 64  # pictures that are run
SHOWN = 4  # layers that are named
THRESHOLDS = Thresholds(conf=0.1, iou=0.6, max_det=100)  # boxes near the usual threshold may have moved below it
COMPARED = "the float32 form and the float16 form, whose results are rounded to float16, on the CPU"


@dataclass(frozen=True)
class HalfVerdict:
    """What float16 does to a model.

    Attributes:
        study: what overflows, and what stays in float32.
        data: name of the pictures.
        evidence: points of agreement that float16 costs, and what was looked at.
        moved_px, most_px: mean and largest movement of the corners of boxes that agree, in pixels of the pictures.
        score_drift: mean absolute change of their score.
        problem: why boxes could not be compared; "" if they were.
        max_drop: points of AP that may be lost.
    """

    study: Study
    data: str
    evidence: Evidence
    moved_px: float
    most_px: float
    score_drift: float
    problem: str = ""
    max_drop: float = 0.5

    @property
    def boxes(self) -> int:
        """Number of boxes above the usual confidence that at least one of the two forms finds."""
        return self.evidence.boxes

    @property
    def agreement(self) -> float:
        """Part of the boxes of both forms that agree, 0..1."""
        return 1 - self.evidence.drop / 100

    def summary(self) -> Dict[str, Any]:
        """Returns plain data for the passport."""
        names = ("data", "boxes", "agreement", "moved_px", "most_px", "score_drift", "problem")
        figures = {name: getattr(self, name) for name in names}
        return {"compared": COMPARED, **figures, **self.study.summary(), "verdict": self.sentence()}

    def sentence(self) -> str:
        """Returns the verdict."""
        if self.problem:
            return f"float16 cannot be compared with float32: {self.problem}"
        moved = f"corners move by {self.moved_px:.2f} px, scores by {self.score_drift:.4f}"
        return evidence.sentence("float32", "float16", self.evidence, self.max_drop, extra=f"{moved} ({self.data})")

    def notes(self) -> List[str]:
        """Returns what the user should know beside the verdict."""
        spoilt = ["float16 changes what is found: compare with --precision fp32"] if self.problem else []
        return [*_overflows(self.study), *_kept(self.study), *_vanished(self.study), *spoilt]


def judge(
    source: BuildInput, data: Dataset, progress: Progress, max_drop: float = 0.5
) -> Tuple[BuildInput, HalfVerdict]:
    """Returns the model with the layers that stay in float32, and the verdict on its float16 form.

    Args:
        data: pictures.
        progress: called with a label and a total; returns a function to call after each picture.
        max_drop: points of AP that may be lost.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed.
        SourceError: a picture cannot be read.
        ModelError: ONNX Runtime does not run the network.
    """
    network = float_form(source)
    found = half_study.study(network, source.spec, data.paths, progress)
    halved = half(network.copy(), found.keep, emulated=True)
    said = replace(_tried(found, source, data, (network.model, halved), progress), max_drop=max_drop)
    return replace(source, keep=found.keep, half=said.summary()), said


def _tried(
    study: Study, source: BuildInput, data: Dataset, forms: Tuple[onnx.ModelProto, onnx.ModelProto], progress: Progress
) -> HalfVerdict:
    """Compares the boxes of two forms. Labels are not used: float16 moves boxes long before it costs AP."""
    plain = replace(data, truths=(), labels=())
    try:
        with tempfile.TemporaryDirectory() as folder:
            before, after = (_boxes(model, source, plain, Path(folder), progress) for model in forms)
    except ModelError as error:  # outputs that are not finite, or that the family cannot be read from
        nothing = Evidence(evidence.AGREEMENT, 0.0, 0.0, 0.0, 0, len(data.paths))
        return HalfVerdict(study, data.name, nothing, 0.0, 0.0, 0.0, str(error))
    return _compared(study, plain, before, after)


def _boxes(model: onnx.ModelProto, source: BuildInput, data: Dataset, folder: Path, progress: Progress) -> Found:
    options = BackendOptions(device="cpu", thresholds=THRESHOLDS)
    with reference.opened(model, source.spec, folder, options) as detector:
        return evaluate.detect(detector, data, progress("boxes", len(data.paths)))


def _compared(study: Study, data: Dataset, before: Found, after: Found) -> HalfVerdict:
    compared = verdict.compare_models(before, after)
    moved = [movement(first, second) for first, second in zip(before.rows, after.rows)]
    pixels = np.concatenate([*moved, np.zeros(0)])
    mean, most = (float(pixels.mean()), float(pixels.max())) if pixels.size else (0.0, 0.0)
    return HalfVerdict(study, data.name, compared.evidence, mean, most, compared.score_drift)


def movement(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns how far the corners of each box moved to the nearest box of its class, in pixels.

    Boxes below the usual confidence, and those whose nearest box lies farther away than half their size, do not count.
    The nearest may have half that confidence: a box that falls below a threshold has not moved.

    Args:
        before, after: (n, 6) and (m, 6) float32 `[x1, y1, x2, y2, score, class_id]`, image pixels.
    """
    sure, rest = before[before[:, 4] >= verdict.CONF], after[after[:, 4] >= verdict.CONF / 2]
    found: List[float] = []
    for row in sure:
        same = rest[rest[:, 5] == row[5]]
        if len(same):
            nearest = float(np.abs(same[:, :4] - row[:4]).max(axis=1).min())
            found += [nearest] if nearest <= 0.5 * float((row[2:4] - row[:2]).max()) else []
    return np.array(found, np.float64)


def _overflows(study: Study) -> List[str]:
    if not study.peaks:
        return []
    tensor, node, size = study.peaks[0]
    more = f" ({len(study.peaks)} tensors in all)" if len(study.peaks) > 1 else ""
    return [f"float16 ends at 65504: {tensor} of {node} reaches {size:.4g}{more}; it stays in float32"]


def _kept(study: Study) -> List[str]:
    if not study.kept:
        return []
    named = [f"{layer.name} ({layer.reason})" for layer in study.kept[:SHOWN]]
    more = f", and {len(study.kept) - SHOWN} more" if len(study.kept) > SHOWN else ""
    return [f"{len(study.kept)} layers stay in float32: {', '.join(named)}{more}"]


def _vanished(study: Study) -> List[str]:
    if not study.vanished:
        return []
    return [
        f"{study.vanished} of {study.weights} weights are too small for float16 and become 0, with little effect here"
    ]
