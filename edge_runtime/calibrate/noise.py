"""Measures on a few images how much noise the rounding of an activation adds to the detector's outputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.calibrate import runs
from edge_runtime.calibrate.ranges.methods import Range
from edge_runtime.graph import fake, rounding_points
from edge_runtime.graph.cut import boundary_tensors, cut_from
from edge_runtime.graph.network import Network
from edge_runtime.machine import cores

Floats = NDArray[np.float32]
Values = Dict[str, Floats]
PARTS = 8  # the network is cut into parts, because the nodes before the first rounding need not run again


class NoiseProbe:
    """A network whose inputs choose which activations are rounded.

    Noise is the power of the change by rounding, divided by the power of the signal. It is taken at the head output
    where it is largest. Weights are not rounded.
    """

    def __init__(self, network: Network, seen: Mapping[str, Range], feeds: Sequence[Floats]) -> None:
        """Runs the network once on each feed. It is not changed.

        Args:
            seen: the activations to measure, each with a range that holds all its values.
            feeds: (1, 3, H, W) inputs to measure on.
        """
        self._network, self._outputs = network, rounding_points.ends(network)
        makers = {name: place for place, node in enumerate(network.nodes) for name in node.output}
        read = [name for name in seen if network.consumers(name)]  # the rounding of others changes nothing
        names = sorted(read, key=lambda name: makers.get(name, -1))
        size = -(-len(names) // PARTS)
        self._parts = [names[first : first + size] for first in range(0, len(names), size or 1)]
        self._idle: Dict[str, Values] = {n: fake.parameters(n, limits, rounded=False) for n, limits in seen.items()}
        self._known: List[Values] = [{network.inputs[0]: feed} for feed in feeds]
        firsts = [1 + makers.get(part[0], -1) for part in self._parts]
        handed = {name: None for first in firsts for name in boundary_tensors(network.model, first, [])}
        wanted = [name for name in dict.fromkeys([*handed, *self._outputs]) if name not in self._known[0]]
        whole = runs.session(network.model, wanted)
        for known in self._known:
            known.update(zip(wanted, whole.run(wanted, known)))
        self._power = [float(np.mean([known[name].var() for known in self._known])) for name in self._outputs]

    def noise(self, ranges: Mapping[str, Range]) -> float:
        """Returns the noise if these activations are rounded, and no others."""
        return self._noise(self._whole, ranges)

    def each(self, ranges: Mapping[str, Range]) -> Dict[str, float]:
        """Returns, for each activation, the noise if only it is rounded. Faster than a call of `noise` for each."""
        found: Dict[str, float] = {}
        with ThreadPoolExecutor(cores()) as pool:
            for part in self._parts:
                found.update(self._alone(part, ranges, pool))
        return {name: found.get(name, 0.0) for name in ranges}

    def _alone(self, part: Sequence[str], ranges: Mapping[str, Range], pool: ThreadPoolExecutor) -> Dict[str, float]:
        """Returns the same for the activations of one part."""
        names = [name for name in part if name in ranges]
        if not names:
            return {}
        end = _End(self._network, part, self._outputs, self._known)
        return dict(zip(names, pool.map(partial(self._noise, end), ({name: ranges[name]} for name in names))))

    @cached_property
    def _whole(self) -> _End:
        return _End(self._network, [name for part in self._parts for name in part], self._outputs, self._known)

    def _noise(self, end: _End, ranges: Mapping[str, Range]) -> float:
        settings, powers = self._settings(end.names, ranges), dict.fromkeys(self._outputs, 0.0)
        for known in self._known:
            for name, value in end.run(known, settings).items():
                powers[name] += float(np.square(value - known[name]).mean()) / len(self._known)
        return max((power / max(signal, 1e-12) for power, signal in zip(powers.values(), self._power)), default=0.0)

    def _settings(self, names: Sequence[str], ranges: Mapping[str, Range]) -> Values:
        settings: Values = {}
        for name in names:
            settings.update(fake.parameters(name, ranges[name]) if name in ranges else self._idle[name])
        return settings


class _End:
    """A session of the nodes from the first that is rounded to the end. Only the named activations can be rounded."""

    def __init__(self, network: Network, names: Sequence[str], outputs: Sequence[str], known: Sequence[Values]) -> None:
        model = fake.insert(network.copy(), names)
        rounding = {f"{name}.scaled" for name in names}
        first = next(place for place, node in enumerate(model.graph.node) if node.output[0] in rounding)
        handed = boundary_tensors(model, first, [])
        made = {name for node in model.graph.node[first:] for name in node.output}
        self.names, self._outputs = names, [name for name in outputs if name in made]
        end = cut_from(model, first, {name: known[0][name] for name in handed})
        self._inputs = {value.name for value in end.graph.input}
        self._session = runs.session(end, self._outputs, threads=1)

    def run(self, known: Values, settings: Values) -> Values:
        """Returns the outputs that these nodes compute. Other outputs stay as they are."""
        feeds = {name: value for name, value in {**known, **settings}.items() if name in self._inputs}
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds) if self._outputs else ()))
