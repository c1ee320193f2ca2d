"""Detector: an open model. An image goes in, boxes in its own pixels come out."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import Any, List, NoReturn, Optional, Sequence, Tuple, Type, Union, overload

import numpy as np

from edge_runtime import backends
from edge_runtime.backends import Backend, BackendOptions
from edge_runtime.detect import batches, engines, evidence, golden, keywords, results
from edge_runtime.detect.finite import OutputWatch
from edge_runtime.detect.numpy_decode import NumpyDecoded
from edge_runtime.detect.sizes import running_at
from edge_runtime.detect.understand import Model, describe
from edge_runtime.errors import UsageError
from edge_runtime.imaging.picture import Picture, to_bgr
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.native.pictures import size_of
from edge_runtime.types import Detections, Pixels

UNNAMED = {"cls", "path", "unknown"}  # arguments of `open` that are not keywords


class Detector:
    """Finds objects in images.

        detector = Detector.open("yolo_nano_voc.onnx", conf=0.4)
        detections = detector("street.jpg")
        detections.save("found.jpg")

    Attributes:
        model: what is known about the file.
        backend: the library that runs it. A `Pipeline` uses it directly.
        watch: whether the outputs of its own calls are finite.
    """

    def __init__(self, model: Model, backend: Backend, options: BackendOptions) -> None:
        self.model, self.options = model, options
        self.backend = backend if model.decode else NumpyDecoded(backend, model, options.thresholds)
        self.watch = OutputWatch()
        self._lock, self._claimed = threading.Lock(), False

    @classmethod
    def open(
        cls,
        path: Union[str, os.PathLike[str]],
        *,
        flags: ModelFlags = ModelFlags(),
        options: BackendOptions = BackendOptions(),
        backend: Optional[str] = None,
        device: Optional[str] = None,
        slots: Optional[int] = None,
        batch: Optional[int] = None,
        threads: Optional[int] = None,
        streams: Optional[int] = None,
        spinning: Optional[bool] = None,
        zero_copy: Optional[bool] = None,
        golden: Optional[bool] = None,
        conf: Optional[float] = None,
        iou: Optional[float] = None,
        max_det: Optional[int] = None,
        classes: Union[int, str, Sequence[Union[int, str]], None] = None,
        multi_label: Optional[bool] = None,
        recipe: Union[str, os.PathLike[str], None] = None,
        family: Optional[str] = None,
        labels: Union[str, os.PathLike[str], Sequence[str], None] = None,
        imgsz: Union[int, Tuple[int, int], None] = None,
        resize: Optional[str] = None,
        color: Optional[str] = None,
        mean: Union[float, Sequence[float], None] = None,
        std: Union[float, Sequence[float], None] = None,
        pad_value: Optional[int] = None,
        anchors: Union[str, Sequence[Sequence[Sequence[float]]], None] = None,
        strides: Optional[Sequence[int]] = None,
        scale_xy: Optional[Sequence[float]] = None,
        head_layout: Union[str, Sequence[str], None] = None,
        **unknown: NoReturn,
    ) -> Detector:
        """Opens a model file. It never builds or converts one. The keywords are the flags of the commands.

            Detector.open("yolo_nano_voc_int8.onnx", conf=0.4, classes=["dog", "cat"], device="cpu")

        Args:
            path: `.onnx`, `.plan`, or another suffix that a file in `backends/` handles. A bare name is looked up like
                in the commands: in the current folder, this board's plans, `engines/`, the package.
            flags: what the file does not say about itself. The keywords below override it. It overrides the recipe.
            options: how to run it. The keywords below override it.
            backend, device, slots, batch, threads, streams, spinning, zero_copy, golden: see `BackendOptions`.
            conf, iou, max_det, classes, multi_label: see `Thresholds`; `classes="dog"` is one class.
            recipe: a TOML file with the keys below.
            family, labels, imgsz, resize, color, mean, std, pad_value, anchors, strides, scale_xy, head_layout: see
                `ModelFlags`; labels may also be a list of names, imgsz one number or (width, height) in pixels.

        Raises:
            ModelError: there is no such file, it is not a detector that this program can read, or it does not find
                its golden frames.
            SpecError: flags or thresholds that contradict the model.
            UsageError: an unknown keyword, or a value that makes no sense.
            BackendUnavailable: no installed library runs such a file.
        """
        given = dict(locals())
        keywords.refuse_unknown(unknown, given.keys() - UNNAMED)
        said = {name: value for name, value in given.items() if value is not None}
        return cls._opened(path, keywords.model_flags(said, flags), keywords.backend_options(said, options))

    @classmethod
    def _opened(cls, name: Union[str, os.PathLike[str]], flags: ModelFlags, options: BackendOptions) -> Detector:
        if not isinstance(name, (str, os.PathLike)):
            raise UsageError(f"path is {name!r}", hint="expected the path of a model file, or its bare name")
        path = os.fsdecode(name)
        path = path if os.path.dirname(path) else engines.find_engine(path)
        member = backends.choose_backend(path, options)
        model = describe(path, member.read_io, flags, options.batch)
        model, backend = _confirmed(model, member, options)
        if options.backend is None:
            model = replace(model, notes=(*model.notes, *backends.passed_over(path, member)))
        return cls(model, backend, options)

    @overload
    def __call__(self, image: Union[Picture, Pixels]) -> Detections: ...

    @overload
    def __call__(self, image: Union[List[Any], Tuple[Any, ...]]) -> List[Detections]: ...

    def __call__(self, image: Any) -> Union[Detections, List[Detections]]:
        """Finds boxes in one image or several. It cannot be called while a `Pipeline` runs on this detector.

        Args:
            image: path of a picture file; uint8 array (H, W, 3) BGR, as `cv2.imread` gives it, (H, W) grey or (H, W, 4)
                BGRA; image of Pillow in any colour mode; `Pixels` of a decoder or camera; or a list of these, which is
                read step by step.

        Returns:
            Detections in pixels of that image, best first. They belong to the caller. For a list, a list of them.

        Raises:
            ModelError: a result that no detector gives, so that the model is of another family than was said or taken.
            SpecError: an array or Pillow image of another kind, or another type.
            SourceError: a picture file that cannot be read.
            UsageError: a stream or a folder, which only a `Pipeline` reads; or a `Pipeline` runs on this detector.
        """
        if not isinstance(image, (list, tuple)):
            return self._detect([image])[0]
        size = self.backend.batch
        return [found for at in range(0, len(image), size) for found in self._detect(image[at : at + size])]

    def _detect(self, pictures: Sequence[Union[Picture, Pixels]]) -> List[Detections]:
        images = [picture if isinstance(picture, Pixels) else to_bgr(picture) for picture in pictures]
        with self._lock:
            self._refuse_while_claimed()
            self.backend.enqueue(0, images)
            boxes, counts = self.backend.wait(0)
            self.watch.seen(self.backend, 0, len(images), int(counts[: len(images)].sum()))
            rows = [
                results.checked(boxes[number, : counts[number]], self.model, size_of(image))
                for number, image in enumerate(images)
            ]
            found = [Detections.from_rows(each, self.model.spec.labels) for each in rows]
        for each, picture, image in zip(found, pictures, images):
            each.image_wh = size_of(image)
            if not isinstance(picture, Pixels) and not isinstance(image, Pixels):
                each.found_in(picture, image)
        return found

    def warm_up(self, runs: int) -> None:
        """Runs on an empty image. From now on the model runs in the background, as in a `Pipeline`.

        Raises:
            UsageError: a `Pipeline` runs on this detector.
        """
        with self._lock:
            self._refuse_while_claimed()
            warm_up(self, runs)

    def claim(self) -> None:
        """Reserves the detector for the caller until `release`. Other callers are refused.

        Raises:
            UsageError: another caller has reserved it.
        """
        with self._lock:
            self._refuse_while_claimed()
            self._claimed = True

    def release(self) -> None:
        """Ends the reservation, so that others may use the detector again."""
        self._claimed = False

    def close(self) -> None:
        """Frees the model. It may be called more than once.

        Raises:
            UsageError: a `Pipeline` runs on this detector.
        """
        with self._lock:
            self._refuse_while_claimed("close the Pipeline first")
            self.backend.close()

    def _refuse_while_claimed(self, hint: str = "open a second Detector for this") -> None:
        if self._claimed:
            raise UsageError("a Pipeline runs over this detector", hint=hint)

    def __enter__(self) -> Detector:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None or not self._claimed:  # a run that could not end keeps the model, and its error is raised
            self.close()


def _confirmed(model: Model, member: ModuleType, options: BackendOptions) -> Tuple[Model, Backend]:
    """Opens a model that finds its golden frames, and finds the same in batches as alone if it runs both."""
    model, backend = _weighed(model, member, options)
    alone = replace(options, batch=1, slots=1, streams=1)
    try:
        with running_at(model.path, model.chosen_wh):
            note = golden.check(model, backend) if options.golden else None
        batches.confirm(model.path, backend, lambda: member.open(model.path, model.spec, model.decode, alone))
    except BaseException:
        backend.close()
        raise
    return (replace(model, notes=(*model.notes, note)) if note else model), backend


def _weighed(model: Model, member: ModuleType, options: BackendOptions) -> Tuple[Model, Backend]:
    """Opens a model. If its family is a guess, one run decides, and another family is opened anew."""
    with running_at(model.path, model.chosen_wh):
        backend: Backend = member.open(model.path, model.spec, model.decode, options)
    if model.certain:
        return model, backend
    try:
        with running_at(model.path, model.chosen_wh):
            outputs = evidence.values(backend)
        chosen = evidence.weighed(model, outputs)
    except BaseException:
        backend.close()
        raise
    if chosen.spec != model.spec:
        backend.close()
        backend = member.open(chosen.path, chosen.spec, chosen.decode, options)
    return chosen, backend


def warm_up(detector: Detector, runs: int) -> None:
    """Like `Detector.warm_up`, for the caller that has claimed the detector."""
    backend, (width, height) = detector.backend, detector.model.spec.input_wh
    backend.start()
    image = np.zeros((height, width, 3), np.uint8)
    for run in range(runs):
        backend.enqueue(run % backend.slots, [image])
        backend.wait(run % backend.slots)
