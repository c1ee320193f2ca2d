"""What the process that builds is told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Optional


@dataclass(frozen=True)
class Job:
    """What to build.

    Attributes:
        onnx, plan: files to read and to write.
        precision: for flags, where the builder types weakly.
        workspace: bytes.
        dla: number of a DLA core, or None.
        timing_cache: file to read and to renew, or "".
        compute_capability: of the GPU to build for, "SM86", where TensorRT-RTX shall not ask the one at hand.
    """

    onnx: str
    plan: str
    precision: str
    workspace: int
    dla: Optional[int] = None
    timing_cache: str = ""
    compute_capability: str = ""

    @property
    def way_out(self) -> str:
        """What to try where TensorRT fails with this precision."""
        return f"try --precision {'fp32' if self.precision == 'fp16' else 'fp16'}"

    def to_json(self) -> str:
        """The file's content."""
        return json.dumps(asdict(self))
