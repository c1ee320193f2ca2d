"""Compiles the CUDA kernels for this GPU, anew: nothing is taken from the user's cache, nothing is left there."""

from __future__ import annotations

import os
from time import perf_counter

from edge_runtime.gpu import cuda_driver, kernels
from edge_runtime.prove.steps import Task


def prove(task: Task) -> str:
    """Compiler and time; what it made is kept for the steps behind it.

    Raises:
        BackendUnavailable: there is no compiler, or it refuses.
    """
    own_cache(task)
    started = perf_counter()
    code = kernels.cubin(cuda_driver.compute_capability())
    seconds = perf_counter() - started
    task.figures.update(bytes=len(code), compiler=kernels.find_compiler().name, seconds=round(seconds, 2))
    return f"{task.figures['compiler']} compiled the kernels in {seconds:.1f} s"


def own_cache(task: Task) -> None:
    """From now on this process caches in the proof's folder."""
    os.environ["XDG_CACHE_HOME"] = task.folder
