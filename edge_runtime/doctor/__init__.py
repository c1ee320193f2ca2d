"""What a machine has, what it lacks, and how to get it: a list of checks, one for each line of edge-doctor's report.

A check goes the way that the product goes, as a library that is listed may still not work. `root` stands for `/`.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from edge_runtime import plugins
from edge_runtime.doctor import cameras, libraries, machine
from edge_runtime.doctor.check import Check

CORE = ("numpy", "native core", "OpenCV")
ALL: Tuple[Callable[..., Check], ...] = (
    libraries.python, libraries.numpy, libraries.native_core, libraries.opencv, libraries.onnxruntime,
    libraries.openvino, libraries.tensorrt, libraries.pycuda, libraries.kernel_compiler, libraries.gstreamer,
    machine.cuda_devices, machine.cuda_toolkit, machine.jetson_board, machine.jetpack, machine.memory,
    cameras.cameras, cameras.argus, machine.power_sensors,
)  # fmt: skip
TRIED = (
    libraries.opencv, libraries.onnxruntime, libraries.openvino, libraries.tensorrt, libraries.pycuda,
    libraries.kernel_compiler, libraries.gstreamer, machine.cuda_devices,
)  # fmt: skip


def examine(root: Path, verbose: bool = False, quick: bool = False) -> Iterator[Check]:
    """One finding after the other.

    Args:
        root: stands for `/`.
        verbose: print the traceback of a check that breaks.
        quick: only load libraries, have them do nothing.
    """
    for check in ALL:
        yield run(check, root, verbose, **({"quick": True} if quick and check in TRIED else {}))


def missing_parts(checks: Sequence[Check]) -> List[str]:
    """Names of the parts without which nothing can be detected; any one backend is enough."""
    missing = [name for name in CORE if name not in {check.name for check in checks if check.ok}]
    return missing if backends(checks) else [*missing, "a backend"]


def backends(checks: Sequence[Check]) -> List[str]:
    """Names of the backends that can detect."""
    found = {check.name.lower(): check.ok for check in checks}
    behind_tensorrt = found.get("pycuda") and found.get("cuda driver") and found.get("kernels", True)
    if not behind_tensorrt:
        found["tensorrt"] = False  # it builds plans, but does not run them
    return [name for name in plugins.names("backends") if found.get(name)]


def run(check: Callable[..., Check], root: Path, verbose: bool, **wishes: Any) -> Check:
    """The finding of one check; one that breaks is a finding too, as the doctor must outlive what it examines."""
    try:
        return check(root, **wishes)
    except Exception as error:
        if verbose:
            traceback.print_exc()
        return Check(
            check.__name__.replace("_", " "), False, f"the check broke: {error!r}", "edge-doctor -v says where"
        )
