"""Makes ranges, and a quantised network, from a float network and images."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from edge_runtime.calibrate import corrections, forms, observations, origins, remarks, runs
from edge_runtime.calibrate.auto import Choice, choose_ranges
from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.calibrate.ranges.table import Origin, RangeTable
from edge_runtime.graph import rounding_points
from edge_runtime.graph.correction import Corrections
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import float_network, state
from edge_runtime.graph.products import InFloat, in_float
from edge_runtime.graph.quantize import ONNXRUNTIME, TENSORRT, check_layers, quantize
from edge_runtime.graph.stored_ranges import stored_ranges
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import RANGES_KEY, ModelSpec

if TYPE_CHECKING:
    import onnx

METHODS = ("auto", "entropy", "minmax", "mse", "percentile")
OWN = "its own"  # the method of a file that is INT8 already: it keeps its ranges
ALREADY = "It runs as it is, and edge-build builds a plan of it; to calibrate, give its float original"
PROBED = 2  # images to measure noise; it gives stable results
Progress = Callable[[str, int], Callable[[], None]]


@dataclass(frozen=True)
class Calibrated:
    """The result of a calibration.

    Attributes:
        model: the quantised model, in the form of ONNX Runtime and OpenVINO, with the range table in its metadata.
        table: ranges, and what stays in float.
        noise: noise if only this activation is rounded, by activation, if it was measured; see `NoiseProbe`.
        learned: what the images told beside the ranges.
        fresh: whether the ranges were made now; False if they come from a table of the same origin.
        notes: sentences that a user should read.
        in_float: operators that multiply and stay in float, those with most multiplications first.
    """

    model: onnx.ModelProto
    table: RangeTable
    noise: Dict[str, float] = field(default_factory=dict)
    learned: Corrections = field(default_factory=Corrections)
    fresh: bool = True
    notes: Tuple[str, ...] = ()
    in_float: Tuple[InFloat, ...] = ()

    @property
    def float_share(self) -> float:
        """Part of the multiplications that stay in float on every runtime, 0 to 1."""
        return sum(each.share for each in self.in_float if each.everywhere)

    @property
    def float_share_onnxruntime(self) -> float:
        """The same on ONNX Runtime."""
        return sum(each.share for each in self.in_float)

    @property
    def given(self) -> bool:
        """Whether the file was INT8 already, so that nothing was made."""
        return self.table.origin.method == OWN


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
    file = onnx_file.load_whole(path)
    own = _own_table(file)
    if own is not None:
        return Calibrated(file, own)
    if state(file) == "quantised":
        table = RangeTable(origins.origin(path, [], spec, OWN), stored_ranges(Network(file)), origins.provenance(0))
        return Calibrated(forms.with_metadata(file, spec, table), table)
    network, wanted = network_of(path, spec, file), origins.origin(path, images, spec, method, keep)
    noise: Dict[str, float] = {}
    if known is not None and known.origin == wanted:
        table = known
    else:
        table, noise = _measured(network, spec, images, wanted, state_file, progress, say)
    learned = corrections.learn(network, rounded(network, table), spec, images, keep, progress)
    model = quantised(network, spec, table, learned)
    return described(Calibrated(model, table, noise, learned, fresh=known is not table), network)


def int8_already(path: str) -> str:
    """Returns a sentence about a file that is INT8 already, with the way out; "" for a float file.

    Raises:
        ModelError: it is quantised in part, dynamically, or made of quantised operators.
    """
    file = onnx_file.load_onnx(path)
    ours = _own_table(file) is not None
    if not ours and state(file) == "float":
        return ""
    whose = "edge-calibrate made it" if ours else "it rounds weights and activations itself"
    return f"{path} is INT8 already, {whose}: it keeps its own ranges and nothing is calibrated. {ALREADY}"


def _own_table(file: onnx.ModelProto) -> Optional[RangeTable]:
    """The range table of a file that we made, as its own."""
    text = next((entry.value for entry in file.metadata_props if entry.key == RANGES_KEY), None)
    table = RangeTable.from_json(text) if text else None
    return table and replace(table, origin=replace(table.origin, method=OWN))


def network_of(path: str, spec: ModelSpec, file: Optional[onnx.ModelProto] = None) -> Network:
    """Returns the float network of a file, prepared for quantising. The types of all its tensors are known.

    Args:
        file: the content of the file, with all weights, if it was read already. It is changed.

    Raises:
        ModelError: the file cannot be read or prepared.
    """
    network = float_network(file or onnx_file.load_whole(path), spec.input_wh)
    runs.learn_types(network)
    return network


def described(made: Calibrated, network: Network) -> Calibrated:
    """Returns the result with its notes, and with the list of what stays in float."""
    keep, free = made.table.origin.keep, made.table.float_activations
    marked = set(ONNXRUNTIME.marked(network, keep)) - set(free)
    return replace(made, notes=remarks.of(network, made.table), in_float=tuple(in_float(network, marked, keep, free)))


def rounded(network: Network, table: RangeTable) -> Dict[str, Range]:
    """Returns the activations that a table rounds in ONNX Runtime's form, with the ranges that they have there."""
    marked = ONNXRUNTIME.marked(network, table.origin.keep)
    limits = {name: table.ranges[name] for name in marked if name in table.ranges}
    return rounding_points.shared(network, limits, [name for name in limits if name not in table.float_activations])


def quantised(network: Network, spec: ModelSpec, table: RangeTable, learned: Corrections) -> onnx.ModelProto:
    """Writes the ranges of a table and what was learned from images into a copy of a prepared network."""
    model = quantize(network.copy(), table.ranges, ONNXRUNTIME, table.origin.keep, learned, table.float_activations)
    return forms.with_metadata(model, spec, table)


def _measured(
    network: Network,
    spec: ModelSpec,
    images: Sequence[str],
    wanted: Origin,
    state_file: Optional[Path],
    progress: Progress,
    say: Callable[[str], None],
) -> Tuple[RangeTable, Dict[str, float]]:
    """Returns a new range table, and the noise of each activation if it was measured."""
    check_layers(network, wanted.keep)
    names = list(dict.fromkeys([*ONNXRUNTIME.marked(network, wanted.keep), *TENSORRT.marked(network, wanted.keep)]))
    tick = progress("ranges", len(images))
    key = json.dumps([wanted.model, wanted.images, wanted.preprocessing, names])
    seen = observations.collect(network.model, names, spec, images, state_file, key, tick, say)
    if wanted.method != "auto":
        choice = Choice(seen.ranges(wanted.method), (), {})
    else:
        probe = noise_probe(network, seen.ranges("minmax"), spec, images)
        choice = choose_ranges(network, seen, probe, wanted.keep)
    about = {**origins.provenance(len(images)), **remarks.facts(seen)}
    free = (*choice.float_activations, *(name for name in seen.huge if name not in choice.float_activations))
    return RangeTable(wanted, remarks.usable(network, choice.ranges, seen), about, free), choice.noise


def noise_probe(network: Network, seen: Mapping[str, Range], spec: ModelSpec, images: Sequence[str]) -> NoiseProbe:
    """Makes a probe of every activation that is rounded in ONNX Runtime's form, on a few of the images.

    Args:
        seen: by activation, a range that holds all its values.
    """
    marked = {name: seen[name] for name in ONNXRUNTIME.marked(network) if name in seen}
    some: List[str] = list(images[:: max(1, len(images) // PROBED)][:PROBED])
    with ThreadPoolExecutor(PROBED) as pool:
        feeds = [runs.batched(network.model, tensor) for _, tensor in runs.prepared(some, spec, pool)]
    return NoiseProbe(network, marked, feeds)
