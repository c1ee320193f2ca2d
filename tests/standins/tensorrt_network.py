"""Plans of the TensorRT stand-ins that hold their network: ONNX Runtime computes it in the place of the GPU.

Names, shapes and types are those that TensorRT shows. It computes shapes and types itself, whatever the file declares
for its outputs. Versions before 10 have no int64 and give int32.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Tuple

import numpy as np
import onnx
from onnx import helper

MARK = b"network of a stand-in "
PROFILE = "largest batch"
KINDS = {
    "float32": "FLOAT", "float16": "HALF", "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "bool": "BOOL",
}  # fmt: skip
Tensors = Dict[str, Tuple[Tuple[int, ...], str]]


def plan(content: bytes) -> bytes:
    """A plan of an ONNX file."""
    model = onnx.load_from_string(content)
    names = [value.name for value in model.graph.output]
    del model.graph.output[:]
    made = {value.name: value for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info}
    model.graph.output.extend(made[name] for name in names)
    return MARK + bytes(model.SerializeToString())


def limited(plan: bytes, most: int) -> bytes:
    """The same plan with an optimisation profile of batches of 1 to `most`."""
    model = onnx.load_from_string(plan[len(MARK) :])
    helper.set_model_props(model, {PROFILE: str(most)})
    return MARK + bytes(model.SerializeToString())


def most(plan: bytes) -> int:
    """The largest batch of a plan's profile; 0 if it has none."""
    props = onnx.load_from_string(plan[len(MARK) :]).metadata_props
    return next((int(entry.value) for entry in props if entry.key == PROFILE), 0)


def tensors(plan: bytes) -> Tuple[Tensors, Tensors]:
    """Inputs and outputs: name -> (shape, numpy's name of the type); -1 where a size is open."""
    graph = onnx.load_from_string(plan[len(MARK) :]).graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    return _described(inputs), _described(graph.output)


def _described(values: Iterable[onnx.ValueInfoProto]) -> Tensors:
    found = {}
    for value in values:
        kind = value.type.tensor_type
        shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)
        found[value.name] = shape, helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    return found


def dtype(lib: Any, kind: str) -> Any:
    """A type of a network as that version has it."""
    name = KINDS[kind]
    return lib.DataType.INT32 if name == "INT64" and not hasattr(lib.DataType, name) else getattr(lib.DataType, name)


def opened(plan: bytes, int64: bool) -> Tuple[Tensors, List[str], Callable[[Any, List[Any]], None]]:
    """What `tensorrt_engine.plan` takes, and the names of the inputs.

    Args:
        plan: of `plan`.
        int64: whether that version has the type.
    """
    inputs, outputs = tensors(plan)
    shown = {name: (shape, kind if int64 or kind != "int64" else "int32")
             for name, (shape, kind) in {**inputs, **outputs}.items()}  # fmt: skip
    sessions: List[Any] = []

    def run(image: Any, rest: List[Any]) -> None:
        if not sessions:
            sessions.append(_session(plan[len(MARK) :]))
        others = len(inputs) - 1
        feeds = {name: array.astype(inputs[name][1]) for name, array in zip(inputs, [image, *rest[:others]])}
        for target, made in zip(rest[others:], sessions[0].run(list(outputs), feeds)):
            assert target.shape == made.shape, f"the network gives {made.shape}"
            np.copyto(target, made, casting="unsafe")

    return shown, list(inputs), run


def _session(network: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
