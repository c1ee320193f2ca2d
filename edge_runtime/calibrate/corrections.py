"""What pictures tell beside the ranges: means of activations, for the biases, and the rounding of the weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Collection, Dict, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.calibrate import runs
from edge_runtime.calibrate.patches import RoundingStudy
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.graph import fake
from edge_runtime.graph.correction import Corrections
from edge_runtime.graph.network import Network
from edge_runtime.machine import cores
from edge_runtime.model.spec import ModelSpec

Floats = NDArray[np.float32]
AVERAGED, LEARNED = 64, 16  # images to compute means; and at least to learn the rounding, if there are so many


def learn(
    network: Network,
    ranges: Mapping[str, Range],
    spec: ModelSpec,
    images: Sequence[str],
    keep: Collection[str] = (),
    progress: Callable[[str, int], Callable[[], None]] = lambda label, total: lambda: None,
) -> Corrections:
    """Runs the float network over some of the images.

    Args:
        ranges: range of each activation that is rounded.
        keep: names of layers that stay in float.
    """
    convs = [node for node in network.nodes if node.op_type == "Conv"]
    names = list(dict.fromkeys(node.input[0] for node in convs))
    study = RoundingStudy(network, keep)
    some = images[:: max(1, len(images) // AVERAGED)][:AVERAGED]
    every = max(1, len(some) // LEARNED)
    tick, run = progress("biases", len(some)), runs.runner(network.model, names)
    totals: Dict[str, NDArray[np.float64]] = {}
    with ThreadPoolExecutor(cores()) as pool:
        for number, (_, tensor) in enumerate(runs.prepared(some, spec, pool)):
            values = run(tensor)
            for name, both in zip(names, pool.map(_means, values, map(ranges.get, names))):
                totals[name] = both / len(some) + totals.get(name, 0.0)
            if number % every == 0:
                study.see(dict(zip(names, values)), pool)
            tick()
    means = {name: (total[0].astype(np.float32), total[1].astype(np.float32)) for name, total in totals.items()}
    return Corrections(means, study.weights())


def _means(value: Floats, limits: Optional[Range]) -> NDArray[np.float64]:
    """Returns the means of the channels before and after rounding, (2, channels)."""
    others = tuple(axis for axis in range(value.ndim) if axis != 1)
    pair = value, value if limits is None else fake.rounded(value, limits)
    return np.stack([array.mean(axis=others, dtype=np.float64) for array in pair])
