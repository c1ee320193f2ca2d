"""What a machine has, what it lacks, and how to get it: a list of checks, one for each line of edge-doctor's report.

A check goes the way that the product goes, as a library that is listed may still not work. `root` stands for `/`.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

from edge_runtime import plugins
from edge_runtime.doctor import libraries, machine
from edge_runtime.doctor.check import Check

CORE = ("numpy", "native core", "OpenCV")
ALL: Tuple[Callable[[Path], Check], ...] = (
    libraries.python, libraries.numpy, libraries.native_core, libraries.onnxruntime, libraries.opencv,
    libraries.openvino, libraries.tensorrt, libraries.pycuda, libraries.kernel_compiler, libraries.gstreamer,
    machine.cuda_driver, machine.cuda_toolkit, machine.jetson_board, machine.jetpack, machine.cameras,
    machine.power_sensors,
)  # fmt: skip


def missing_parts(checks: Sequence[Check]) -> List[str]:
    """Names of the parts without which nothing can be detected; any one backend is enough."""
    found = {check.name.lower() for check in checks if check.ok}
    missing = [name for name in CORE if name.lower() not in found]
    if not {"pycuda", "cuda driver"} <= found:
        found.discard("tensorrt")  # it builds plans, but does not run them
    return missing if found.intersection(plugins.names("backends")) else [*missing, "a backend"]


def run(check: Callable[[Path], Check], root: Path, verbose: bool) -> Check:
    """The finding of one check; one that breaks is a finding too, as the doctor must outlive what it examines."""
    try:
        return check(root)
    except Exception as error:
        if verbose:
            traceback.print_exc()
        return Check(
            check.__name__.replace("_", " "), False, f"the check broke: {error!r}", "edge-doctor -v says where"
        )
