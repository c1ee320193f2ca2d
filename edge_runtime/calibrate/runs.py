"""Runs a float network over prepared images and returns its activations."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import onnxruntime as ours
from edge_runtime.errors import BackendUnavailable
from edge_runtime.graph.network import WEIGHTED, Network
from edge_runtime.machine import cores
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.sources.image import ImageSource

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]


def session(model: onnx.ModelProto, names: Sequence[str], threads: int = 0) -> Any:
    """Returns an ONNX Runtime session that also outputs the named activations.

    Args:
        threads: number of threads; 0 for all cores.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed, or broken.
    """
    reason = ours.available()
    if reason:
        raise BackendUnavailable(reason, hint="calibration always needs it; edge-doctor says more")
    onnxruntime = ours.library()
    from onnx import ValueInfoProto

    known = {value.name for value in model.graph.output}
    added = [ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in known]
    exposed = type(model)()
    exposed.CopyFrom(model)
    exposed.graph.output.extend(added)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # between two runs we need the cores
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    return onnxruntime.InferenceSession(exposed.SerializeToString(), options, providers=providers)


def runner(model: onnx.ModelProto, names: Sequence[str]) -> Callable[[Floats], List[Floats]]:
    """Returns a function that takes one picture (1, 3, H, W) and returns the named activations.

    The input may be one of them. A network whose batch is fixed gets the picture as many times.
    """
    feed = _input(model)
    wanted = [name for name in names if name != feed.name]
    inside = session(model, wanted)

    def run(tensor: Floats) -> List[Floats]:
        tensor = batched(model, tensor)
        values: Dict[str, Floats] = dict(zip(wanted, inside.run(wanted, {feed.name: tensor})), **{feed.name: tensor})
        return [values[name] for name in names]

    return run


def learn_types(network: Network) -> None:
    """Runs the network once on an empty picture if types or sizes cannot be told from the graph, and keeps them.

    A network that does not run is left as it is: what runs it later says why.
    """
    shapes = network.shapes
    made = [(node, name) for node in network.nodes for name in node.output if name]

    def sized(node: onnx.NodeProto, name: str) -> bool:
        """Whether the size of a tensor matters: it enters or leaves an operator with weights."""
        return any(each.op_type in WEIGHTED for each in (node, *network.consumers(name)))

    missing = [n for node, n in made if n not in network.types or (n not in shapes and sized(node, n))]
    if not missing:
        return
    dims = _input(network.model).type.tensor_type.shape.dim
    with contextlib.suppress(Exception):  # ONNX Runtime's own types
        empty = np.zeros([dim.dim_value for dim in dims], np.float32)
        found = session(network.model, missing).run(missing, {network.inputs[0]: empty})
        network.learn({n: value for n, value in zip(missing, found) if isinstance(value, np.ndarray)})


def batched(model: onnx.ModelProto, tensor: Floats) -> Floats:
    """Returns a picture (1, 3, H, W) as often as the fixed batch of the network needs it, (B, 3, H, W)."""
    batch = _input(model).type.tensor_type.shape.dim[0].dim_value
    return tensor if batch <= len(tensor) else np.repeat(tensor, batch, axis=0)


def _input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    weights = {tensor.name for tensor in model.graph.initializer}
    found: onnx.ValueInfoProto = next(value for value in model.graph.input if value.name not in weights)
    return found


def prepared(images: Sequence[str], spec: ModelSpec, pool: ThreadPoolExecutor) -> Iterator[Tuple[str, Floats]]:
    """Yields (path, network input (1, 3, H, W)) in order. A few images are prepared ahead.

    Raises:
        SourceError: an image cannot be read.
    """
    width, height = spec.input_wh

    def prepare(path: str) -> Floats:
        frame = ImageSource(path).read()
        assert frame is not None
        tensor = np.zeros((1, 3, height, width), np.float32)
        ops.prepare_image(frame.image, spec, tensor[0])
        return tensor

    ahead = cores()
    waiting = [(path, pool.submit(prepare, path)) for path in images[:ahead]]
    for number in range(len(images)):
        path, future = waiting.pop(0)
        if number + ahead < len(images):
            following = images[number + ahead]
            waiting.append((following, pool.submit(prepare, following)))
        yield path, future.result()
