"""Backends run a model file: images go in, boxes come out.

A member is a module with

    HANDLES                                suffixes it opens (".onnx")
    DEVICES                                values of --device it serves; the first is its own
    PRIORITY                               the highest is preferred if several match (default 0)
    available() -> str | None              None if its libraries are here, else the reason
    read_io(path, imgsz, batch) -> ModelIO names, shapes and metadata of the file
    open(path, spec, decode, options) -> Backend

and, if it runs on the processor's cores and `edge_runtime.tune` shall try it,

    on_cores(device) -> bool               whether `threads` and `streams` say how it runs on that device
    version() -> str                       of its library
    SPINS                                  whether `spinning` changes anything (default False)

A backend has `slots` preallocated slots of `batch` images each. One thread calls `enqueue` and `wait`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Dict, List, Optional, Protocol, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import libraries, plugins
from edge_runtime.errors import BackendUnavailable, UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.types import Images


@dataclass(frozen=True)
class BackendOptions:
    """How to run a model.

    Attributes:
        backend: name of a file in `backends/`; None chooses the preferred one that is installed.
        device: "auto", "cpu", "cuda" or "tensorrt" (ONNX Runtime's provider, which builds an engine when it opens).
        slots: images or batches in work at the same time, for each stream. Two are enough to hide pre- and
            post-processing.
        batch: images per slot. On a processor, a model for one image is opened for more, if its operators allow that.
        threads: inference threads, 0 for all cores.
        streams: images or batches in inference at the same time, each with its part of the threads; 0 for one. Backends
            on the processor's cores only.
        spinning: keep inference threads awake between operators; None decides by the machine's load.
        zero_copy: let a GPU that shares the host's memory read images without a copy; None measures which is faster.
        golden: refuse an engine that does not find its golden frames; see `detect.golden`.
        thresholds: which boxes become detections.
    """

    backend: Optional[str] = None
    device: str = "auto"
    slots: int = 2
    batch: int = 1
    threads: int = 0
    streams: int = 0
    spinning: Optional[bool] = None
    zero_copy: Optional[bool] = None
    golden: bool = True
    thresholds: Thresholds = Thresholds()

    def __post_init__(self) -> None:
        values = {name: getattr(self, name) for name in FIELDS}
        for name, value in check_fields(values, FIELDS, "", UsageError).items():
            object.__setattr__(self, name, value)


MOST_BATCH, MOST_THREADS, MOST_STREAMS = 1024, 1024, 64
FIELDS = {
    "backend": fields.optional(fields.text(64)),
    "device": fields.text(64),
    "slots": fields.whole(1, 64),
    "batch": fields.whole(1, MOST_BATCH),
    "threads": fields.whole(0, MOST_THREADS),
    "streams": fields.whole(0, MOST_STREAMS),
    "spinning": fields.optional(fields.flag()),
    "zero_copy": fields.optional(fields.flag()),
    "golden": fields.flag(),
}


class Backend(Protocol):
    """An open model. `name` is its file's name, `description` one line for the log.

    If it `splits`, a slot that is not full costs only the images in it.
    """

    name: str
    description: str
    slots: int
    batch: int
    splits: bool

    def start(self) -> None:
        """After this call `enqueue` runs inference in the background. Without it, `wait` runs inference."""

    def enqueue(self, slot: int, images: Images) -> None:
        """Starts 1 to `batch` images, (H, W, 3) uint8 BGR of any size, or pixels of other formats.

        The caller may change them after the return, but those in memory of `allocate` only after `wait`.
        """

    def wait(self, slot: int) -> Tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Boxes (batch, max_det, 6) `[x1, y1, x2, y2, score, class_id]` in image pixels, and counts (batch,).

        Views, valid until the slot is enqueued again. Without a decode description, counts are 0: see `outputs`.
        """

    def outputs(self, slot: int) -> Sequence[NDArray[np.float32]]:
        """The model's raw outputs of a slot, each (batch, ...) float32: views, valid as long as those of `wait`.

        What was decoded on a GPU is copied now.
        """

    def allocate(self, shape: Tuple[int, ...]) -> Optional[NDArray[np.uint8]]:
        """Memory for an image (H, W, 3) uint8 that a GPU reads without a copy on the host; None if there is none.

        It is the caller's, and may be used after `close`. Any thread may call this while the backend is open.
        """

    def stage_ms(self, slot: int) -> Dict[str, float]:
        """Milliseconds that the slot's last images spent in preprocess, inference and postprocess."""

    def close(self) -> None:
        """Frees everything. It may be called more than once."""


def choose_backend(path: str, options: BackendOptions) -> ModuleType:
    """The backend for a file and the wanted device.

    Raises:
        UsageError: no backend handles the file, or the named one does not serve the device.
        BackendUnavailable: its library is missing.
    """
    if options.backend is not None:
        member = plugins.load_member("backends", options.backend)
    else:
        member = plugins.pick("backends", path)
        if options.device not in ("auto", *member.DEVICES):
            member = _serving(path, options.device)
    if options.device not in ("auto", *member.DEVICES):
        raise UsageError(
            f"backend {options.backend!r} does not serve device {options.device!r}",
            hint=f"it serves {', '.join(member.DEVICES)}",
        )
    missing = member.available()
    if missing:
        raise BackendUnavailable(missing, hint="edge-doctor shows which backends this machine has")
    return member


def passed_over(path: str, chosen: ModuleType) -> List[str]:
    """Why preferred backends do not run a file although their library is installed, one sentence for each."""
    handling = [m for m in plugins.members("backends") if path.lower().endswith(tuple(m.HANDLES))]
    preferred = handling[: handling.index(chosen)] if chosen in handling else []
    reasons = [str(member.available() or "") for member in preferred]
    return [f"{reason}; {_name(chosen)} runs the model" for reason in reasons if libraries.BROKEN in reason]


def _name(member: ModuleType) -> str:
    return member.__name__.rsplit(".", 1)[-1]


def _serving(path: str, device: str) -> ModuleType:
    for module in plugins.members("backends"):
        if device in module.DEVICES and path.lower().endswith(tuple(module.HANDLES)):
            return module
    raise UsageError(f"no backend runs {path} on {device!r}", hint="leave --device out, or see edge-doctor")
