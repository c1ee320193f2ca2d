"""Reads the builder's own list of an engine's layers: which type each one reads."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, List

BEGINNING = "Layers:\nName"
CONVOLUTIONS = ("correlation", "convolution", "conv", "gemm", "caskconvolution")


@dataclass(frozen=True)
class Layer:
    """One layer of an engine.

    Attributes:
        name: TensorRT's; of several operators where they were fused.
        kind: "correlation", "kgen", …
        types: of its inputs, "Int8", "Half", "Float", ….
    """

    name: str
    kind: str
    types: List[str]

    @property
    def convolves(self) -> bool:
        """Whether it multiplies by the weights of a convolution or a dense layer."""
        fused = self.kind == "runtime_fusion" and "Corr" in self.name  # with the activation function behind it
        return fused or self.kind.lower() in CONVOLUTIONS


def layers(texts: List[str]) -> List[Layer]:
    """The layers listed in a builder's messages (profiling verbosity DETAILED); none where there is no list."""
    listing = next((text for text in texts if text.startswith(BEGINNING)), "")
    found = []
    for line in listing.split("\n")[1:]:
        name = re.match(r"Name: (.*?), LayerType: (\w+)", line)
        inputs = re.search(r"Inputs: \[(.*?)\], Outputs", line)
        if name:
            types = re.findall(r"Datatype: (\w+)", inputs.group(1)) if inputs else []
            found.append(Layer(name.group(1), name.group(2), types))
    return found


def summary(found: List[Layer]) -> Dict[str, int]:
    """How many layers read which type first, the most frequent first."""
    return dict(Counter(layer.types[0] for layer in found if layer.types).most_common())
