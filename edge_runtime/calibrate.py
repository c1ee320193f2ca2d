"""Calibration: runs a float network over images and notes what its activations are like.

The images are prepared exactly as for inference. Memory does not grow with their number. The notes are saved while they
are taken: after a kill the same call goes on where it was, and gives the same table.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Collection, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import __version__, ops
from edge_runtime.backends import cores
from edge_runtime.errors import BackendUnavailable, ModelError
from edge_runtime.ranges.histogram import Histogram
from edge_runtime.ranges.methods import METHODS
from edge_runtime.ranges.table import Origin, RangeTable
from edge_runtime.sources.image import ImageSource
from edge_runtime.spec import ModelSpec

if TYPE_CHECKING:
    import onnx

SAVE_EVERY = 32  # images
Floats = NDArray[np.float32]


@dataclass
class Notes:
    """What has been seen of each activation.

    Attributes:
        histograms: by tensor name.
        sums: (channels,) float64 by tensor name: means per channel, added up over images.
        images: how many.
    """

    histograms: Dict[str, Histogram]
    sums: Dict[str, NDArray[np.float64]]
    images: int = 0

    def table(self, origin: Origin, whole: Collection[str] = ()) -> RangeTable:
        """Ranges by the origin's method; activations that were always zero are left out.

        Args:
            whole: activations that keep everything seen, whatever the method; see `marks.ends`.

        Raises:
            ModelError: a range is not usable.
        """
        methods = [METHODS["minmax" if name in whole else origin.method] for name in self.histograms]
        with ThreadPoolExecutor(cores()) as pool:
            chosen = pool.map(lambda choose, histogram: choose(histogram), methods, self.histograms.values())
            found = dict(zip(self.histograms, chosen))
        ranges = {name: limits for name, limits in found.items() if limits[0] < limits[1]}
        return RangeTable(origin, ranges, {"images": self.images, "version": __version__})

    def means(self) -> Dict[str, Floats]:
        """(channels,) mean of each activation."""
        return {name: (total / self.images).astype(np.float32) for name, total in self.sums.items()}

    def save(self, path: Path, key: str) -> None:
        """Writes everything, all or nothing."""
        arrays: Dict[str, Any] = {"key": np.array(key), "images": np.array(self.images)}
        for number, (name, histogram) in enumerate(self.histograms.items()):
            arrays.update({f"{part}{number}": value for part, value in histogram.state().items()})
            arrays[f"sum{number}"] = self.sums[name]
        new = path.with_suffix(".new.npz")
        np.savez(new, **arrays)
        os.replace(new, path)

    @classmethod
    def restored(cls, path: Path, key: str, names: Sequence[str]) -> Notes:
        """What `save` wrote under the same key, else empty notes."""
        empty = cls({name: Histogram() for name in names}, {})
        if not path.exists():
            return empty
        with np.load(path) as arrays:
            if str(arrays["key"]) != key:
                return empty
            states = [{part: arrays[f"{part}{n}"] for part in ("counts", "about")} for n in range(len(names))]
            sums = {name: arrays[f"sum{n}"] for n, name in enumerate(names)}
            return cls({n: Histogram.restored(s) for n, s in zip(names, states)}, sums, int(arrays["images"]))


def origin(model: bytes, images: Sequence[str], spec: ModelSpec, method: str) -> Origin:
    """What a table of these would be made from."""
    digest = hashlib.sha256()
    for path in images:
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    seen = {key: value for key, value in asdict(spec).items() if key in PREPARATION}
    prepared = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
    return Origin(hashlib.sha256(model).hexdigest(), digest.hexdigest(), prepared, method)


PREPARATION = ("input_wh", "resize", "pad_value", "color", "mean", "std")


def collect(
    model: onnx.ModelProto,
    names: Sequence[str],
    spec: ModelSpec,
    images: Sequence[str],
    state: Optional[Path] = None,
    key: str = "",
    tick: Callable[[], None] = lambda: None,
) -> Notes:
    """Runs the float network over every image.

    Args:
        names: activations to look at.
        spec: how images are prepared.
        images: files, in order.
        state: where notes are kept on the way; removed at the end.
        key: of the notes; those of another key are not continued.
        tick: called after each image, also for those that had been seen before.

    Raises:
        ModelError: an activation is not finite on some image, named with it.
        BackendUnavailable: ONNX Runtime is not installed.
    """
    notes = Notes.restored(state, key, names) if state else Notes({name: Histogram() for name in names}, {})
    for _ in range(notes.images):
        tick()
    run = _session(model, names)
    with ThreadPoolExecutor(cores()) as pool:
        for path, tensor in _prepared(images[notes.images :], spec, pool):
            _note(notes, names, run(tensor), path, pool)
            tick()
            if state and notes.images % SAVE_EVERY == 0:
                notes.save(state, key)
    if state and state.exists():
        state.unlink()
    return notes


def _session(model: onnx.ModelProto, names: Sequence[str]) -> Callable[[Floats], List[Floats]]:
    """Runs the network up to the named activations."""
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendUnavailable("onnxruntime is not installed", hint="pip install 'edge-runtime[cpu]'") from error
    from onnx import TensorProto, helper

    known = {value.name for value in model.graph.output}
    feed = next(v.name for v in model.graph.input if v.name not in {t.name for t in model.graph.initializer})
    wanted = [name for name in names if name != feed]
    added = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted if name not in known]
    exposed = type(model)()
    exposed.CopyFrom(model)
    exposed.graph.output.extend(added)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), options, providers=providers)

    def run(tensor: Floats) -> List[Floats]:
        values = dict(zip(wanted, session.run(wanted, {feed: tensor})), **{feed: tensor})
        return [values[name] for name in names]

    return run


def _prepared(images: Sequence[str], spec: ModelSpec, pool: ThreadPoolExecutor) -> Iterator[Tuple[str, Floats]]:
    """Network inputs in order, prepared a few images ahead."""
    width, height = spec.input_wh

    def prepare(path: str) -> Floats:
        frame = ImageSource(path).read()
        assert frame is not None
        tensor = np.zeros((1, 3, height, width), np.float32)
        ops.place(frame.image, spec, tensor[0])
        return tensor

    ahead = cores()
    waiting = [(path, pool.submit(prepare, path)) for path in images[:ahead]]
    for number in range(len(images)):
        path, future = waiting.pop(0)
        if number + ahead < len(images):
            following = images[number + ahead]
            waiting.append((following, pool.submit(prepare, following)))
        yield path, future.result()


def _note(notes: Notes, names: Sequence[str], values: List[Floats], path: str, pool: ThreadPoolExecutor) -> None:
    def look(name: str, value: Floats) -> NDArray[np.float64]:
        value = value.astype(np.float32, copy=False)
        try:
            notes.histograms[name].add(value)
        except ValueError as error:
            raise ModelError(f"{name} on {path}: {error}", hint="is this the model's preprocessing?") from error
        others = tuple(axis for axis in range(value.ndim) if axis != 1)
        return value.mean(axis=others, dtype=np.float64) if value.ndim > 1 else value.astype(np.float64)

    for name, mean in zip(names, pool.map(look, names, values)):
        notes.sums[name] = notes.sums.get(name, 0.0) + mean
    notes.images += 1
