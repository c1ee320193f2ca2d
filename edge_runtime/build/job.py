"""The job description for the process that builds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Optional, Sequence


@dataclass(frozen=True)
class Job:
    """What to build.

    Attributes:
        onnx, plan: file to read, file to write.
        precision: precision for the builder's flags, with weak typing.
        workspace: size of the workspace in bytes.
        dla: number of a DLA core, or None.
        timing_cache: file to read and to update, or "".
        compute_capability: GPU that TensorRT-RTX builds for, "SM86"; "" for the GPU of this machine.
        float32: names of layers that stay in float32, with weak typing.
        most: largest number of images of a network with an open batch; 0 if its batch is fixed.
        sparse: whether layers have weights for sparse kernels (2:4).
    """

    onnx: str
    plan: str
    precision: str
    workspace: int
    dla: Optional[int] = None
    timing_cache: str = ""
    compute_capability: str = ""
    float32: Sequence[str] = ()
    most: int = 0
    sparse: bool = False

    @property
    def way_out(self) -> str:
        """What the user can try if TensorRT fails with this precision."""
        return f"try --precision {'fp32' if self.precision == 'fp16' else 'fp16'}"

    def to_json(self) -> str:
        """Returns the content of the job file."""
        return json.dumps(asdict(self))
