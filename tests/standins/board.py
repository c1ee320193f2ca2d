"""A machine whose TensorRT and GPU are stand-ins: edge-build builds plans there, and they run.

Everything of ours is real: the command, the child that builds, the passport, the kernels, which work on the host. Only
the network is computed by ONNX Runtime.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any, List

from edge_runtime import build
from edge_runtime.cli import build as command
from edge_runtime.errors import ModelError
from edge_runtime.gpu import cuda_driver, trt
from tests.standins import tensorrt_api, tensorrt_network
from tests.standins.cuda import Gpu, install

CHILD = """
import sys
from edge_runtime.build import worker
from edge_runtime.gpu import cuda_driver, trt
from tests.standins import tensorrt_api
lib = tensorrt_api.module({version!r}, content=None)
trt.library, trt.missing = lambda: lib, lambda: None
cuda_driver.compute_capability = lambda: {capability!r}
sys.exit(worker.main(sys.argv[1:]))
"""


class Board:
    """The machine, until `monkeypatch` puts everything back.

    Attributes:
        gpu: what its calls are noted in.
    """

    def __init__(self, monkeypatch: Any, version: str = "10.3") -> None:
        self.gpu = Gpu()
        lib = tensorrt_api.module(version, content=None, gpu=self.gpu)
        install(monkeypatch, self.gpu)
        monkeypatch.setattr(trt, "library", lambda: lib)
        monkeypatch.setattr(trt, "missing", lambda: None)
        capability = ".".join(map(str, self.gpu.capability))
        monkeypatch.setattr(cuda_driver, "compute_capability", lambda: capability)
        monkeypatch.setattr(build, "WORKER", ("-c", CHILD.format(version=version, capability=capability)))
        trt.log.cache_clear()

    def build(self, onnx: Path, plan: Path, *said: str) -> List[str]:
        """Runs edge-build, and returns its notes.

        Raises:
            ModelError: what it prints if it ends with an error.
        """
        printed = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(printed):
            code = command.main([str(onnx), "-o", str(plan), *said])
        lines = printed.getvalue().splitlines()
        if code:
            fact = "; ".join(_said(lines, "error: ")) or f"exit code {code}: {lines}"
            raise ModelError(fact, hint="".join(_said(lines, "hint: ")))
        return _said(lines, "note: ")

    def build_elsewhere(self, onnx: Path, plan: Path) -> None:
        """Writes a plan as trtexec makes it: of the file as it is, and without a passport."""
        plan.write_bytes(tensorrt_network.plan(onnx.read_bytes()))


def _said(lines: List[str], word: str) -> List[str]:
    return [line[len(word) :] for line in lines if line.startswith(word)]
