"""edge-calibrate's second half: compares the INT8 model with its original, and repairs it if it lost too much."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Callable, Dict, List, Optional, Tuple

from edge_runtime.accuracy import evaluate
from edge_runtime.accuracy.evaluate import Found
from edge_runtime.calibrate import Calibrated, calibration, mixed, verdict
from edge_runtime.calibrate.images import ImageSet
from edge_runtime.calibrate.survey import survey
from edge_runtime.calibrate.verdict import AGREEMENT, Comparison
from edge_runtime.cli import _flags, _progress, _values
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.files import atomic
from edge_runtime.graph.half import half
from edge_runtime.model.spec import AGREEMENT_KEY, DROP_KEY, ModelSpec
from edge_runtime.reports import verdict as report
from edge_runtime.sources.image import ImageSource

CONF, IOU = 0.001, 0.6  # curves need low scores too
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
    """Compares, repairs and prints. Returns the model to write, and the function that writes the page about it."""
    if not images.held_out.paths:
        print("note: no image is left to compare the models on: no verdict", file=sys.stderr)
        return made, None
    with tempfile.TemporaryDirectory() as folder, _progress.progress() as bar:
        bench = _CandidateRuns(args, images, Path(folder), bar)
        before = bench.found(args.engine, "fp32")
        began = monotonic()

        def trial(candidate: Calibrated) -> Comparison:
            return verdict.compare_models(before, bench.found(bench.saved(candidate, "int8"), "int8"))

        network = calibration.network_of(args.engine, spec)
        mender = mixed.MixedPrecisionSearch(network, spec, images.paths, made, trial)
        made, tried = mender.mend(args.max_drop, lambda: monotonic() - began < args.verdict_budget)
        made, comparison = calibration.described(made, network), tried[-1].comparison
        files = {"fp32": args.engine, "int8": bench.saved(made, "int8"), "fp16": bench.halved(network)}
        speeds, sizes = bench.speeds(files), {name: Path(path).stat().st_size for name, path in files.items()}
    sentence = verdict.recommendation(comparison, speeds, args.max_drop)
    content: Dict[str, Any] = {
        "recommendation": sentence, "comparison": comparison.summary(), "tried": [step.summary() for step in tried],
        "milliseconds": speeds, "backend": bench.backend, "bytes": sizes,
    }  # fmt: skip
    _print(comparison, tried, speeds, bench.backend, sentence)
    made.model.metadata_props.add(key="verdict", value=sentence)
    key = AGREEMENT_KEY if comparison.metric == AGREEMENT else DROP_KEY
    made.model.metadata_props.add(key=key, value=f"{comparison.drop:.2f}")

    def page() -> None:
        worst = mixed.worst_activations(network, spec, images.paths, made)
        seen = survey([*images.paths, *images.held_out.paths], images.held_out).summary()
        about = {**content, "worst": [row.__dict__ for row in worst], "images": seen}
        report.write_verdict_page(args.report, f"{Path(args.engine).name} in INT8", about)
        print(f"report: {args.report}", file=sys.stderr)

    return made, page


class _CandidateRuns:
    """Opens and runs candidate files as the user would run the final one."""

    def __init__(self, args: argparse.Namespace, images: ImageSet, folder: Path, bar: Any) -> None:
        options = _flags.backend_options(args)
        thresholds = replace(options.thresholds, conf=CONF, iou=IOU, max_det=100, multi_label=True)
        self._curve = replace(options, thresholds=thresholds)
        self._options, self._flags, self._images = options, _flags.model_flags(args), images
        self._folder, self._bar = folder, bar
        self.backend = ""

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
            return evaluate.detect(detector, data, self._bar(label, len(data.paths)))

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
    low, high = comparison.interval
    print(f"{comparison.metric}: {comparison.before:.4f} -> {comparison.after:.4f} on {comparison.images} other "
          f"images; {verdict.points(comparison.drop)} (95 %: {low:+.2f} to {high:+.2f} lost)")  # fmt: skip
    print(f"boxes at {verdict.CONF}: {comparison.agreement:.1%} agree, score drift {comparison.score_drift:.3f}")
    if len(tried) > 1:
        steps = ", ".join(f"{step.in_float} in float: {verdict.points(step.comparison.drop)}" for step in tried)
        print(f"mended by leaving more in float: {steps}")
    print(f"{backend}: " + ", ".join(f"{name} {value:.1f} ms" for name, value in speeds.items()))
    print(sentence)
