"""Says what a machine has, what it lacks, and how to get it. There is one check for each line of edge-doctor's report.

A check uses a library as the product uses it, because an installed library may still not work. `root` stands for `/`.
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
    libraries.python, libraries.numpy, libraries.native_core, libraries.opencv, libraries.pyav, libraries.onnxruntime,
    libraries.openvino, libraries.tensorrt, libraries.pycuda, libraries.kernel_compiler, libraries.gstreamer,
    libraries.paho, libraries.h11, libraries.prometheus,
    machine.cuda_devices, machine.cuda_toolkit, machine.jetson_board, machine.jetpack, machine.memory,
    cameras.cameras, cameras.argus, machine.power_sensors,
)  # fmt: skip
TRIED = (
    libraries.opencv, libraries.pyav, libraries.onnxruntime, libraries.openvino, libraries.tensorrt, libraries.pycuda,
    libraries.kernel_compiler, libraries.gstreamer, machine.cuda_devices,
)  # fmt: skip


def examine(root: Path, verbose: bool = False, quick: bool = False) -> Iterator[Check]:
    """Yields the result of each check, one after the other.

    Args:
        root: stands for `/`.
        verbose: print the traceback of a check that raises.
        quick: only load the libraries, do not run anything with them.
    """
    for check in ALL:
        yield run(check, root, verbose, **({"quick": True} if quick and check in TRIED else {}))


def missing_parts(checks: Sequence[Check]) -> List[str]:
    """Names of the missing parts that detection needs. Any one backend is enough."""
    missing = [name for name in CORE if name not in {check.name for check in checks if check.ok}]
    return missing if backends(checks) else [*missing, "a backend"]


def backends(checks: Sequence[Check]) -> List[str]:
    """Names of the backends that can detect."""
    found = {check.name.lower(): check.ok for check in checks}
    behind_tensorrt = found.get("pycuda") and found.get("cuda driver") and found.get("kernels", True)
    if not behind_tensorrt:
        found["tensorrt"] = False  # TensorRT then builds plans, but cannot run them
    return [name for name in plugins.names("backends") if found.get(name)]


def run(check: Callable[..., Check], root: Path, verbose: bool, **wishes: Any) -> Check:
    """The result of one check. If the check raises, the result says so: the doctor must go on."""
    try:
        return check(root, **wishes)
    except Exception as error:
        if verbose:
            traceback.print_exc()
        return Check(
            check.__name__.replace("_", " "), False, f"the check broke: {error!r}", "edge-doctor -v says where"
        )
