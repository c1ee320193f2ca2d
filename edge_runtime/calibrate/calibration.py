"""Makes ranges, and a quantised network, from a float network and images."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Collection, Dict, List, Mapping, Optional, Sequence

from edge_runtime.calibrate import forms, observations, origins, runs
from edge_runtime.calibrate.auto import Choice, choose_ranges
from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.calibrate.ranges.table import Origin, RangeTable
from edge_runtime.graph import rounding_points
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import float_network, state
from edge_runtime.graph.quantize import ONNXRUNTIME, TENSORRT, check_layers, quantize
from edge_runtime.graph.stored_ranges import stored_ranges
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import ModelSpec

if TYPE_CHECKING:
    import onnx

METHODS = ("auto", "entropy", "minmax", "mse", "percentile")
PROBED, AVERAGED = 2, 64  # images to measure noise, and to compute means; both numbers give stable results
Progress = Callable[[str, int], Callable[[], None]]


@dataclass(frozen=True)
class Calibrated:
    """The result of a calibration.

    Attributes:
        model: the quantised model, in the form of ONNX Runtime and OpenVINO, with the range table in its metadata.
        table: ranges, and what stays in float.
        noise: noise if only this activation is rounded, by activation, if it was measured; see `NoiseProbe`.
        fresh: whether the ranges were made now; False if they come from a table of the same origin.
    """

    model: onnx.ModelProto
    table: RangeTable
    noise: Dict[str, float] = field(default_factory=dict)
    fresh: bool = True


def calibrate(
    path: str,
    spec: ModelSpec,
    images: Sequence[str],
    method: str = "auto",
    keep: Collection[str] = (),
    known: Optional[RangeTable] = None,
    state_file: Optional[Path] = None,
    progress: Progress = lambda label, total: lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> Calibrated:
    """Makes an INT8 model.

    Args:
        path: the float ONNX file. A file that is quantised already keeps its own scales.
        spec: how images are prepared; the spec of the opened model.
        images: image files, in order.
        method: one of `METHODS`.
        keep: names of layers that stay in float.
        known: a range table. It is used if it has the same origin, and ignored otherwise.
        state_file: file that keeps the observations during the run, so that a killed run can continue.
        progress: called with a label and a total; returns a function to call after each image.
        say: called with a message if the observations cannot be saved. The run continues.

    Raises:
        ModelError: the network cannot be quantised, or a range cannot be used.
        SourceError: an image cannot be read.
    """
    file = onnx_file.load_onnx(path)
    if state(file) == "quantised":
        table = RangeTable(
            origins.origin(path, [], spec, "its own"), stored_ranges(Network(file)), origins.provenance(0)
        )
        return Calibrated(forms.with_metadata(file, spec, table), table)
    network, wanted = float_network(file, spec.input_wh), origins.origin(path, images, spec, method, keep)
    if known is not None and known.origin == wanted:
        table, noise = known, {}
    else:
        choice = _choose(network, spec, images, wanted, state_file, progress, say)
        table, noise = (
            RangeTable(wanted, choice.ranges, origins.provenance(len(images)), choice.float_activations),
            choice.noise,
        )
    model = quantised(network, spec, table, images, progress)
    return Calibrated(model, table, noise, fresh=known is not table)


def quantised(
    network: Network,
    spec: ModelSpec,
    table: RangeTable,
    images: Sequence[str],
    progress: Progress = lambda label, total: lambda: None,
) -> onnx.ModelProto:
    """Writes the ranges of a table into a copy of a prepared network, and corrects the biases with the images."""
    keep = table.origin.keep
    marked = [name for name in ONNXRUNTIME.marked(network, keep) if name not in table.float_activations]
    limits = {name: table.ranges[name] for name in marked if name in table.ranges}
    rounded = rounding_points.shared(network, limits, list(limits))
    read = dict.fromkeys(node.input[0] for node in network.nodes if node.op_type == "Conv")
    some = images[:: max(1, len(images) // AVERAGED)][:AVERAGED]
    tick = progress("biases", len(some))
    means = observations.means(network.model, {name: rounded.get(name) for name in read}, spec, some, tick)
    model = quantize(network.copy(), table.ranges, ONNXRUNTIME, keep, means, table.float_activations)
    return forms.with_metadata(model, spec, table)


def _choose(
    network: Network,
    spec: ModelSpec,
    images: Sequence[str],
    wanted: Origin,
    state_file: Optional[Path],
    progress: Progress,
    say: Callable[[str], None],
) -> Choice:
    check_layers(network, wanted.keep)
    names = list(dict.fromkeys([*ONNXRUNTIME.marked(network, wanted.keep), *TENSORRT.marked(network, wanted.keep)]))
    tick = progress("ranges", len(images))
    key = json.dumps([wanted.model, wanted.images, wanted.preprocessing, names])
    seen = observations.collect(network.model, names, spec, images, state_file, key, tick, say)
    if wanted.method != "auto":
        return Choice(seen.ranges(wanted.method), (), {})
    return choose_ranges(network, seen, noise_probe(network, seen.ranges("minmax"), spec, images), wanted.keep)


def noise_probe(network: Network, seen: Mapping[str, Range], spec: ModelSpec, images: Sequence[str]) -> NoiseProbe:
    """Makes a probe of every activation that is rounded in ONNX Runtime's form, on a few of the images.

    Args:
        seen: by activation, a range that holds all its values.
    """
    marked = {name: seen[name] for name in ONNXRUNTIME.marked(network) if name in seen}
    some: List[str] = list(images[:: max(1, len(images) // PROBED)][:PROBED])
    with ThreadPoolExecutor(PROBED) as pool:
        return NoiseProbe(network.copy(), marked, [tensor for _, tensor in runs.prepared(some, spec, pool)])
