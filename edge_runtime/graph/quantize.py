"""Writes ranges into a network as QuantizeLinear and DequantizeLinear nodes, in the form that a runtime needs."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.graph import rounding_points
from edge_runtime.graph.channels import Axis, axis_of, per_channel, spread
from edge_runtime.graph.correction import Corrections, added_mean
from edge_runtime.graph.network import Network
from edge_runtime.graph.rounding_points import Range
from edge_runtime.graph.steps import step_and_zero

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]
LARGEST_BIAS = 2.0**30  # fits an int32, with room for the products
NONE = Corrections()


@dataclass(frozen=True)
class Form:
    """How a runtime needs the network to be quantised.

    Attributes:
        everywhere: activations are quantised between all operators; otherwise only before weighted ones.
        signed: int8 with a zero point of 0; otherwise uint8 with any zero point.
        float_bias: biases stay float32; otherwise they are int32 at the scale of the products.
        float_weights: weights stay float32, followed by a QuantizeLinear of their own; otherwise they are int8.
    """

    everywhere: bool
    signed: bool
    float_bias: bool
    float_weights: bool

    def marked(self, network: Network, keep: Collection[str] = ()) -> List[str]:
        """Returns the names of the activations that this form quantises."""
        return (rounding_points.everywhere if self.everywhere else rounding_points.before_weights)(network, keep)


ONNXRUNTIME = Form(everywhere=True, signed=False, float_bias=False, float_weights=False)
TENSORRT = Form(everywhere=False, signed=True, float_bias=True, float_weights=True)


def quantize(
    network: Network,
    ranges: Mapping[str, Range],
    form: Form,
    keep: Collection[str] = (),
    corrections: Corrections = NONE,
    float_activations: Collection[str] = (),
) -> onnx.ModelProto:
    """Quantises the network in place.

    Args:
        ranges: range of every activation that the form marks; others may be in it too.
        keep: names of nodes, or of their first outputs, that stay in float.
        float_activations: activations that stay in float. Weights that multiply them are rounded too, to save space.
        corrections: learned rounding of weights, and means for bias correction: what rounding adds to a convolution's
            mean output is subtracted from its bias (Nagel et al. 2019, arXiv 1906.04721).

    Raises:
        ModelError: a range is missing, or a name in `keep` does not exist.
    """
    check_layers(network, keep)
    marked = [name for name in form.marked(network, keep) if name not in float_activations]
    marked = [name for name in marked if name in ranges or name in network.types]  # what has no type had no range
    missing = [name for name in marked if name not in ranges]
    if missing:
        raise ModelError(f"{len(missing)} activations have no range, the first is {missing[0]}", hint="calibrate again")
    writer = _Writer(network, rounding_points.shared(network, ranges, marked), form, keep, corrections)
    writer.write()
    return network.model


def check_layers(network: Network, keep: Collection[str]) -> None:
    """Raises ModelError for a name that is neither the name of a node nor of a node's first output."""
    names = dict.fromkeys(name for node in network.nodes for name in (node.name, node.output[0]) if name)
    unknown = [name for name in keep if name not in names]
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(names), n=3)
        guess = f"did you mean {' or '.join(near)}? " if near else ""
        hint = f"{guess}a layer is named by its node or its first output; the report lists the layers"
        raise ModelError(f"no layer {unknown[0]!r} in the model", hint=hint)


class _Writer:
    """Adds the nodes of one form to one network."""

    def __init__(
        self, network: Network, ranges: Mapping[str, Range], form: Form, keep: Collection[str], by: Corrections
    ) -> None:
        self._network, self._form, self._keep, self._corrections = network, form, keep, by
        self._shapes = network.shapes if by.means else {}
        self._scales = {name: step_and_zero(limits, form.signed) for name, limits in ranges.items()}
        self._nodes: List[onnx.NodeProto] = []
        self._numbers: Dict[str, int] = {}
        self._prefix = _free_prefix(network)
        self._weights: Dict[Tuple[str, Axis], Tuple[str, Floats]] = {}  # name and scales of the weights that are done
        self._body = network.leading_to_weights()
        self._raw = rounding_points.moved_into_graphs(network)

    def write(self) -> None:
        """Goes through the nodes: each reads the 8-bit copies of its inputs, and its marked outputs get such copies."""
        for name in self._network.inputs:
            self._round(name)
        for node in self._network.nodes:
            if not rounding_points.kept(node, self._keep):
                self._read(node)
            self._nodes.append(node)
            for name in list(node.output):
                self._round(name)
        self._network.replace_nodes(self._nodes)
        del self._network.model.graph.value_info[:]  # it describes the float network

    def _read(self, node: onnx.NodeProto) -> None:
        """Makes a node read rounded values. In TensorRT's form only weighted operators and additions do."""
        inside = node.output[0] in self._body
        weighted = inside and self._network.weight(node) is not None
        if weighted:
            self._weigh(node)
        everywhere = self._form.everywhere and node.output[0] not in self._raw
        if everywhere or weighted or (inside and node.op_type == "Add"):
            for place, name in enumerate(node.input):
                if name in self._scales:
                    node.input[place] = f"{self._short(name)}.dq"

    def _round(self, name: str) -> None:
        """Adds nodes that quantise an activation and dequantise it again."""
        if name not in self._scales:
            return
        (scale, zero), short = self._scales[name], self._short(name)
        parameters = [self._network.set_constant(f"{short}.s", scale), self._zero(zero)]
        self._add("QuantizeLinear", [name, *parameters], f"{short}.q")
        self._add("DequantizeLinear", [f"{short}.q", *parameters], f"{short}.dq")

    def _weigh(self, node: onnx.NodeProto) -> None:
        """Quantises a node's weight per output channel, and its bias. With a float input the bias stays in float."""
        place, axis = self._network.weight_place(node), axis_of(self._network, node)
        assert place is not None
        name, source = node.input[place], self._network.multiplied(node)
        step = self._scales[source][0] if source in self._scales else None
        if (name, axis) not in self._weights:
            self._weights[name, axis] = self._weight(name, axis, self._bias(node), step)
        node.input[place], scales = self._weights[name, axis]
        self._correct(node, name, scales)
        if len(node.input) > 2 and node.input[2] and not self._form.float_bias and step is not None:
            self._round_bias(node, scales * step)

    def _weight(self, name: str, axis: Axis, bias: Optional[Floats], step: Optional[Floats]) -> Tuple[str, Floats]:
        weight = self._network.constants[name].astype(np.float32)
        if not np.isfinite(weight).all():
            raise ModelError(f"the weights {name} are not finite", hint="export the model again")
        again = any(name == other for other, _ in self._weights)  # along another axis
        short = self._short(f"{name}.{axis}" if again else name)
        others = tuple(k for k in range(weight.ndim) if k != axis)
        scales = np.maximum(np.abs(weight).max(axis=others) / 127, 1e-12)
        if step is not None and axis is not None and per_channel(bias, len(scales)):
            # if the weights of a channel are tiny, its bias must not overflow
            largest = np.abs(np.asarray(bias)).reshape(-1, len(scales)).max(axis=0)
            scales = np.maximum(scales, largest / (step * LARGEST_BIAS))
        scales = scales.astype(np.float32)
        parameters = [self._network.set_constant(f"{short}.s", scales), self._zero(np.zeros(scales.shape, np.int8))]
        source, along = name, {} if axis is None else {"axis": axis}
        if self._form.float_weights:
            source = self._add("QuantizeLinear", [name, *parameters], f"{short}.q", **along)
        else:
            steps = self._steps(name, spread(scales, axis, weight.ndim))
            source = self._network.set_constant(f"{short}.q", steps.astype(np.int8))
        return self._add("DequantizeLinear", [source, *parameters], f"{short}.dq", **along), scales

    def _steps(self, name: str, scales: Floats) -> Floats:
        """Rounds a weight, as it was learned or to the nearest. `scales` multiplies it."""
        weight: Floats = self._corrections.weights.get(name, self._network.constants[name]).astype(np.float32)
        steps: Floats = np.clip(np.round(weight / scales), -127, 127)
        return steps

    def _bias(self, node: onnx.NodeProto) -> Optional[Floats]:
        known = node.op_type != "MatMul" and len(node.input) > 2 and node.input[2] in self._network.constants
        return self._network.constants[node.input[2]].astype(np.float32) if known else None

    def _correct(self, node: onnx.NodeProto, name: str, scales: Floats) -> None:
        """Subtracts from the bias what rounded weights and inputs add to the mean output."""
        source, bias = node.input[0], self._bias(node)
        unknown = len(node.input) > 2 and node.input[2] and bias is None
        if source not in self._corrections.means or node.op_type != "Conv" or unknown:
            return
        weight = self._network.constants[name].astype(np.float32)
        wide, means = spread(scales, 0, weight.ndim), self._corrections.means[source]
        added = added_mean(node, weight, self._steps(name, wide) * wide, means, self._shapes.get(source, ()))
        value = ((0.0 if bias is None else bias) - added).astype(np.float32)
        corrected = self._network.set_constant(f"{node.output[0]}.bias", value)
        if len(node.input) > 2:
            node.input[2] = corrected
        else:
            node.input.append(corrected)

    def _round_bias(self, node: onnx.NodeProto, scales: Floats) -> None:
        """Rounds a bias with one value per output channel. One that an int32 does not hold stays in float."""
        bias = self._bias(node)
        if bias is None or not per_channel(bias, scales.size):
            return
        each = np.resize(scales, bias.shape)  # the groups of a ConvTranspose share the scales of their channels
        rounded = np.round(bias.astype(np.float64) / each)
        if np.abs(rounded).max() >= 2.0**31:
            return
        short = self._short(f"{node.output[0]}.bias")
        inputs = [
            self._network.set_constant(f"{short}.q", rounded.astype(np.int32)),
            self._network.set_constant(f"{short}.s", each.astype(np.float32)),
        ]
        node.input[2] = self._add("DequantizeLinear", inputs, f"{short}.dq", axis=0)

    def _short(self, name: str) -> str:
        """Returns a short name with a number. Long names would be a tenth of a small INT8 file."""
        return f"{self._prefix}{self._numbers.setdefault(name, len(self._numbers))}"

    def _zero(self, value: NDArray[np.generic]) -> str:
        """Returns the name of a zero point. Equal ones share one constant, to keep small models small."""
        kind = f"{value.dtype.kind}{8 * value.dtype.itemsize}"
        name = f"{self._prefix[1:]}{kind}.{value.reshape(-1)[0]}" + (f".{value.size}" if value.ndim else "")
        return name if name in self._network.constants else self._network.set_constant(name, value)

    def _add(self, op: str, inputs: List[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output


def _free_prefix(network: Network) -> str:
    """The beginning of the names that we give: one that no tensor of the network has."""
    names = {*network.constants, *network.inputs, *(name for node in network.nodes for name in node.output)}
    prefix = "q"
    while any(re.fullmatch(rf"{prefix}\d+\.(s|q|dq)|{prefix[1:]}[iu]\d+\.\d+(\.\d+)?", name) for name in names):
        prefix += "q"
    return prefix
