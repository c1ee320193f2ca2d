"""The network that TensorRT gets for each precision.

With strong typing the precision is written into the network. With weak typing (8.x) the network stays float32, except
for its roundings, and flags of the builder give the precision.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Mapping, Optional, Tuple

from edge_runtime import calibrate
from edge_runtime.accuracy.evidence import Evidence
from edge_runtime.calibrate import stamp
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.graph.batch import open_batch
from edge_runtime.graph.branches import settle_branches
from edge_runtime.graph.float32_kinds import ROUNDING, float32_kinds
from edge_runtime.graph.half import half
from edge_runtime.graph.inputs import plain_input
from edge_runtime.graph.lists import fix_rows
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import prepare, simplify, state
from edge_runtime.graph.unround import to_float
from edge_runtime.model import onnx_file, outputs
from edge_runtime.model.spec import RANGES_KEY, ModelSpec

if TYPE_CHECKING:
    import onnx

PRECISIONS = ("fp32", "fp16", "int8", "int8+fp16")


@dataclass(frozen=True)
class BuildInput:
    """A model to build from.

    Attributes:
        path: the ONNX file.
        model: the content of the file, or of the INT8 model that was calibrated from it.
        spec: how images are prepared.
        keep: first outputs of nodes that float16 would spoil. They stay in float32.
        half: what is known about its float16 form, plain data for the passport; see `Study.summary`.
    """

    path: str
    model: onnx.ModelProto
    spec: ModelSpec
    keep: Tuple[str, ...] = ()
    half: Mapping[str, Any] = field(default_factory=dict)

    @property
    def onnx_hash(self) -> str:
        """SHA-256 of the file, and of the files that hold its weights."""
        return onnx_file.digest(self.path)

    @property
    def ranges_hash(self) -> str:
        """SHA-256 of the range table in the model; "" if there is no table."""
        text = self._metadata.get(RANGES_KEY)
        return hashlib.sha256(text.encode()).hexdigest() if text else ""

    @property
    def quantised(self) -> bool:
        """Whether an INT8 engine can be built from it."""
        return RANGES_KEY in self._metadata

    @property
    def evidence(self) -> Optional[Evidence]:
        """What the verdict in the file saw of the loss by INT8; None if the file has no verdict on this network."""
        return stamp.read_evidence(self.model, self.path)

    @property
    def _metadata(self) -> Dict[str, str]:
        return {entry.key: entry.value for entry in self.model.metadata_props}


def load_input(path: str, spec: ModelSpec, calibrated: Optional[onnx.ModelProto] = None) -> BuildInput:
    """Reads a file to build from. A file that another program quantised keeps its own scales.

    Outputs with another number of rows for each image get a fixed number, which a plan needs.

    Raises:
        ModelError: the file is not ONNX, or is quantised in a form that cannot be built.
    """
    io = onnx_file.read_io(path, spec.input_wh)
    model = calibrated or onnx_file.load_whole(path)
    if RANGES_KEY not in (entry.key for entry in model.metadata_props) and state(model) == "quantised":
        model = calibrate.calibrate(path, spec, []).model
    fix_rows(model, {name: io.stored[name] for name in outputs.lists(io)})
    return BuildInput(path, model, spec)


def form(source: BuildInput, precision: str, strong: bool, batch: int = 1, depthwise: bool = True) -> onnx.ModelProto:
    """Returns the network in one precision, with an input of fixed size.

    Args:
        precision: one of PRECISIONS.
        strong: whether the builder takes precision from the network alone.
        batch: images per run.
        depthwise: whether depthwise convolutions are quantised, too.

    Raises:
        UsageError: INT8 was asked for, but the model has no ranges.
    """
    if precision.startswith("int8"):
        if not source.quantised:
            raise UsageError(
                f"{source.path} has no activation ranges, which INT8 needs",
                hint="make a file that has them with edge-calibrate, or give sample images with --calib DIR",
            )
        half_too = strong and precision == "int8+fp16"
        made = calibrate.tensorrt_form(source.model, half_too, source.keep, depthwise)
        _fix(made, source.spec, batch)
        return made
    network = float_form(source, batch)
    return half(network, source.keep) if strong and precision == "fp16" else network.model


def batched(
    source: BuildInput, precision: str, strong: bool, batch: int, depthwise: bool, opens: bool
) -> Tuple[onnx.ModelProto, int]:
    """Returns what `form` gives, with an open batch if that is possible, and the fewest images that it then runs.

    Args:
        opens: whether the device takes an open batch. If not, a file for one image is opened for full batches only.

    Raises:
        UsageError: see `form`.
        ModelError: the file is for one image, and cannot be opened.
    """
    stored = next(iter(onnx_file.batches_of(source.model)), 1)
    if batch > 1 and (stored == 1 or (opens and stored < 1)):
        try:
            network = open_batch(form(source, precision, strong, 1, depthwise))
        except ModelError:
            if stored == 1:
                raise
        else:
            if not opens:
                _fix(network, source.spec, batch)
            return network, 1 if opens else batch
    return form(source, precision, strong, batch, depthwise), batch


def float_form(source: BuildInput, batch: int = 1) -> Network:
    """Returns the network in float32, with an input of fixed size."""
    copy = type(source.model)()
    copy.CopyFrom(source.model)
    plain_input(copy, source.spec.input_wh, batch)
    network = to_float(copy) if source.quantised else prepare(copy)
    _fix(network.model, source.spec, batch)
    if settle_branches(network, sized=True):
        simplify(network)
    return network


def name_float32_layers(model: onnx.ModelProto, keep: Collection[str], kinds: bool = True) -> List[str]:
    """Gives names to the nodes of a weakly typed network that stay in float32, and returns these names.

    TensorRT's layers have the names of their nodes. Nodes with 8-bit numbers are not among them.

    Args:
        keep: first outputs of nodes.
        kinds: whether nodes stay in float32 because of what they are, too.
    """
    network = Network(model)
    named = {*keep, *(float32_kinds(network) if kinds else ())}
    found = [n for n in network.nodes if n.output[0] in named and n.op_type not in ROUNDING]
    for node in found:
        node.name = node.output[0]
    return [node.name for node in found]


def _fix(model: onnx.ModelProto, spec: ModelSpec, batch: int) -> None:
    """Sets the size of the input. The parser computes the other sizes from it."""
    given = next(value for value in model.graph.input if value.name == Network(model).inputs[0])
    width, height = spec.input_wh
    for dim, size in zip(given.type.tensor_type.shape.dim, (batch, 3, height, width)):
        dim.dim_value = size
    for value in model.graph.output:
        sizes = value.type.tensor_type.shape.dim
        if sizes and not (batch == 1 and sizes[0].dim_value):  # an open number of objects would be a list
            sizes[0].dim_param = "batch"
    del model.graph.value_info[:]
