"""Calibration: a float network and sample images in, ranges of activations and a quantised network out."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Collection, Dict, List, Mapping, Optional, Sequence

from edge_runtime import __version__
from edge_runtime.calibrate import observations, runs
from edge_runtime.calibrate.auto import Choice, choose_ranges
from edge_runtime.calibrate.noise import NoiseProbe
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.calibrate.ranges.table import Origin, RangeTable
from edge_runtime.errors import ModelError
from edge_runtime.graph import rounding_points
from edge_runtime.graph.half import half
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import prepare, state
from edge_runtime.graph.quantize import ONNXRUNTIME, TENSORRT, check_layers, quantize
from edge_runtime.graph.stored_ranges import stored_ranges
from edge_runtime.graph.unround import to_float
from edge_runtime.model import onnx_file
from edge_runtime.model.spec import METADATA_KEY, RANGES_KEY, ModelSpec

if TYPE_CHECKING:
    import onnx

METHODS = ("auto", "entropy", "minmax", "mse", "percentile")
PREPARATION = ("input_wh", "resize", "pad_value", "color", "mean", "std")
PROBED, AVERAGED = 2, 64  # images for measuring noise, and for means; both are enough to be stable
Progress = Callable[[str, int], Callable[[], None]]


@dataclass(frozen=True)
class Calibrated:
    """What calibration gives.

    Attributes:
        model: quantised, in the form of ONNX Runtime and OpenVINO, the range table in its metadata.
        table: ranges, and what stays in float.
        noise: of each activation rounded alone, where that was measured; see `Probe`.
        fresh: whether the ranges were made now, rather than taken from an equal table.
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
) -> Calibrated:
    """Makes an INT8 model.

    Args:
        path: the float ONNX file; one that is quantised already keeps its own scales.
        spec: how images are prepared: that of the opened model.
        images: files, in order.
        method: one of `METHODS`.
        keep: layers that stay in float, by name.
        known: a range table to use if it is of the same origin; any other is passed over.
        state_file: where notes are kept on the way, so that a killed run goes on.
        progress: called with a label and a total, gives a function to call after each image.

    Raises:
        ModelError: the network cannot be quantised, or a range is not usable.
        SourceError: an image cannot be read.
    """
    file = onnx_file.load_onnx(path)
    if state(file) == "quantised":
        table = RangeTable(origin(path, [], spec, "its own"), stored_ranges(Network(file)), provenance(0))
        return Calibrated(with_metadata(file, spec, table), table)
    network, wanted = float_network(file, spec), origin(path, images, spec, method, keep)
    if known is not None and known.origin == wanted:
        table, noise = known, {}
    else:
        choice = _choose(network, spec, images, wanted, state_file, progress)
        table, noise = (
            RangeTable(wanted, choice.ranges, provenance(len(images)), choice.float_activations),
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
    """Writes a table's ranges into a copy of a prepared network, and corrects its biases by the images."""
    keep = table.origin.keep
    marked = [name for name in ONNXRUNTIME.marked(network, keep) if name not in table.float_activations]
    limits = {name: table.ranges[name] for name in marked if name in table.ranges}
    rounded = rounding_points.shared(network, limits, list(limits))
    read = dict.fromkeys(node.input[0] for node in network.nodes if node.op_type == "Conv")
    some = images[:: max(1, len(images) // AVERAGED)][:AVERAGED]
    tick = progress("biases", len(some))
    means = observations.means(network.model, {name: rounded.get(name) for name in read}, spec, some, tick)
    model = quantize(copied(network), table.ranges, ONNXRUNTIME, keep, means, table.float_activations)
    return with_metadata(model, spec, table)


def float_network(file: onnx.ModelProto, spec: ModelSpec) -> Network:
    """Prepared for quantising, its input at the size of the spec."""
    network = prepare(file)
    width, height = spec.input_wh
    value = next(value for value in network.model.graph.input if value.name == network.inputs[0])
    for dim, size in zip(value.type.tensor_type.shape.dim, (1, 3, height, width)):
        dim.dim_value = size
    return network


def copied(network: Network) -> Network:
    """A network to use up."""
    model = type(network.model)()
    model.CopyFrom(network.model)
    return Network(model)


def tensorrt_form(model: onnx.ModelProto, float16: bool = False) -> onnx.ModelProto:
    """What TensorRT wants of an INT8 file that we made: symmetric steps, roundings before what multiplies by weights.

    Args:
        float16: what is not in 8 bits is in float16, input and outputs of the network aside.

    Raises:
        ModelError: the file carries no range table.
    """
    text = next((p.value for p in model.metadata_props if p.key == RANGES_KEY), None)
    if text is None:
        raise ModelError("the model carries no range table", hint="edge-calibrate makes one that does")
    table, whole = RangeTable.from_json(text), type(model)()
    whole.CopyFrom(model)
    form = quantize(to_float(whole), table.ranges, TENSORRT, table.origin.keep, None, table.float_activations)
    return half(Network(form)) if float16 else form


def origin(path: str, images: Sequence[str], spec: ModelSpec, method: str, keep: Collection[str] = ()) -> Origin:
    """What a table of these would be made from."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(hashlib.sha256(Path(image).read_bytes()).digest())
    seen = {key: value for key, value in asdict(spec).items() if key in PREPARATION}
    prepared = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
    model = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Origin(model, digest.hexdigest(), prepared, method, tuple(sorted(keep)))


def provenance(images: int) -> Dict[str, object]:
    """For people who read a table."""
    return {"images": images, "edge_runtime": __version__}


def with_metadata(model: onnx.ModelProto, spec: ModelSpec, table: RangeTable) -> onnx.ModelProto:
    """Puts spec and range table into a model's metadata, in place; what was measured of the float model goes."""
    kept = [p for p in model.metadata_props if p.key not in (METADATA_KEY, RANGES_KEY, "measured")]
    entries = [(p.key, p.value) for p in kept] + [(METADATA_KEY, spec.to_json()), (RANGES_KEY, table.to_json())]
    del model.metadata_props[:]
    for key, value in entries:
        model.metadata_props.add(key=key, value=value)
    return model


def _choose(
    network: Network,
    spec: ModelSpec,
    images: Sequence[str],
    wanted: Origin,
    state_file: Optional[Path],
    progress: Progress,
) -> Choice:
    check_layers(network, wanted.keep)
    names = list(dict.fromkeys([*ONNXRUNTIME.marked(network, wanted.keep), *TENSORRT.marked(network, wanted.keep)]))
    tick = progress("ranges", len(images))
    key = json.dumps([wanted.model, wanted.images, wanted.preprocessing, names])
    seen = observations.collect(network.model, names, spec, images, state_file, key, tick)
    if wanted.method != "auto":
        return Choice(seen.ranges(wanted.method), (), {})
    return choose_ranges(network, seen, noise_probe(network, seen.ranges("minmax"), spec, images), wanted.keep)


def noise_probe(network: Network, seen: Mapping[str, Range], spec: ModelSpec, images: Sequence[str]) -> NoiseProbe:
    """Of every activation that ONNX Runtime's form rounds, on a few of the images.

    Args:
        seen: everything that was seen of the activations, or wider.
    """
    marked = {name: seen[name] for name in ONNXRUNTIME.marked(network) if name in seen}
    some: List[str] = list(images[:: max(1, len(images) // PROBED)][:PROBED])
    with ThreadPoolExecutor(PROBED) as pool:
        return NoiseProbe(copied(network), marked, [tensor for _, tensor in runs.prepared(some, spec, pool)])
