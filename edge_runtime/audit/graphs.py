"""Two ONNX graphs: which tensors of one are tensors of the other, and sessions that show them."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit.likeness import Floats
from edge_runtime.backends import onnxruntime as ours
from edge_runtime.backends._failures import explained, said_of
from edge_runtime.graph.constants import tensor_of
from edge_runtime.graph.network import WEIGHTED
from edge_runtime.model import inputs, onnx_file
from edge_runtime.model.spec import ModelIO, Shape

if TYPE_CHECKING:
    import onnx

GIVEN = "/given"  # suffix of a tensor that is given to a graph and not computed
ROUNDED = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
BEHIND = {"ConvInteger": ("Cast", "Mul", "Add"), "MatMulInteger": ("Cast", "Mul", "Add"),
          "QLinearConv": ("DequantizeLinear",), "QLinearMatMul": ("DequantizeLinear",)}  # fmt: skip
SAME = {"DequantizeLinear", "Cast", "Identity"}  # may stand where the other file has the operator itself
FLOAT, HALF, INT8 = "float", "fp16", "int8"
Values = Dict[str, NDArray[Any]]


class Graph:
    """The graph of a file.

    Attributes:
        made: by tensor, the node that writes it; without those inside If and Loop.
        precision: "float", "fp16" or "int8".

    Raises:
        ModelError: the file cannot be read.
    """

    def __init__(self, path: str, io: ModelIO) -> None:
        self.path, self.io = path, io
        self.model = onnx_file.load_whole(path)
        self.made = {name: node for node in self.model.graph.node for name in node.output if name}
        self.precision = _precision(self.model)
        self._stored = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self._readers: Dict[str, List[onnx.NodeProto]] = {}
        for node in self.model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    @property
    def weighted(self) -> List[str]:
        """What the operators with weights write, behind their BatchNormalization, or their scale and bias."""
        kinds = (*WEIGHTED, *BEHIND)
        return [self.behind(name) for name, node in self.made.items() if node.op_type in kinds]

    def constant(self, name: str) -> Optional[NDArray[Any]]:
        """An initializer, or what a Constant holds, of any shape; None if it is neither."""
        from onnx import numpy_helper

        made = self.made.get(name)
        found = self._stored.get(name) if made is None else tensor_of(made) if made.op_type == "Constant" else None
        return None if found is None else numpy_helper.to_array(found)

    def read_by(self, name: str) -> List[str]:
        """What the operators that read a tensor write."""
        return [output for node in self._readers.get(name, []) for output in node.output]

    def show(self, names: Sequence[str]) -> Shown:
        """What computes these tensors, operator by operator as the file has them."""
        return Shown(self.path, self.model, names)

    def feeds(self, tensor: Floats) -> Values:
        """What the session of a file is given for a prepared picture (3, H, W)."""
        io = self.io
        batch = np.repeat(tensor[None], io.input_shape[0], axis=0)
        array = np.moveaxis(batch, 1, -1) if io.channels_last else batch
        dtype = np.dtype(io.dtypes[io.input_name])
        array = np.clip(np.rint(array), 0, 255) if dtype == np.uint8 else array
        return {io.input_name: array.astype(dtype), **inputs.given(io)}

    def behind(self, name: str) -> str:
        """What stands for the result of an operator with weights: the last of the operators that belong to it."""
        op, readers = self.made[name].op_type, self._readers.get(name, [])
        while len(readers) == 1 and readers[0].op_type in BEHIND.get(op, ("BatchNormalization",)):
            name = readers[0].output[0]
            readers = self._readers.get(name, [])
        return name


def by_name(first: Graph, second: Graph) -> Dict[str, str]:
    """Tensors of the first and of the second that have one name and come from one operator, in the second's order.

    Where only one of them has a BatchNormalization, what follows from it stands for the convolution of the other.
    """
    found: Dict[str, str] = {}
    for name, node in second.made.items():
        before = first.made.get(name)
        ops = {node.op_type, before.op_type} if before is not None else set()
        if before is None or (len(ops) > 1 and not ops & SAME):
            continue
        if node.op_type not in WEIGHTED or (first.behind(name) == name) == (second.behind(name) == name):
            found[name] = name
        else:
            found[first.behind(name)] = second.behind(name)
    return found


def by_place(first: Mapping[str, Shape], second: Mapping[str, Shape]) -> Dict[str, str]:
    """Tensors of operators with weights that have one place and one shape, in the second's order.

    Args:
        first, second: shapes of such tensors, in the order of the graph.
    """
    names, others = list(first), list(second)
    matcher = SequenceMatcher(None, list(first.values()), list(second.values()), autojunk=False)
    found: Dict[str, str] = {}
    for start, other, size in matcher.get_matching_blocks():
        found.update(zip(names[start : start + size], others[other : other + size]))
    return found


def cut(graph: Graph, values: Mapping[str, NDArray[Any]]) -> Shown:
    """Shows these tensors, with each of them given, as NAME/given, to the nodes that read it.

    Args:
        values: an example of each, any shape.
    """
    from onnx import helper

    changed = type(graph.model)()
    changed.CopyFrom(graph.model)
    for node in changed.graph.node:
        for place, name in enumerate(node.input):
            if name in values:
                node.input[place] = name + GIVEN
    for name, value in values.items():
        number = helper.np_dtype_to_tensor_dtype(value.dtype)
        changed.graph.input.append(helper.make_tensor_value_info(name + GIVEN, number, value.shape))
    return Shown(graph.path, changed, list(values))


class Shown:
    """A graph without any optimisation, which shows some tensors; each has the values of its own type.

    Raises:
        ModelError: ONNX Runtime cannot run it.
    """

    def __init__(self, path: str, model: onnx.ModelProto, names: Sequence[str]) -> None:
        self._path, self._names = path, list(names)
        self._session = _session(path, _showing(model, names)) if names else None

    def values(self, feeds: Values) -> Values:
        """The tensors by name."""
        if self._session is None:
            return {}
        with said_of("onnxruntime", self._path):
            return dict(zip(self._names, self._session.run(self._names, feeds)))


def _session(path: str, model: onnx.ModelProto) -> Any:
    library = ours.library()
    options = library.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = library.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types are not public
        raise explained("onnxruntime", path, error) from error


def _showing(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    shown = type(model)()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    for name in names:
        shown.graph.output.add(name=name)
    return shown


def _precision(model: onnx.ModelProto) -> str:
    if any(node.op_type in ROUNDED for node in model.graph.node):
        return INT8
    halves = [tensor for tensor in model.graph.initializer if tensor.data_type == 10]
    return HALF if halves or _casts(model) else FLOAT


def _casts(model: onnx.ModelProto) -> Optional[Tuple[int, ...]]:
    """The Casts to float16, if there are any."""
    found = (a.i for node in model.graph.node if node.op_type == "Cast" for a in node.attribute if a.name == "to")
    return tuple(number for number in found if number == 10) or None
