"""The models that come with the package. In a checkout they are beside it, in a wheel inside it."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INT8 = "yolo_nano_voc_int8.onnx"  # the only model in a wheel


def shipped_folder() -> Path:
    """Returns the folder of the models. It may not exist, if the user removed it."""
    inside = PACKAGE / "engines"
    return inside if inside.is_dir() else PACKAGE.parent / "engines"
