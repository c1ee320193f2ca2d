"""Detector: an open model. An image goes in, boxes in its own pixels come out."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import TracebackType
from typing import Optional, Sequence, Type, Union

import numpy as np
from numpy.typing import NDArray

from edge_runtime import backends
from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.detect.numpy_decode import NumpyDecoded
from edge_runtime.detect.understand import Model, describe
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.types import Detections


class Detector:
    """Finds objects in images.

        detector = Detector.open("yolo_nano_voc.onnx", conf=0.4)
        detections = detector(cv2.imread("street.jpg"))

    Attributes:
        model: what is known about the file.
        backend: what runs it; a `Pipeline` uses it directly.
    """

    def __init__(self, model: Model, backend: Backend, options: BackendOptions) -> None:
        self.model, self.options = model, options
        self.backend = backend if model.decode else NumpyDecoded(backend, model, options.thresholds)
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str,
        *,
        flags: ModelFlags = ModelFlags(),
        options: BackendOptions = BackendOptions(),
        conf: Optional[float] = None,
        iou: Optional[float] = None,
        max_det: Optional[int] = None,
        classes: Optional[Sequence[Union[int, str]]] = None,
        multi_label: Optional[bool] = None,
    ) -> Detector:
        """Opens a model file; never builds or converts one.

        Args:
            path: `.onnx` (or whatever a file in `backends/` handles).
            flags: what the file does not say about itself.
            options: backend, device, threads, slots.
            conf, iou, max_det, classes, multi_label: shorthand for `options.thresholds`; see `Thresholds`.

        Raises:
            ModelError: not a detector that this program can read.
            SpecError: flags or thresholds that contradict the model.
            BackendUnavailable: no library here runs such a file.
        """
        asked = {"conf": conf, "iou": iou, "max_det": max_det, "classes": classes, "multi_label": multi_label}
        stated = {name: value for name, value in asked.items() if value is not None}
        options = replace(options, thresholds=replace(options.thresholds, **stated))  # type: ignore[arg-type]
        member = backends.choose_backend(path, options)
        model = describe(path, member.read_io, flags, options.batch)
        if options.backend is None:
            model = replace(model, notes=(*model.notes, *backends.passed_over(path, member)))
        return cls(model, member.open(path, model.spec, model.decode, options), options)

    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        """Boxes in one image; not while a `Pipeline` runs on this detector.

        Args:
            image: (H, W, 3) uint8 BGR, as `cv2.imread` gives it.

        Returns:
            Detections in pixels of that image, best first; owned by the caller.

        Raises:
            SpecError: the array is not such an image.
        """
        with self._lock:
            self.backend.enqueue(0, [image])
            boxes, counts = self.backend.wait(0)
            return Detections.from_rows(boxes[0, : counts[0]], self.model.spec.labels)

    def warm_up(self, runs: int) -> None:
        """Runs on an empty image, in the background as a `Pipeline` does from now on."""
        self.backend.start()
        width, height = self.model.spec.input_wh
        image = np.zeros((height, width, 3), np.uint8)
        for run in range(runs):
            self.backend.enqueue(run % self.backend.slots, [image])
            self.backend.wait(run % self.backend.slots)

    def close(self) -> None:
        """Frees the model; harmless when repeated."""
        self.backend.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
