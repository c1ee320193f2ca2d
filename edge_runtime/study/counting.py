"""What a model file holds and computes, in the three ways that papers count, for a row of a study."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import numpy as np

from edge_runtime import zoo
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.graph import onnx_stats
from edge_runtime.graph.counts import Stats, total
from edge_runtime.model import onnx_file
from edge_runtime.zoo.stats import architecture_layers

if TYPE_CHECKING:
    import onnx

Row = Dict[str, Any]
FOLDED = "THOP counts what the file holds: batch normalisation is folded into it, so it counts nothing for it"
BITS = {"bytes_fp32": 32, "bytes_fp16": 16, "bytes_int8": 8}


def counts(path: str, imgsz: Optional[int] = None, architecture: str = "") -> Row:
    """Counts the network of a file.

    Args:
        path: an ONNX file.
        imgsz: side of the input, if the file leaves it open.
        architecture: the zoo's name of the network before batch normalisation was folded; "" if it is not of the zoo.

    Returns:
        parameters, conv_macs, thop_macs, zeros (float weights that are exactly zero), bytes at 32, 16 and 8 bits a
        weight, bytes of the file, the input's size, and a note.

    Raises:
        ModelError: it is no ONNX file, or its shapes are open.
    """
    if not path.endswith(".onnx"):
        raise ModelError(
            f"{path} is no ONNX file, so nothing can be counted", hint="counted = 'MODEL.onnx' names its ONNX"
        )
    model = onnx_file.load_onnx(path)
    whole, side, note = total(onnx_stats.onnx_layers(model, imgsz)), _side(model), FOLDED
    thop = _architecture(architecture, side) if architecture else whole
    if architecture:
        other = f"THOP counts the zoo's {architecture} of {thop.conv_macs:,} MACs; the file has {whole.conv_macs:,}"
        note = "" if thop.conv_macs == whole.conv_macs else other
    size = sum(os.path.getsize(name) for name in (path, *onnx_file.external_files(path)))
    return {
        "parameters": whole.parameters if note else thop.parameters, "conv_macs": whole.conv_macs,
        "thop_macs": thop.thop_macs, "zeros": _zeros(model), "bytes_file": size, "input": "x".join(map(str, side)),
        **{name: whole.bytes(bits) for name, bits in BITS.items()}, "note": note,
    }  # fmt: skip


def _architecture(name: str, side: Tuple[int, ...]) -> Stats:
    return total(architecture_layers(zoo.build(name, imgsz=side[0] if side else 416)))


def _side(model: onnx.ModelProto) -> Tuple[int, ...]:
    """(width, height) of the input; () if it is open."""
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    found = dims[2:4] if len(dims) == 4 and dims[1] in (1, 3) else dims[1:3]
    return tuple(reversed(found)) if len(found) == 2 and all(found) else ()


def _zeros(model: onnx.ModelProto) -> int:
    """Float weights that are exactly zero. Of rounded weights nothing is known: small ones are zero there, too."""
    from onnx import numpy_helper

    read = {name for node in model.graph.node if node.op_type in onnx_stats.WEIGHTED for name in node.input[1:2]}
    arrays = (numpy_helper.to_array(t) for t in model.graph.initializer
              if t.name in read and len(t.dims) > 1 and not t.external_data)  # fmt: skip
    return sum(int(array.size - np.count_nonzero(array)) for array in arrays if array.dtype.kind == "f")


def counted(path: str, imgsz: Optional[int], architecture: str) -> Row:
    """The counts, or the reason why there are none. A study goes on without them."""
    try:
        return counts(path, imgsz, architecture)
    except EdgeError as error:
        return {"note": str(error)}
