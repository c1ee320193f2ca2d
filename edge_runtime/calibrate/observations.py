"""Observes the values of a float network's activations over many images.

The images are prepared exactly as for inference. Memory does not grow with their number. The observations are saved
during the run. After a kill the same call continues where it was, and its result is the same.
"""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, FrozenSet, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.calibrate import runs
from edge_runtime.calibrate.ranges.histogram import Histogram
from edge_runtime.calibrate.ranges.methods import METHODS, Range
from edge_runtime.calibrate.ranges.table import LARGEST, SMALLEST
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import atomic
from edge_runtime.machine import cores
from edge_runtime.model.spec import ModelSpec

if TYPE_CHECKING:
    import onnx

SAVE_EVERY = 32  # images
ZERO = (0.0, 1e-9)  # so small that it changes no range that an activation shares with others
Floats = NDArray[np.float32]
Tick = Callable[[], None]


@dataclass
class Observations:
    """What was observed.

    Attributes:
        histograms: histograms by tensor name.
        images: number of images.
    """

    histograms: Dict[str, Histogram]
    images: int = 0

    def ranges(self, method: str) -> Dict[str, Range]:
        """Returns ranges, chosen by one of `METHODS`. An activation that was always zero gets the range `ZERO`."""
        seen = {name: histogram for name, histogram in self.histograms.items() if name not in self.zero}
        with ThreadPoolExecutor(cores()) as pool:
            found = dict(zip(seen, pool.map(METHODS[method], seen.values())))
        return {name: found.get(name, ZERO) for name in self.histograms}

    @property
    def zero(self) -> FrozenSet[str]:
        """Activations that were zero on all images, or too small for a scale."""
        return frozenset(n for n, seen in self.histograms.items() if not max(-seen.low, seen.high) >= SMALLEST)

    @property
    def huge(self) -> FrozenSet[str]:
        """Activations with values too large for a scale, such as masks of -1e30."""
        return frozenset(n for n, seen in self.histograms.items() if max(-seen.low, seen.high) > LARGEST)

    def save(self, path: Path, key: str) -> None:
        """Writes the observations; the file is either complete or not written.

        Raises:
            UsageError: the file cannot be written.
        """
        arrays: Dict[str, Any] = {"key": np.array(key), "images": np.array(self.images)}
        for number, histogram in enumerate(self.histograms.values()):
            arrays.update({f"{part}{number}": value for part, value in histogram.state().items()})
        with atomic.replacing(path) as file:
            np.savez(file, **arrays)

    @classmethod
    def restored(cls, path: Path, key: str, names: Sequence[str]) -> Observations:
        """Returns what `save` wrote with the same key, else empty observations."""
        empty = cls({name: Histogram() for name in names})
        try:
            with path.open("rb") as file, np.load(file) as arrays:
                if str(arrays["key"]) != key:
                    return empty
                states = [{part: arrays[f"{part}{n}"] for part in ("counts", "about")} for n in range(len(names))]
                return cls({n: Histogram.restored(s) for n, s in zip(names, states)}, int(arrays["images"]))
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):  # it does not exist, or is not ours
            return empty


def collect(
    model: onnx.ModelProto,
    names: Sequence[str],
    spec: ModelSpec,
    images: Sequence[str],
    state: Optional[Path] = None,
    key: str = "",
    tick: Tick = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> Observations:
    """Runs the float network over every image.

    Args:
        names: activations to observe.
        spec: how images are prepared.
        images: image files, in order.
        state: file that keeps the observations, during the run and at its end.
        key: key of the observations. A file with another key is not continued.
        tick: called after each image, also for images that were observed in an earlier run.
        say: called with a message if the observations cannot be saved. They are needed only after a kill.

    Raises:
        ModelError: an activation is not finite on an image. The message names both.
        BackendUnavailable: ONNX Runtime is not installed.
    """
    notes = Observations.restored(state, key, names) if state else Observations({name: Histogram() for name in names})
    for _ in range(notes.images):
        tick()
    run = runs.runner(model, names)
    with ThreadPoolExecutor(cores()) as pool:
        for path, tensor in runs.prepared(images[notes.images :], spec, pool):
            _note(notes, names, run(tensor), path, pool)
            tick()
            if state and (notes.images % SAVE_EVERY == 0 or notes.images == len(images)):
                state = _kept(notes, state, key, say)
    return notes


def _kept(notes: Observations, state: Path, key: str, say: Callable[[str], None]) -> Optional[Path]:
    """Saves the observations, and returns where to save them from now on: nowhere (None) if it failed."""
    try:
        notes.save(state, key)
        return state
    except UsageError as error:
        say(f"note: {error}: after a kill the run starts from the beginning")
        return None


def _note(notes: Observations, names: Sequence[str], values: List[Floats], path: str, pool: ThreadPoolExecutor) -> None:
    def look(name: str, value: Floats) -> None:
        try:
            notes.histograms[name].add(value)
        except ValueError as error:
            raise ModelError(f"{name} on {path}: {error}", hint="check --color, --mean and --std") from error

    list(pool.map(look, names, values))
    notes.images += 1
