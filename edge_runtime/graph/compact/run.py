"""Runs networks with ONNX Runtime on the processor: to see values of fixed channels, and to compare two networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime import libraries
from edge_runtime.errors import BackendUnavailable, ModelError
from edge_runtime.libraries.extras import install_hint
from edge_runtime.model import onnx_file

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
Feed = Mapping[str, Array]
LEAST = 1e-6  # outputs smaller than this count as this large


class Runner:
    """An open network; it can give more tensors than its outputs.

    Args:
        joined: whether ONNX Runtime may join operators, as it does for users.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed.
        ModelError: it does not open the network.
    """

    def __init__(self, model: onnx.ModelProto, more: Sequence[str] = (), joined: bool = True) -> None:
        from onnx import ValueInfoProto

        reason = libraries.missing("onnxruntime", install_hint("cpu"))
        if reason:
            raise BackendUnavailable(f"compaction compares both networks: {reason}", hint="or compact it elsewhere")
        runtime: Any = libraries.load_library("onnxruntime")
        exposed = type(model)()
        exposed.CopyFrom(model)
        known = {value.name for value in model.graph.output}
        exposed.graph.output.extend(ValueInfoProto(name=name) for name in more if name not in known)
        for node in exposed.graph.node:
            node.name = ""  # two of the same name are refused
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        if not joined:
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.names = [value.name for value in exposed.graph.output]
        try:
            self._session = runtime.InferenceSession(
                exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # types of its own
            raise _refused(error) from error

    def run(self, feed: Feed) -> Dict[str, Array]:
        """Returns the outputs by name, of any shape.

        Raises:
            ModelError: ONNX Runtime does not run the network.
        """
        try:
            return dict(zip(self.names, self._session.run(self.names, dict(feed))))
        except Exception as error:  # types of its own
            raise _refused(error) from error


def _refused(error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:300]
    return ModelError(f"ONNX Runtime does not run the network: {reason}", hint="export it again")


def random_feeds(model: onnx.ModelProto, count: int, images: int = 1) -> Iterator[Dict[str, Array]]:
    """Yields inputs: noise, of 0 to 1 in turn with normal numbers. Inputs that are no image are 1.

    Args:
        images: size of an open batch.

    Raises:
        ModelError: a size other than the batch is open.
    """
    from onnx import helper

    numbers = np.random.default_rng(0)
    given = onnx_file.inputs_of(model)
    for number in range(count):
        feed: Dict[str, Array] = {}
        for name, value in given.items():
            kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            feed[name] = _noise(numbers, _sizes(value, images), number % 2 == 1, kind)
        yield feed


def _noise(numbers: np.random.Generator, sizes: Sequence[int], normal: bool, kind: Any) -> Array:
    if len(sizes) != 4:
        return np.ones(sizes, kind)
    if np.dtype(kind).kind != "f":
        return numbers.integers(0, 127, sizes).astype(kind)
    return np.asarray(numbers.standard_normal(sizes) if normal else numbers.random(sizes)).astype(kind)


def _sizes(value: onnx.ValueInfoProto, images: int) -> List[int]:
    """The sizes of an input with its batch filled in."""
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    if any(size < 1 for size in sizes[1:]):
        raise ModelError(f"the size of {value.name} is open: {sizes}", hint="--imgsz N fixes it")
    return [images if size < 1 else size for size in sizes[:1]] + sizes[1:]


def difference(before: Mapping[str, Array], after: Mapping[str, Array]) -> float:
    """Returns the largest relative difference of two runs: of each output, over the largest value of the first."""
    return max(_difference(value, after[name]) for name, value in before.items())


def _difference(first: Array, second: Array) -> float:
    if first.shape != second.shape or first.dtype != second.dtype:
        return float("inf")
    if first.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(first, second) else float("inf")
    one, two = first.astype(np.float64), second.astype(np.float64)
    odd = ~(np.isfinite(one) & np.isfinite(two))
    if not np.array_equal(one[odd], two[odd], equal_nan=True):
        return float("inf")
    size = max(np.abs(one[~odd]).max(initial=0), LEAST)
    return float(np.abs(one[~odd] - two[~odd]).max(initial=0) / size)
