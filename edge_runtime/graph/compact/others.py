"""A look at a compacted network with the other library of this machine that runs ONNX files, OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

from edge_runtime import libraries
from edge_runtime.errors import ModelError
from edge_runtime.graph.compact.run import Array, Feed, difference, random_feeds
from edge_runtime.libraries.extras import install_hint

if TYPE_CHECKING:
    import onnx

ALIKE = 1e-4  # largest relative difference: it adds in another order, and may join other operators


def opened_by(file: onnx.ModelProto, made: onnx.ModelProto) -> List[str]:
    """Returns the libraries that open the compacted network. ONNX Runtime has compared it already.

    A file that OpenVINO does not run is not tried there.

    Raises:
        ModelError: OpenVINO runs the file and not the result, or the result differs.
    """
    if libraries.missing("openvino", install_hint("openvino")):
        return ["onnxruntime"]
    feed = next(random_feeds(made, 1))
    try:
        before = _run(file, feed)
    except Exception:  # types of its own
        return ["onnxruntime"]
    hint = "run the file as it is"
    try:
        after = _run(made, feed)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"OpenVINO does not run the compacted network: {reason}", hint=hint) from error
    apart = difference(before, after)
    if not apart <= ALIKE:
        raise ModelError(f"with OpenVINO the compacted network differs by {apart:.1e}", hint=hint)
    return ["onnxruntime", "openvino"]


def _run(model: onnx.ModelProto, feed: Feed) -> Dict[str, Array]:
    openvino: Any = libraries.load_library("openvino")
    core = openvino.Core()
    network = core.read_model(model.SerializeToString(), b"")
    network.reshape({name: list(value.shape) for name, value in feed.items()})
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    for name, value in feed.items():
        request.set_tensor(name, openvino.Tensor(value))
    request.infer()
    names = [value.name for value in model.graph.output]
    return {name: request.get_output_tensor(number).data.copy() for number, name in enumerate(names)}
