"""Compiles the CUDA kernels for this GPU again. The user's cache is neither read nor written."""

from __future__ import annotations

import os
from time import perf_counter

from edge_runtime.gpu import cuda_driver, kernels
from edge_runtime.prove.steps import Task


def prove(task: Task) -> str:
    """Returns the compiler and the time. The compiled kernels are kept for the next steps.

    Raises:
        BackendUnavailable: there is no compiler, or it fails.
    """
    own_cache(task)
    started = perf_counter()
    code = kernels.cubin(cuda_driver.compute_capability())
    seconds = perf_counter() - started
    task.figures.update(bytes=len(code), compiler=kernels.find_compiler().name, seconds=round(seconds, 2))
    return f"{task.figures['compiler']} compiled the kernels in {seconds:.1f} s"


def own_cache(task: Task) -> None:
    """Makes this process use a cache in the proof's folder."""
    os.environ["XDG_CACHE_HOME"] = task.folder
