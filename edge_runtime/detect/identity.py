"""Which file a detector is: its SHA-256, and in what precision it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

from edge_runtime.errors import EdgeError
from edge_runtime.gpu.passport import read_passport
from edge_runtime.model import external, onnx_file

QUANTIZED = ("QuantizeLinear", "DequantizeLinear")
HALF = 10  # onnx.TensorProto.FLOAT16


def of_file(path: str) -> Dict[str, str]:
    """A model's "sha256" and "precision" ("int8", "fp16" or "fp32"); "" for what cannot be found out."""
    try:
        return _of_onnx(path) if path.endswith(".onnx") else _of_others(path)
    except (OSError, EdgeError):  # it was removed or replaced since it was opened
        return {"sha256": "", "precision": ""}


def _of_onnx(path: str) -> Dict[str, str]:
    model = onnx_file.load_onnx(path)
    half = any(tensor.data_type == HALF for tensor in model.graph.initializer)
    quantized = any(node.op_type in QUANTIZED for node in model.graph.node)
    precision = "int8" if quantized else "fp16" if half else "fp32"
    return {"sha256": external.digest(model, path), "precision": precision}


def _of_others(path: str) -> Dict[str, str]:
    digest = external.hash_files(path)
    passport = read_passport(Path(path))
    return {"sha256": digest, "precision": passport.precision if passport else ""}
