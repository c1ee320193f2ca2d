"""Runs one network with many preparations of a picture: one session, which takes prepared tensors."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import onnxruntime as ours
from edge_runtime.backends._failures import explained
from edge_runtime.backends._host import HostSlot
from edge_runtime.detect.finite import not_finite
from edge_runtime.errors import BackendUnavailable
from edge_runtime.model import geometry
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.native import ops

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
Key = Tuple[Any, ...]


class Network:
    """An open ONNX file.

    Attributes:
        runs: how many times it ran.
        bad: how many times its outputs were not finite.

    Raises:
        BackendUnavailable: ONNX Runtime is missing.
        ModelError: ONNX Runtime cannot run the file.
    """

    def __init__(self, path: str, io: ModelIO, threads: int = 0) -> None:
        missing = ours.available()
        if missing:
            raise BackendUnavailable(missing, hint="edge-identify runs the ONNX file with it; edge-doctor says more")
        self.runs = self.bad = 0
        self._slot = HostSlot(io, 1)
        self._slot.run = ours.bind(_session(path, threads), path, io, self._slot.feeds, self._slot.fetches)

    def run(self, image: Image, spec: ModelSpec) -> List[Floats]:
        """Prepares one image, (H, W, 3) uint8 BGR, and runs the network.

        Returns:
            Its outputs in the file's order, float32, without the batch axis.

        Raises:
            ModelError: ONNX Runtime failed.
        """
        ops.prepare_image(image, spec, self._slot.tensor[0])
        return self._outputs()

    def run_on(self, tensor: Floats) -> List[Floats]:
        """Runs the network on a prepared image, (3, H, W) float32. Returns and raises the same as `run`."""
        self._slot.tensor[0] = tensor
        return self._outputs()

    def _outputs(self) -> List[Floats]:
        self._slot.tensor[1:] = self._slot.tensor[0]
        self.runs += 1
        self._slot.infer()
        self.bad += any(map(not_finite, self._slot.outputs))
        return [output[0].copy() for output in self._slot.outputs]


def _session(path: str, threads: int) -> Any:
    library = ours.library()
    options = library.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # between two runs we need the cores
    try:
        return library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types are not public
        raise explained("onnxruntime", path, error) from error


def frame_of(image: Image, spec: ModelSpec) -> ops.FrameRow:
    """The row of an image for an `OutputReader`: where it lies in the input of a model."""
    image_wh = (image.shape[1], image.shape[0])
    return ops.frame_row(geometry.fit(image_wh, spec.input_wh, spec.resize), image_wh)


def input_key(image: Image, spec: ModelSpec) -> Key:
    """What the network sees of an image apart from the image. With equal keys the tensors are equal."""
    box = geometry.fit((image.shape[1], image.shape[0]), spec.input_wh, spec.resize)
    padding = spec.pad_value if (box.width, box.height) != spec.input_wh else None
    return box, spec.color, spec.mean, spec.std, padding
