"""Finds which data type each layer of an engine reads, from the builder's messages.

TensorRT 8 logs `Layer(KIND): NAME, Tactic: …, x[Int8(1,3,8,8)] -> …`. TensorRT 9 and later list `Name: …, LayerType: …`
with the types in words, such as `Channel major FP32 format where channel % 4 == 0`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Optional

LISTED, LOGGED = "Layers:\nName", "Engine Layer Information:"
CONVOLVES = re.compile(r"conv(?!er)|gemm|correlation", re.I)
TYPES = {
    "float": "float32", "fp32": "float32", "half": "float16", "fp16": "float16", "bf16": "bfloat16",
    "bfloat16": "bfloat16", "fp8": "float8", "fp4": "float4", "int4": "int4", "int8": "int8", "uint8": "uint8",
    "int32": "int32", "int64": "int64", "bool": "bool",
}  # fmt: skip
UNKNOWN = "unknown"


@dataclass(frozen=True)
class EngineLayer:
    """One layer of an engine.

    Attributes:
        name: TensorRT's name; it names several operators if they were fused.
        kind: "CaskConvolution", "correlation", "kgen", …
        types: data types of its inputs, values of TYPES or UNKNOWN.
    """

    name: str
    kind: str
    types: List[str]

    @property
    def convolves(self) -> bool:
        """Whether it multiplies by the weights of a convolution or a dense layer."""
        fused = self.kind == "runtime_fusion" and "Corr" in self.name  # fused with the activation function after it
        return fused or CONVOLVES.search(self.kind) is not None


def type_name(text: str) -> str:
    """Returns the type that TensorRT's text names, one of the values of TYPES; UNKNOWN if it names none."""
    return next((TYPES[word] for word in re.findall(r"\w+", text.lower()) if word in TYPES), UNKNOWN)


def layers_of_text(texts: List[str]) -> List[EngineLayer]:
    """Returns the layers in a builder's messages (profiling verbosity DETAILED); none if there is no list."""
    for beginning, read in ((LISTED, _listed), (LOGGED, _logged)):
        places = [place for place, text in enumerate(texts) if beginning in text]
        lines = "\n".join(texts[places[-1] :]).splitlines() if places else []
        found = [layer for layer in map(read, lines) if layer]
        if found:
            return found
    return []


def summary(found: List[EngineLayer]) -> Dict[str, int]:
    """Returns how many layers have which type as their first input, the most frequent type first."""
    return dict(Counter(layer.types[0] for layer in found if layer.types).most_common())


def _listed(line: str) -> Optional[EngineLayer]:
    """Reads a line of TensorRT 9 and later."""
    name = re.match(r"Name: (.*?), LayerType: (\w+)", line)
    if name is None:
        return None
    inputs = re.search(r"Inputs: \[(.*?)\], (?:Constants|Outputs)", line)
    entries = re.findall(r"\{(.*?)\}", inputs.group(1)) if inputs else []
    types = [" ".join(re.findall(r"Data[Tt]ype: ([^,}]*)", entry)) for entry in entries]
    return EngineLayer(name.group(1), name.group(2), [type_name(text) for text in types])


def _logged(line: str) -> Optional[EngineLayer]:
    """Reads a line of TensorRT 8. Its tensors are written `x[Int8(1,3,8,8)]` or `x (Int8[1,3,8,8])`."""
    parts = re.match(r"\s*Layer\((\w+)\): (.*), Tactic: [-\w]+, (.*?)\s*->", line)
    if parts is None:
        return None
    types = re.findall(r"[\[(](\w+)[\[(][-\d)\]]", parts.group(3))
    return EngineLayer(parts.group(2), parts.group(1), [type_name(text) for text in types])
