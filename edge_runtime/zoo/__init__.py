"""The zoo: detector architectures, written as tables of layers.

Each member is a module that defines

    PRESETS                                              names of its variants, the default first
    SIDE                                                 usual side of the square input, pixels (default 416)
    build(labels, imgsz, preset) -> Architecture         labels: class names; imgsz: side of the square input, pixels

    python -m edge_runtime.zoo yolo_nano -o nano.onnx
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple, cast

from edge_runtime import plugins
from edge_runtime.errors import UsageError
from edge_runtime.model.labels import VOC
from edge_runtime.zoo.layers import Architecture

_LANGUAGE = ("layers", "export", "stats", "weights")


def names() -> List[str]:
    """Returns the names of the architectures."""
    return [name for name in plugins.names("zoo") if name not in _LANGUAGE]


def presets(name: str) -> Tuple[str, ...]:
    """Returns the names of an architecture's variants, the default first.

    Raises:
        UsageError: there is no such architecture.
    """
    if name not in names():
        raise UsageError(f"no architecture {name!r}", hint=f"there is: {', '.join(names())}")
    return tuple(plugins.load_member("zoo", name).PRESETS)


def build(
    name: str, labels: Sequence[str] = VOC, imgsz: Optional[int] = None, preset: Optional[str] = None
) -> Architecture:
    """Builds the architecture of that name.

    Args:
        labels: class names.
        imgsz: side of the square input in pixels, a multiple of 32; None takes the member's SIDE.
        preset: one of the member's PRESETS; None takes the first.

    Raises:
        UsageError: there is no such architecture or preset, or the strides do not divide the size.
    """
    known = presets(name)
    preset = preset or known[0]
    if preset not in known:
        raise UsageError(f"{name} has no preset {preset!r}", hint=f"there is: {', '.join(known)}")
    member = plugins.load_member("zoo", name)
    imgsz = getattr(member, "SIDE", 416) if imgsz is None else imgsz
    if imgsz < 32 or imgsz % 32:
        raise UsageError(f"input size is {imgsz}", hint="expected a multiple of 32")
    return cast(Architecture, member.build(tuple(labels), imgsz, preset))
