"""How much noise rounding an activation brings to the detector's outputs, measured on a few images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import cores
from edge_runtime.calibrate import runs
from edge_runtime.graph import fake, marks
from edge_runtime.graph.network import Network
from edge_runtime.ranges.methods import Range

Floats = NDArray[np.float32]


class Probe:
    """A network in which any activations can be rounded, one session for all questions.

    Noise is the power of what rounding changes over the power of the signal, at the head output where it is largest;
    weights are not rounded.
    """

    def __init__(self, network: Network, seen: Mapping[str, Range], feeds: Sequence[Floats]) -> None:
        """Uses the network up.

        Args:
            seen: the activations to ask about, with everything that was seen of them.
            feeds: (1, 3, H, W) inputs to measure on.
        """
        self._seen, self._input = dict(seen), network.inputs[0]
        self._outputs = marks.ends(network)
        model = fake.insert(network, self._seen)
        self._session = runs.session(model, self._outputs, threads=1, fuse=False)
        self._feeds = feeds
        self._float = self._run({})
        self._power = [np.mean([image[k].var() for image in self._float]) for k in range(len(self._outputs))]

    def noise(self, ranges: Mapping[str, Range]) -> float:
        """Noise with these activations rounded, all others not."""
        got = self._run(ranges)
        powers = (
            np.mean([np.square(a[k] - b[k]).mean() for a, b in zip(got, self._float)]) / max(self._power[k], 1e-12)
            for k in range(len(self._outputs))
        )
        return float(max(powers))

    def each(self, ranges: Mapping[str, Range]) -> Dict[str, float]:
        """Noise of each activation rounded alone."""
        with ThreadPoolExecutor(cores()) as pool:
            return dict(zip(ranges, pool.map(lambda name: self.noise({name: ranges[name]}), ranges)))

    def without(self, ranges: Mapping[str, Range]) -> Dict[str, float]:
        """Noise with all of them rounded but one, for each."""
        with ThreadPoolExecutor(cores()) as pool:
            others = ({k: v for k, v in ranges.items() if k != name} for name in ranges)
            return dict(zip(ranges, pool.map(self.noise, others)))

    def _run(self, ranges: Mapping[str, Range]) -> List[List[Floats]]:
        settings: Dict[str, Floats] = {}
        for name, seen in self._seen.items():
            settings.update(fake.parameters(name, ranges.get(name, seen), rounded=name in ranges))
        return [self._session.run(self._outputs, {self._input: feed, **settings}) for feed in self._feeds]
