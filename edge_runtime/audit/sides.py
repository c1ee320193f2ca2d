"""The two sides of an audit: a network that runs here, or what another program wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Optional, Union

import numpy as np

from edge_runtime import backends
from edge_runtime.audit.likeness import Floats
from edge_runtime.audit.preparations import Image, Preparation
from edge_runtime.audit.readings import Reading
from edge_runtime.audit.recorded import Record, Recorded, is_recorded
from edge_runtime.backends import BackendOptions
from edge_runtime.detect import engines, evidence, understand
from edge_runtime.detect.output_reader import OutputReader
from edge_runtime.detect.sizes import running_at
from edge_runtime.identify.network import Network, frame_of
from edge_runtime.model.recipe import ModelFlags, load_recipe
from edge_runtime.model.spec import ModelIO
from edge_runtime.model.thresholds import Thresholds

RECIPE, ONNX = ".toml", ".onnx"


class OnnxSide:
    """An ONNX file that runs here on prepared pictures.

    Attributes:
        model: what is known about it.
        reading: how its outputs become boxes.

    Raises:
        ModelError: it is no detector that this program can read.
        BackendUnavailable: ONNX Runtime is missing.
    """

    kind = "onnx"

    def __init__(self, path: str, flags: ModelFlags, thresholds: Thresholds, threads: int) -> None:
        self.path, self.thresholds = path, thresholds
        self.model = evidence.described(path, flags)
        self.reading = Reading(self.model)
        self.preparation = Preparation(self.model.spec)
        self._network = Network(path, self.io, threads)
        self._reader = self.reading.reader()

    @property
    def io(self) -> ModelIO:
        """Names and shapes of its inputs and outputs."""
        return self.model.io

    def run(self, tensor: Floats) -> List[Floats]:
        """Outputs for a prepared picture (3, H, W), without the batch axis, float32."""
        return self._network.run_on(tensor)

    def record(self, picture: str, image: Image) -> Record:
        """What it makes of a picture by its own preparation."""
        return self.record_of(self.preparation.tensor(image), image)

    def record_of(self, tensor: Floats, image: Image) -> Record:
        """What it makes of a prepared picture (3, H, W); boxes as if its own preparation had prepared it."""
        outputs = self.run(tensor)
        boxes = self.boxes(outputs, image)
        return Record(dict(zip(self.io.outputs, outputs)), tensor, boxes)

    def boxes(self, outputs: List[Floats], image: Image) -> Floats:
        """Boxes (n, 6) of its outputs in pixels of the picture, as edge-detect gives them."""
        return self._reader.boxes(outputs, frame_of(image, self.model.spec), self.thresholds)


class EngineSide:
    """A file of another backend, a TensorRT plan. It takes whole pictures, and its outputs are decoded here.

    Raises:
        ModelError: it is no detector that this program can read.
        BackendUnavailable: no library here runs it.
    """

    kind = "engine"

    def __init__(self, path: str, flags: ModelFlags, thresholds: Thresholds, threads: int) -> None:
        self.path, self._thresholds = path, thresholds
        self._options = BackendOptions(thresholds=thresholds, slots=1, threads=threads)
        self._member = backends.choose_backend(path, self._options)
        self.model = understand.describe(path, self._member.read_io, flags)
        self._backend = self._opened()
        if not self.model.certain:
            self._weigh()
        self._reader = OutputReader(self.model)

    def record(self, picture: str, image: Image) -> Record:
        """What it makes of a picture."""
        self._backend.enqueue(0, [image])
        self._backend.wait(0)
        outputs = [np.array(output[0], np.float32) for output in self._backend.outputs(0)]
        boxes = self._reader.boxes(outputs, frame_of(image, self.model.spec), self._thresholds)
        return Record(dict(zip(self.model.io.outputs, outputs)), None, boxes)

    def _opened(self) -> backends.Backend:
        """The open file, which decodes nothing itself: a GPU would keep its outputs."""
        with running_at(self.path, self.model.chosen_wh):
            opened: backends.Backend = self._member.open(self.path, self.model.spec, None, self._options)
            return opened

    def _weigh(self) -> None:
        before = self.model.spec
        self.model = evidence.weighed(self.model, evidence.values(self._backend))
        if self.model.spec != before:
            self._backend.close()
            self._backend = self._opened()


class RecordedSide:
    """What another program wrote."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._recorded = Recorded(path)
        self.kind, self.only_found = self._recorded.kind, self._recorded.only_found

    def record(self, picture: str, image: Image) -> Optional[Record]:
        """What it wrote of a picture; None if nothing."""
        return self._recorded.of(picture)


Side = Union[OnnxSide, EngineSide, RecordedSide]


def open_side(path: str, flags: ModelFlags, thresholds: Thresholds, threads: int) -> Side:
    """Opens one side. A recipe beside a model, `m.toml` beside `m.onnx`, is read; the flags override it.

    Raises:
        EdgeError: it cannot be read, see the classes.
    """
    if is_recorded(path):
        return RecordedSide(path)
    path = engines.find_engine(path)
    beside = Path(path).with_suffix(RECIPE)
    if beside.is_file():
        flags = flags.over(load_recipe(str(beside)))
    kind = OnnxSide if path.lower().endswith(ONNX) else EngineSide
    return kind(path, flags, thresholds, threads)


def name_of(side: Side, other: Side) -> str:
    """The file's name, with its folder if the other one has the same name."""
    base = os.path.basename(side.path.rstrip(os.sep))
    return side.path if base == os.path.basename(other.path.rstrip(os.sep)) else base
