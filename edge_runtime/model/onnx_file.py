"""Reads what an ONNX file says about itself, without running it."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

from edge_runtime.errors import ModelError
from edge_runtime.model import external, inputs, unread
from edge_runtime.model.last_operators import last_operators
from edge_runtime.model.outputs import settled
from edge_runtime.model.spec import ModelIO, Shape

if TYPE_CHECKING:
    import onnx


MOST_NODES = 10_000  # nodes of a network; OpenVINO needs minutes for more, and gigabytes for a million
MOST_VALUES = 1 << 29  # values of an input or output: 2 GiB of float32


def read_io(path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """Reads the names, shapes and metadata of an ONNX detector.

    Args:
        path: the file.
        imgsz, batch: (width, height) and images per run to assume if the file leaves them open. Shape inference then
            finds the output sizes, if it can.

    Raises:
        ModelError: the file is missing, not ONNX, or does not have one image input (B, 3, H, W) or (B, H, W, 3).
    """
    return io_of(load_onnx(path), path, imgsz, batch)


def io_of(model: onnx.ModelProto, path: str, imgsz: Optional[Tuple[int, int]] = None, batch: int = 1) -> ModelIO:
    """Like `read_io`, for the content of a file, which is changed."""
    image, others = _inputs(model, path)
    stored = shape_of(image)
    channels_last = stored[1] != 3
    outputs = list(model.graph.output)
    if not outputs:
        raise ModelError(f"{path} has no output", hint="export it again")
    sides = tuple(reversed(imgsz or (-1, -1)))
    wanted = (batch, *sides, 3) if channels_last else (batch, 3, *sides)
    filled = tuple(want if have < 0 else have for have, want in zip(stored, wanted))
    if -1 not in filled and (filled != stored or any(-1 in shape_of(value) for value in others)):
        _fix(image, filled)
        for value in others:
            _fix(value, inputs.filled(value.name, shape_of(value), _planar(filled, channels_last)))
        outputs = list(_inferred(model, path).graph.output)
        stored = shape_of(image)
    io = ModelIO(
        input_name=image.name,
        input_shape=_planar(stored, channels_last),
        outputs={value.name: shape_of(value) for value in outputs},
        metadata={_text(p.key): _text(p.value) for p in model.metadata_props},
        dtypes={value.name: dtype_of(value) for value in [image, *others, *outputs]},
        channels_last=channels_last,
        others={value.name: shape_of(value) for value in others},
        produced_by=last_operators(model.graph),
    )
    io = io if -1 in io.input_shape else settled(io, any("NonMax" in node.op_type for node in model.graph.node))
    _refuse_huge(path, io.input_shape, list(io.shapes))
    return io


def _planar(shape: Shape, channels_last: bool) -> Shape:
    """(B, 3, H, W) of the image's shape in the file."""
    return (shape[0], shape[3], *shape[1:3]) if channels_last else shape


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
        ModelError: the file or one with its weights is missing, or it is not ONNX, or empty.
    """
    import onnx

    if not Path(path).is_file():
        raise ModelError(f"no such model: {path}", hint="check the path")
    if Path(path).stat().st_size >= external.MOST_BYTES:
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
    external.check(model, path)
    return model


def load_whole(path: str) -> onnx.ModelProto:
    """Reads the file and all its weights, also those in files beside it.

    Raises:
        ModelError: the file or one with its weights is missing or damaged, or all is larger than 2 GB.
    """
    model = load_onnx(path)
    external.load(model, path)
    return model


def digest(path: str) -> str:
    """Returns the SHA-256 of a model: over the bytes of its file, and of the files that hold its weights."""
    return external.digest(load_onnx(path), path)


def size_of(path: str) -> int:
    """Returns the bytes of a model's file, and of the files that hold its weights."""
    return external.size_of(load_onnx(path), path)


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
        return external.files_of(load_onnx(path), path)
    except ModelError:
        return ()


def _inputs(model: onnx.ModelProto, path: str) -> Tuple[Any, List[Any]]:
    """The input that takes the image, and the others."""
    found = inputs_of(model)
    shapes = {name: shape_of(value) for name, value in found.items()}
    image = inputs.image_of(shapes)
    if image is not None:
        return found.pop(image), list(found.values())
    seen = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "none"
    kind, hint = unread.by_inputs(shapes), unread.ONE_IMAGE
    if any(len(shape) == 4 for shape in shapes.values()) and inputs.strangers(shapes):
        hint = f"beside the image these inputs are known: {', '.join(inputs.KNOWN)}; export it without others"
    fact = f"{path} is {kind.name if kind else 'not an image detector'}: its inputs are {seen}"
    raise ModelError(fact, hint=kind.hint if kind else hint)


def inputs_of(model: onnx.ModelProto) -> Dict[str, Any]:
    """Returns the inputs of a network by name, without those that are constants."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {value.name: value for value in model.graph.input if value.name not in weights}


def shape_of(value: Any) -> Shape:
    """Returns the shape of an input or output; -1 for an open size."""
    dims: List[Any] = list(value.type.tensor_type.shape.dim)
    return tuple(int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else -1 for d in dims)


def batches_of(model: onnx.ModelProto) -> List[int]:
    """Returns the images per run of each input that may hold images, which has 4 axes; -1 if that is open."""
    shapes = map(shape_of, inputs_of(model).values())
    return [shape[0] for shape in shapes if len(shape) == 4]


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


def dtype_of(value: Any) -> str:
    """Returns the numpy name of the type of an input or output.

    Raises:
        ModelError: numpy has no such type.
    """
    import onnx

    number = value.type.tensor_type.elem_type
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else "float32"
    except (KeyError, TypeError, ValueError) as error:
        fact = f"{value.name[:99]!r} is of type {number}, which is unknown"
        raise ModelError(fact, hint="export it again") from error
