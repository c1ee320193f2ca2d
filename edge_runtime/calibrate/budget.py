"""How much of a network may compute in float, so that its other activations can be rounded."""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Set

from edge_runtime.graph.network import Network
from edge_runtime.graph.products import layers

READ = 0.09  # largest part of the multiplications that may read activations in float
ON_ONNXRUNTIME = 0.3  # the same for ONNX Runtime, which computes a Conv in float also if its result is not rounded
CHEAP = 0.001  # costs far below this part of the multiplications do not matter


class Budget:
    """Activations that stay in float, as long as only a small part of the multiplications does.

    Attributes:
        free: these activations, in the order in which they were added.
    """

    def __init__(
        self,
        network: Network,
        free: Collection[str] = (),
        read: float = READ,
        on_onnxruntime: float = ON_ONNXRUNTIME,
    ) -> None:
        """Args: free: activations that stay in float in any case; the rest: see the constants."""
        self._layers = layers(network)
        self._read: Dict[str, Set[int]] = {}
        self._touched: Dict[str, Set[int]] = {}
        for number, layer in enumerate(self._layers):
            self._read.setdefault(layer.reads, set()).add(number)
            for name in (layer.reads, layer.makes):
                self._touched.setdefault(name, set()).add(number)
        self._most_read, self._most_touched = read, on_onnxruntime
        self.free: List[str] = list(free)

    def cost(self, name: str) -> float:
        """What ONNX Runtime computes in float if only this activation is not rounded: part of the multiplications."""
        return self._share(self._touched, [name])

    def saved(self, noise: Mapping[str, float]) -> Dict[str, float]:
        """Noise that each activation saves in float, divided by the part of the multiplications that this costs.

        Args:
            noise: noise if only this activation is rounded, by activation.

        Returns:
            By activation, the one that saves most first.
        """
        found = {name: value / (self.cost(name) + CHEAP) for name, value in noise.items()}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def add(self, name: str) -> bool:
        """Leaves one more activation in float, if that is not too much. Returns whether it does."""
        more = [*self.free, name]
        fits = (
            self._share(self._read, more) <= self._most_read and self._share(self._touched, more) <= self._most_touched
        )
        if fits:
            self.free = more
        return fits

    def _share(self, where: Dict[str, Set[int]], names: Collection[str]) -> float:
        numbers = set().union(*(where.get(name, ()) for name in names))
        return sum(self._layers[number].share for number in numbers)
