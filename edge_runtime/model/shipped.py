"""The models that come with the package: beside it in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INT8 = "yolo_nano_voc_int8.onnx"  # the one that a wheel carries


def shipped_folder() -> Path:
    """Where they are; empty-handed where somebody has taken them out."""
    inside = PACKAGE / "engines"
    return inside if inside.is_dir() else PACKAGE.parent / "engines"
