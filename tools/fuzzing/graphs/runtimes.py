"""Runs a quantised file as the backends run it. What they do to the file is the package's; the runtime is not."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
from typing import Any, Callable, List, Sequence

import numpy as np
import onnx

from edge_runtime import calibrate
from edge_runtime.graph.unround import drop_redundant_rounding, float_weights
from fuzzing.graphs import evaluate
from fuzzing.graphs.walk import Values

SECONDS = 20

try:
    import openvino
except ImportError:  # not every machine has it
    openvino = None


def by_onnxruntime(model: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> List[Values]:
    """Outputs of ONNX Runtime with its optimisations, for each picture."""
    return _run(float_weights(_copy(model)), feeds, optimised=True)


def in_tensorrts_form(model: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> List[Values]:
    """Outputs of the form for TensorRT, whose Q/DQ nodes ONNX Runtime computes as they are."""
    return _run(calibrate.tensorrt_form(model), feeds, optimised=False)


def by_openvino(model: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> List[Values]:
    """Outputs of OpenVINO, for each picture."""
    return _apart(lambda: _openvino(drop_redundant_rounding(_copy(model)), [[feed] for feed in feeds]))


def in_openvinos_form(model: onnx.ModelProto, feeds: Sequence[np.ndarray]) -> List[Values]:
    """Outputs of the form for OpenVINO, whose Q/DQ nodes ONNX Runtime computes as they are."""
    return _run(drop_redundant_rounding(_copy(model)), feeds, optimised=False)


def openvino_differs(model: onnx.ModelProto, feeds: Sequence[Sequence[np.ndarray]], wanted: Sequence[Values]) -> bool:
    """Whether OpenVINO is not here, or does not compute the float network as ONNX Runtime does."""
    if openvino is None:
        return True
    try:
        found = _apart(lambda: _openvino(model, feeds))
    except Exception:  # a layer or a form that it does not know
        return True
    return not all(_close(a[name], b[name]) for a, b in zip(found, wanted) for name in b)


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, 1e-3, 1e-3 * np.abs(other).max())


def _apart(run: Callable[[], List[Values]]) -> List[Values]:
    """What a function returns in a child: OpenVINO ends the process on some float networks."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if not child:
            signal.alarm(SECONDS)
            try:
                result: Any = run()
            except BaseException as error:
                result = f"{type(error).__name__} {error}"
            pickle.dump(result, file)
            file.flush()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status:
            raise RuntimeError(f"the process ended with {status}")
        file.seek(0)
        result = pickle.load(file)
    if isinstance(result, str):
        raise RuntimeError(result)
    return list(result)


def _openvino(model: onnx.ModelProto, feeds: Sequence[Sequence[np.ndarray]]) -> List[Values]:
    core: Any = openvino.Core()
    read = core.read_model(model.SerializeToString(), b"")
    read.reshape({port: list(value.shape) for port, value in zip(read.inputs, feeds[0])})
    config = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(read, "CPU", config).create_infer_request()
    names = [value.name for value in model.graph.output]
    found = []
    for feed in feeds:
        results = request.infer(dict(enumerate(feed)))
        found.append({name: np.array(results[place]) for place, name in enumerate(names)})
    return found


def _run(model: onnx.ModelProto, feeds: Sequence[np.ndarray], optimised: bool) -> List[Values]:
    names = [value.name for value in model.graph.output]
    opened = evaluate.session(model.SerializeToString(), optimised)
    return [dict(zip(names, opened.run(names, {opened.get_inputs()[0].name: feed}))) for feed in feeds]


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
