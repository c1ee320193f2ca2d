"""edge-calibrate's second half: compares the INT8 model with its original, and repairs it if it lost too much."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Callable, Dict, List, Optional, Tuple

from edge_runtime.accuracy import evaluate, evidence
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.backends import onnxruntime
from edge_runtime.calibrate import Calibrated, calibration, mixed, stamp, verdict
from edge_runtime.calibrate import images as image_sets
from edge_runtime.calibrate.images import ImageSet
from edge_runtime.calibrate.survey import survey
from edge_runtime.calibrate.verdict import Comparison
from edge_runtime.cli import _flags, _progress, _values
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.files import atomic
from edge_runtime.graph.half import half
from edge_runtime.identify import misread
from edge_runtime.model.spec import ModelSpec
from edge_runtime.reports import verdict as report
from edge_runtime.sources.image import ImageSource

CONF, IOU = 0.001, 0.6  # curves need low scores too
NAMES = {evidence.AP: "coco_101 AP", evidence.AGREEMENT: "agreement"}
Page = Callable[[], None]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the verdict."""
    group = parser.add_argument_group("verdict, on images that calibration did not see")
    group.add_argument(
        "--no-verdict", action="store_false", dest="verdict", help="calibrate on all images and compare nothing"
    )
    group.add_argument(
        "--max-drop",
        type=_values.points,
        default=0.5,
        metavar="POINTS",
        help="points of AP that may be lost, default 0.5",
    )
    group.add_argument(
        "--verdict-budget",
        type=_values.seconds,
        default=300.0,
        metavar="SECONDS",
        help="time to repair a model that lost more, default 300",
    )
    group.add_argument("--verdict-data", metavar="DIR", help="labelled images to compare on, instead of held-out ones")
    group.add_argument("--verdict-split", metavar="NAME", help="image set of --verdict-data, if there are several")
    group.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write a page with everything, and a .json beside it"
    )


def judge(
    args: argparse.Namespace, spec: ModelSpec, images: ImageSet, made: Calibrated
) -> Tuple[Calibrated, Optional[Page]]:
    """Compares, repairs and prints. Returns the model to write, and the function that writes the page about it.

    Raises:
        ModelError: outputs are not finite, or the float model does not find what is labelled.
    """
    if not images.held_out.paths:
        print("note: no picture is left to compare the models on, so they cannot say what INT8 costs", file=sys.stderr)
        return made, None
    images = _comparable(args, spec, images)
    with tempfile.TemporaryDirectory() as folder, _progress.progress() as bar:
        bench = _CandidateRuns(args, images, Path(folder), bar)
        if made.given:
            return _judge_given(made, bench.found(bench.saved(made, "int8"), "int8")), None
        before = bench.found(args.engine, "fp32")
        doubt = bench.doubt()
        began = monotonic()

        def trial(candidate: Calibrated) -> Comparison:
            found = verdict.compare_models(before, bench.found(bench.saved(candidate, "int8"), "int8"))
            verdict.refuse_blind(found, args.engine)
            return found

        network = calibration.network_of(args.engine, spec)
        mender = mixed.MixedPrecisionSearch(network, spec, images.paths, made, trial)
        made, tried = mender.mend(args.max_drop, lambda: monotonic() - began < args.verdict_budget)
        made, comparison = calibration.described(made, network), tried[-1].comparison
        files = {"fp32": args.engine, "int8": bench.saved(made, "int8"), "fp16": bench.halved(network)}
        speeds, sizes = bench.speeds(files), {name: Path(path).stat().st_size for name, path in files.items()}
    sentence = verdict.recommendation(comparison, speeds, args.max_drop, doubt=doubt)
    content: Dict[str, Any] = {
        "recommendation": sentence, "comparison": comparison.summary(), "tried": [step.summary() for step in tried],
        "milliseconds": speeds, "backend": bench.backend, "bytes": sizes,
    }  # fmt: skip
    _print(comparison, tried, speeds, bench.backend, sentence)
    stamp.write_verdict(made.model, sentence, None if comparison.blind or doubt else comparison.evidence)

    def page() -> None:
        worst = mixed.worst_activations(network, spec, images.paths, made)
        seen = survey([*images.paths, *images.held_out.paths], images.held_out).summary()
        about = {**content, "worst": [row.__dict__ for row in worst], "images": seen}
        report.write_verdict_page(args.report, f"{Path(args.engine).name} in INT8", about)
        print(f"report: {args.report}", file=sys.stderr)

    return made, page


def _comparable(args: argparse.Namespace, spec: ModelSpec, images: ImageSet) -> ImageSet:
    """The images with labels that fit the model, or without labels; and a note on why."""
    asked = _flags.backend_options(args).thresholds.class_ids(spec.labels)
    reason = verdict.against_labels(images.held_out, spec.labels, asked)
    if not reason:
        return images
    print(f"note: {reason}: the models are compared by the agreement of their boxes", file=sys.stderr)
    return replace(images, held_out=image_sets.without_labels(images.held_out))


def _judge_given(made: Calibrated, found: Found) -> Calibrated:
    """Says what is known about a file that was INT8 already. It has no original here to be compared with."""
    sentence = verdict.of_given(found)
    print(sentence)
    stamp.write_verdict(made.model, sentence, None)
    return made


class _CandidateRuns:
    """Opens and runs candidate files as the user would run the final one."""

    def __init__(self, args: argparse.Namespace, images: ImageSet, folder: Path, bar: Any) -> None:
        options = _flags.backend_options(args)
        thresholds = replace(options.thresholds, conf=CONF, iou=IOU, max_det=100, multi_label=True)
        self._curve = replace(options, thresholds=thresholds)
        self._options, self._flags, self._images = options, _flags.model_flags(args), images
        self._folder, self._bar = folder, bar
        self.backend, self._engine = "", args.engine

    def saved(self, made: Calibrated, name: str) -> str:
        """Writes a candidate and returns its path."""
        path = self._folder / f"{name}.onnx"
        atomic.replace_file(path, made.model.SerializeToString())
        return str(path)

    def halved(self, network: Any) -> str:
        """The float16 twin of a network."""
        path = self._folder / "fp16.onnx"
        atomic.replace_file(path, half(network.copy()).SerializeToString())
        return str(path)

    def found(self, path: str, label: str) -> Found:
        """The boxes that a file finds in the images that were held out."""
        data = self._images.held_out
        with Detector.open(path, flags=self._flags, options=self._curve) as detector:
            self.backend = detector.backend.description
            try:
                return evaluate.detect(detector, data, self._bar(label, len(data.paths)))
            except ModelError as error:  # the path may be that of a candidate in a folder that is gone
                fact = str(error).replace(path, f"the {label} form of {self._engine}")
                raise ModelError(fact, hint=error.hint) from error

    def doubt(self) -> str:
        """Why the float model seems to be read wrongly; "" if it does not, or if nobody can tell."""
        data = self._images.held_out
        if not data.truths or not self._engine.lower().endswith(".onnx") or onnxruntime.available():
            return ""
        with Detector.open(self._engine, flags=self._flags, options=self._options) as detector:
            tick = self._bar("other ways to read it", 0)
            found = misread.suspicion(self._engine, detector.model, data, self._options.threads, tick)
        return str(found) if found else ""

    def speeds(self, files: Dict[str, str]) -> Dict[str, float]:
        """Median milliseconds of each model, taking turns."""
        frame = ImageSource(self._images.held_out.paths[0]).read()
        assert frame is not None
        opened: Dict[str, Detector] = {}
        try:
            for name, path in files.items():
                try:
                    opened[name] = Detector.open(path, flags=self._flags, options=self._options)
                except ModelError:
                    if name != "fp16":  # which is for comparison only
                        raise
                    print("note: the fp16 form does not run here, so it is not timed", file=sys.stderr)
            return verdict.speed(opened, frame.image, self._bar("speed", verdict.WARM + verdict.ROUNDS))
        finally:
            for detector in opened.values():
                detector.close()


def _print(
    comparison: Comparison, tried: List[mixed.Trial], speeds: Dict[str, float], backend: str, sentence: str
) -> None:
    if comparison.boxes:
        _print_losses(comparison)
    if len(tried) > 1:
        steps = ", ".join(f"{step.in_float} in float: {evidence.points(step.comparison.drop)}" for step in tried)
        print(f"mended by leaving more in float: {steps}")
    print(f"{backend}: " + ", ".join(f"{name} {value:.1f} ms" for name, value in speeds.items()))
    print(sentence)


def _print_losses(comparison: Comparison) -> None:
    low, high = comparison.interval
    print(f"{NAMES[comparison.metric]}: {comparison.before:.4f} -> {comparison.after:.4f} on {comparison.images} other "
          f"images; {evidence.points(comparison.drop)} (95 % of samples: {low:+.2f} to {high:+.2f} lost)")  # fmt: skip
    if comparison.sizes:
        sizes = (f"{size} {before:.4f} -> {after:.4f}" for size, before, after in comparison.sizes)
        print(f"AP by size of the object: {', '.join(sizes)}")
    print(f"boxes at {verdict.CONF}: {comparison.agreement_50:.1%} agree at IoU 0.5, {comparison.agreement:.1%} on "
          f"average over 0.5 to 0.95; score drift {comparison.score_drift:.3f}")  # fmt: skip
