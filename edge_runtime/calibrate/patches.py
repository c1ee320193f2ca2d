"""What the filters of convolutions see in pictures, and the rounding of their weights that follows from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph import rounding_points
from edge_runtime.graph.correction import places_read
from edge_runtime.graph.learned_rounding import LearnedRounding
from edge_runtime.graph.network import Network

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float32]
PLACES = 64  # sampled in each picture
LARGEST = 2304  # weights of a filter whose rounding is learned; the time grows with the third power


class RoundingStudy:
    """Collects what the filters of a network's convolutions see. Those that see the same are studied together."""

    def __init__(self, network: Network, keep: Collection[str]) -> None:
        """Args: keep: names of layers that stay in float."""
        self._network = network
        self._patches: Dict[Any, Patches] = {}
        self._convs: Dict[Any, List[onnx.NodeProto]] = {}
        body = network.leading_to_weights()
        for node in network.nodes:
            if node.output[0] in body and not rounding_points.kept(node, keep) and self._learnable(node):
                shape = network.constants[node.input[1]].shape
                sees = sorted(a.SerializeToString() for a in node.attribute)
                key = (node.input[0], *shape[1:], *sees)
                if key not in self._patches:
                    self._patches[key] = Patches(node, shape, len(self._patches))
                self._convs.setdefault(key, []).append(node)

    def _learnable(self, node: onnx.NodeProto) -> bool:
        """Whether only this Conv reads its weight, and its bias can take up a constant error."""
        name = self._network.weight(node) if node.op_type == "Conv" else None
        computed = len(node.input) > 2 and node.input[2] and node.input[2] not in self._network.constants
        if name is None or len(self._network.consumers(name)) > 1 or computed:
            return False
        weight = self._network.constants[name]
        return weight.ndim == 4 and weight[0].size <= LARGEST and bool(np.isfinite(weight).all())

    def see(self, values: Mapping[str, Floats], pool: ThreadPoolExecutor) -> None:
        """Takes the maps (B, C, H, W) that the convolutions read, by name, for one picture."""
        list(pool.map(lambda key: self._patches[key].see(values[key[0]]), self._patches))

    def weights(self) -> Dict[str, Floats]:
        """Returns weights (out, in per group, height, width) whose rounding is learned, on their grids, by constant.

        Those that multiply values like a mask's -1e30 are left out.
        """
        found: Dict[str, Floats] = {}
        for key, patches in self._patches.items():
            covariance = patches.covariance()
            if not np.isfinite(covariance).all():
                continue
            rounding = LearnedRounding(covariance)
            for name in (node.input[1] for node in self._convs[key]):
                found[name] = rounding.rounded(self._network.constants[name].astype(np.float32))
        return found


class Patches:
    """What the filters of a convolution saw at sampled places."""

    def __init__(self, node: onnx.NodeProto, weight: Tuple[int, ...], seed: int) -> None:
        """Args: weight: shape of the weight, (out, in per group, height, width); seed: of the choice of places."""
        self._node, self._weight = node, weight
        self._random = np.random.default_rng(seed)
        self._seen: List[Floats] = []

    def see(self, values: Floats) -> None:
        """Takes a map (B, C, H, W); only the first of the batch."""
        self._seen.append(self._sampled(values[0]))

    def covariance(self) -> NDArray[np.float64]:
        """Returns it for each group, (groups, n, n), for the n weights of a filter in their order."""
        seen = np.concatenate(self._seen, axis=2)
        with np.errstate(over="ignore", invalid="ignore"):
            seen -= seen.mean(axis=2, keepdims=True)
            found: NDArray[np.float64] = (seen @ seen.swapaxes(1, 2) / seen.shape[2]).astype(np.float64)
        return found

    def _sampled(self, values: Floats) -> Floats:
        """Returns what the filters see, (groups, n, places)."""
        channels, kernel = len(values), self._weight[2:]
        rows, columns = places_read(self._node, values.shape[1:], kernel)
        some = self._random.integers(0, rows.shape[1] * columns.shape[1], PLACES)
        down, across = rows[:, None, some // columns.shape[1]], columns[None, :, some % columns.shape[1]]
        inside = (down >= 0) & (down < values.shape[1]) & (across >= 0) & (across < values.shape[2])
        seen: Floats = values[:, down.clip(0, values.shape[1] - 1), across.clip(0, values.shape[2] - 1)]
        groups = channels // self._weight[1]
        found: Floats = np.where(inside, seen, np.float32(0)).reshape(groups, -1, PLACES)
        return found
