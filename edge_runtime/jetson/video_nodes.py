"""Finds out what /dev/video0 is: a camera that OpenCV reads, a CSI sensor that only Argus reads, or no camera.

The driver tells it. If it cannot be asked (no permission, a recorded tree), the names in sysfs decide.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from edge_runtime.errors import SourceError
from edge_runtime.jetson import board

QUERYCAP, CAPABILITY = 0x80685600, struct.Struct("=16s32s32sIII12x")  # VIDIOC_QUERYCAP, struct v4l2_capability
ENUM_FMT, FORMAT = 0xC0405602, struct.Struct("=III32s4sI12x")  # VIDIOC_ENUM_FMT, struct v4l2_fmtdesc
CAPTURE = {0x00000001: 1, 0x00001000: 9}  # V4L2_CAP_VIDEO_CAPTURE and _MPLANE: their V4L2_BUF_TYPE
META = 0x00800000  # V4L2_CAP_META_CAPTURE
BAYER = re.compile(r"BA81|GBRG|GRBG|RGGB|BYR2|(BG|GB|BA|RG|GR)1[0246]|[pab][BGgR](AA|CC|EE|A8)")
CAMERA, CSI, METADATA, OTHER = "camera", "csi", "metadata", "other"


@dataclass(frozen=True)
class Node:
    """A video device.

    Attributes:
        device: "/dev/video0".
        name: as the driver calls it, "vi-output, imx219 9-0010"; "" if unknown.
        kind: CAMERA, CSI, METADATA or OTHER (an encoder, a screen).
    """

    device: str
    name: str
    kind: str


def look(root: Path = Path("/")) -> List[Node]:
    """Every video device, by number."""
    paths = sorted(root.glob("dev/video[0-9]*"), key=lambda path: (len(path.name), path.name))
    return [_node(root, path) for path in paths]


def refuse(device: str, root: Path) -> None:
    """Refuses a device that gives OpenCV no pictures, and says what to open instead.

    Raises:
        SourceError: it is a CSI sensor or no camera.
    """
    nodes = look(root)
    node = next((node for node in nodes if node.device == device), None)
    if node is None or node.kind == CAMERA:
        return
    cameras = ", ".join(filter(None, (target(other, nodes) for other in nodes))) or "none"
    if node.kind == CSI:
        raise SourceError(
            f"{device} is a CSI sensor ({node.name}): it gives raw pixels, and only NVIDIA's Argus can read them",
            hint=f"use {target(node, nodes)}",
        )
    what = "the metadata of a camera" if node.kind == METADATA else "no camera's pictures"
    raise SourceError(f"{device} ({node.name}) gives {what}", hint=f"cameras here: {cameras}")


def target(node: Node, nodes: List[Node]) -> str:
    """The name to open a camera by: "/dev/video0" or "csi://0"; "" if it is not a camera."""
    sensors = [other.device for other in nodes if other.kind == CSI]
    if node.kind == CSI:
        return f"csi://{sensors.index(node.device)}"
    return node.device if node.kind == CAMERA else ""


def _node(root: Path, path: Path) -> Node:
    about = root / "sys/class/video4linux" / path.name
    name = board.read_text(about / "name")
    asked = _ask(path)
    if asked is None:
        return Node(f"/dev/{path.name}", name, _guess(about, name))
    driver, card, capabilities, formats = asked
    return Node(f"/dev/{path.name}", name or card, _kind(driver, capabilities, formats))


def _kind(driver: str, capabilities: int, formats: List[str]) -> str:
    if not any(capabilities & flag for flag in CAPTURE):
        return METADATA if capabilities & META else OTHER
    raw = bool(formats) and all(BAYER.fullmatch(text) for text in formats)
    return CSI if raw or (driver == "tegra-video" and not formats) else CAMERA


def _guess(about: Path, name: str) -> str:
    """Guesses by name and place. After each node that gives pictures, a UVC camera has a node for metadata."""
    driver = os.path.basename(os.path.realpath(about / "device/driver"))
    if name.startswith("vi-output") or "tegra" in driver:
        return CSI
    second = (board.number(about / "index") or 0) % 2 == 1
    return METADATA if second and driver in ("uvcvideo", "driver") else CAMERA  # "driver": there is no such link


def _ask(path: Path) -> Optional[Tuple[str, str, int, List[str]]]:
    """(driver, card, capabilities, pixel formats); None if the driver does not answer."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(file, QUERYCAP, bytes(CAPABILITY.size))
        driver, card, _, _, every, own = CAPABILITY.unpack(answer)
        capabilities = own or every  # `own` is of this node; `every` is of the whole device, for kernels before 3.4
        kinds = [kind for flag, kind in CAPTURE.items() if capabilities & flag]
        return _text(driver), _text(card), capabilities, _formats(file, kinds[0]) if kinds else []
    except OSError:
        return None
    finally:
        os.close(file)


def _formats(file: int, kind: int) -> List[str]:
    found: List[str] = []
    while len(found) < 64:
        try:
            answer = fcntl.ioctl(file, ENUM_FMT, FORMAT.pack(len(found), kind, 0, b"", b"", 0))
        except OSError:  # the end of the list
            break
        found.append(_text(FORMAT.unpack(answer)[4]))
    return found


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode(errors="replace")
