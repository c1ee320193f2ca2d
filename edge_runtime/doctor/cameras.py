"""The doctor's checks of cameras: the name to open each by, and whether this user may open it."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.doctor.check import Check
from edge_runtime.jetson import board, video_nodes
from edge_runtime.libraries import causes

MOUNT = "connect one; in a container, add --device /dev/video0"


def cameras(root: Path) -> Check:
    """Video devices, the names to open them by, and whether this user may open them."""
    nodes = video_nodes.look(root)
    seen = [node for node in nodes if video_nodes.target(node, nodes)]
    if not seen:
        return Check("cameras", False, "no /dev/video*", MOUNT, absent=not board.is_jetson(root))
    names = [f"{video_nodes.target(node, nodes)} ({node.name})" if node.name else node.device for node in seen]
    closed = [node.device for node in seen if not os.access(root / node.device[1:], os.R_OK | os.W_OK)]
    if closed:
        reason = f"no permission to open {', '.join(closed)} of {', '.join(names)}"
        return Check("cameras", False, reason, causes.GROUPS)
    return Check("cameras", True, ", ".join(names))


def argus(root: Path) -> Check:
    """The service behind csi://. It creates a socket when it starts. A container must be given this socket."""
    if not board.is_jetson(root):
        return Check("CSI cameras", False, "not a Jetson", absent=True)
    sensors = [node for node in video_nodes.look(root) if node.kind == video_nodes.CSI]
    if not (root / "tmp/argus_socket").exists():
        reason = "nvargus-daemon does not run, or cannot be reached: there is no /tmp/argus_socket"
        return Check("CSI cameras", False, reason, causes.ARGUS, absent=not sensors)
    return Check("CSI cameras", True, f"nvargus-daemon runs, sensors: {len(sensors)}")
