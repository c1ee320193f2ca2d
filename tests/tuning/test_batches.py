"""Batches in the trial: chosen if they are faster, and left out of it if the network takes none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_runtime.backends import BackendOptions
from edge_runtime.tuning.cache import Cache
from edge_runtime.tuning.tuner import tune
from tests.models import MODELS
from tests.tuning.test_tuner import FILE, Bench, bench, cache, model

__all__ = ["bench", "cache", "model"]  # fixtures


def test_batches_are_chosen_if_they_are_faster_over_several_files(model: str, cache: Cache, bench: Bench) -> None:
    bench.speeds[("openvino", "batches of 2")] = 40.0
    with tune(model, [FILE, FILE], cache=cache, when="again").detector as detector:
        assert (detector.options.batch, detector.options.streams) == (2, 1)
    kept = tune(model, [FILE, FILE], cache=cache, when="kept")
    with kept.detector as detector:
        assert detector.options.batch == 2 and "batches of 2" in str(kept)
    with tune(model, [FILE, FILE], cache=cache, when="again", batches=False).detector as detector:
        assert detector.options.batch == 1, "one was named"
    with tune(model, FILE, cache=cache, when="again").detector as detector:
        assert detector.options.batch == 1, "one source fills no batch"


def test_a_network_that_takes_no_batch_runs_as_before(tmp_path: Path, cache: Cache, bench: Bench) -> None:
    mixing = onnx.load(str(MODELS / "yolo_v8.onnx"))
    made = mixing.graph.output[0].name
    mixing.graph.node.append(helper.make_node("CumSum", [made, "first"], ["summed"]))
    mixing.graph.node.append(helper.make_node("Min", [made, "summed"], ["found"]))
    mixing.graph.initializer.append(numpy_helper.from_array(np.array(0), "first"))
    mixing.graph.output[0].name = "found"
    path = str(tmp_path / "m.onnx")
    onnx.save(mixing, path)
    tuned = tune(path, [FILE, FILE], cache=cache, when="again", options=BackendOptions(backend="openvino"))
    with tuned.detector as detector:
        assert detector.options.batch == 1
    assert tuned.choice and any("CumSum summed may mix" in line for line in tuned.choice.left_out)
