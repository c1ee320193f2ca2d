"""The cameras of a machine, as targets for `sources.open`: read from files, no device is opened."""

from __future__ import annotations

from pathlib import Path
from typing import List

from edge_runtime.jetson import board

CSI = "vi-output"  # what the driver of a Jetson's camera connectors calls them: their Bayer frames go through Argus


def found(root: Path) -> List[str]:
    """`/dev/video0` of USB cameras (their second node holds no frames), `csi://0` of those on a Jetson's connectors."""
    nodes = sorted(root.glob("dev/video[0-9]*"), key=lambda node: (len(node.name), node.name))
    about = {node.name: root / "sys/class/video4linux" / node.name for node in nodes}
    pictures = [node.name for node in nodes if board.read(about[node.name] / "index") in ("", "0")]
    sensors = [name for name in pictures if board.read(about[name] / "name").startswith(CSI)]
    usb = [f"/dev/{name}" for name in pictures if name not in sensors]
    return [*(f"csi://{number}" for number in range(len(sensors))), *usb]
