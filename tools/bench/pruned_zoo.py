"""Networks of the zoo with dead filters, as pruning leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_runtime import zoo
from edge_runtime.zoo import weights as zoo_weights
from edge_runtime.zoo.export import to_onnx

if TYPE_CHECKING:
    import onnx

FORMS = ("constants stay", "all is zero")  # what the batch normalisation of a dead filter still adds


def pruned(name: str, share: float, form: str, imgsz: int = 416, seed: int = 0) -> onnx.ModelProto:
    """A network with random weights, and this share of dead filters in each convolution with batch normalisation.

    Depthwise filters are not touched: they go if what they read goes. Heads and gates keep their filters.

    Args:
        form: one of FORMS. In the first, a dead filter gives another constant for each channel, as after training with
            masks. In the second, shift and mean are 0 too, as after pruning by gamma.
    """
    numbers, architecture = np.random.default_rng(seed), zoo.build(name, imgsz=imgsz)
    weights = zoo_weights.random(architecture, seed)
    for layer in (layer for layer in architecture.layers if layer.bn):
        count = layer.channels
        weights[f"{layer.name}.bn.weight"] = numbers.uniform(0.6, 1.4, count).astype(np.float32)
        weights[f"{layer.name}.bn.bias"] = numbers.normal(0, 0.4, count).astype(np.float32)
        weights[f"{layer.name}.bn.mean"] = numbers.normal(0, 0.1, count).astype(np.float32)
        if layer.groups > 1:
            continue
        dead = numbers.permutation(count)[: round(share * count)]
        parts = ["weight"] if form == FORMS[0] else ["weight", "bn.bias", "bn.mean"]
        for part in parts:
            weights[f"{layer.name}.{part}"][dead] = 0
    return to_onnx(architecture, weights)
