"""Reads what an ONNX file says about itself, without running it."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union

from edge_runtime.errors import ModelError
from edge_runtime.model.spec import ModelIO, Shape

if TYPE_CHECKING:
    import onnx


MOST_NODES = 10_000  # nodes of a network; OpenVINO needs minutes for more, and gigabytes for a million
MOST_BYTES = 1 << 31  # bytes of a file, the limit of protobuf
MOST_VALUES = 1 << 29  # values of an input or output: 2 GiB of float32


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """Reads the names, shapes and metadata of an ONNX detector.

    Args:
        path: the file.
        imgsz, batch: (width, height) and images per run to assume if the file leaves them open. Shape inference then
            finds the output sizes, if it can.

    Raises:
        ModelError: the file is missing, not ONNX, or does not have one image input (B, 3, H, W).
    """
    model = load_onnx(path)
    image = _image_input(model, path)
    shape = _shape(image)
    outputs = list(model.graph.output)
    if not outputs:
        raise ModelError(f"{path} has no output", hint="export it again")
    wanted = (batch, 3, *reversed(imgsz or (-1, -1)))
    filled = tuple(want if have < 0 else have for have, want in zip(shape, wanted))
    if filled != shape and -1 not in filled:
        _fix(image, filled)
        outputs = list(_inferred(model, path).graph.output)
        shape = _shape(image)
    _refuse_huge(path, shape, [_shape(value) for value in outputs])
    return ModelIO(
        input_name=image.name,
        input_shape=shape,
        outputs={value.name: _shape(value) for value in outputs},
        metadata={_text(p.key): _text(p.value) for p in model.metadata_props},
        dtypes={value.name: _dtype(value) for value in [image, *outputs]},
    )


def _inferred(model: onnx.ModelProto, path: str) -> onnx.ModelProto:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # a type of its own, or RuntimeError or ValueError from C++
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{path} contradicts itself: {reason}", hint="export it again") from error


def load_onnx(path: str) -> onnx.ModelProto:
    """Reads the file as it is, without its external data.

    Raises:
        ModelError: the file is missing, not ONNX, or empty.
    """
    import onnx

    if not Path(path).is_file():
        raise ModelError(f"no such model: {path}", hint="check the path")
    if Path(path).stat().st_size >= MOST_BYTES:
        raise ModelError(f"{path} is larger than 2 GiB, which no ONNX file is", hint="check that it is the right file")
    try:
        model: onnx.ModelProto = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf raises types of its own
        raise ModelError(f"{path} is not an ONNX file", hint="it may be truncated: copy or export it again") from error
    if not model.graph.node:
        raise ModelError(f"{path} holds no network", hint="it may be empty: copy or export it again")
    if count_nodes(model.graph) > MOST_NODES:
        fact = f"{path} has more than {MOST_NODES} operators, and detectors have hundreds"
        raise ModelError(fact, hint="check that it is the right file; if so, simplify the model when you export it")
    return model


def count_nodes(graph: onnx.GraphProto) -> int:
    """Counts the operators of a graph and of the graphs in it. It stops when there are too many."""
    count, rest = 0, [graph]
    while rest and count <= MOST_NODES:
        nodes = rest.pop().node
        count += len(nodes)
        if count <= MOST_NODES:
            parts = [part for node in nodes for part in node.attribute]
            rest += [inner for part in parts for inner in (part.g, *part.graphs) if inner.node]
    return count


def external_files(path: str) -> Tuple[str, ...]:
    """Returns the names of the files beside a model that hold its weights; none if the file is not ONNX."""
    try:
        model = load_onnx(path)
    except ModelError:
        return ()
    entries = [entry for tensor in model.graph.initializer for entry in tensor.external_data]
    names = sorted({entry.value for entry in entries if entry.key == "location"})
    return tuple(str(Path(path).parent / name) for name in names)


def _image_input(model: onnx.ModelProto, path: str) -> Any:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) == 1:
        shape = _shape(inputs[0])
        if len(shape) == 4 and shape[1] == 3:
            return inputs[0]
    seen = ", ".join(f"{value.name} {list(_shape(value))}" for value in inputs) or "none"
    raise ModelError(
        f"{path} is not an image detector: its inputs are {seen}",
        hint="export the network without its preprocessing, with one input (batch, 3, height, width)",
    )


def _shape(value: Any) -> Shape:
    dims: List[Any] = list(value.type.tensor_type.shape.dim)
    return tuple(int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else -1 for d in dims)


def _refuse_huge(path: str, shape: Shape, outputs: List[Shape]) -> None:
    for dims in (shape, *outputs):
        if prod(abs(size) for size in dims) > MOST_VALUES:
            fact = f"{path} has a tensor of {list(dims)}, which takes gigabytes"
            raise ModelError(fact, hint="give a smaller --imgsz or --batch, or export it again")


def _text(value: Union[str, bytes]) -> str:
    """Protobuf gives bytes where a text is not UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _fix(value: Any, shape: Shape) -> None:
    for dim, size in zip(value.type.tensor_type.shape.dim, shape):
        dim.dim_value = size


def _dtype(value: Any) -> str:
    import onnx

    number = value.type.tensor_type.elem_type
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else "float32"
    except (KeyError, TypeError, ValueError) as error:
        fact = f"{value.name[:99]!r} is of type {number}, which is unknown"
        raise ModelError(fact, hint="export it again") from error
