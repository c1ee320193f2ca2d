"""YOLO Nano (Wong et al. 2019, arXiv 1910.01271, Figure 1): three YOLOv3 heads on projection-expansion blocks.

The hidden widths of the blocks were never published. The preset "salvi" keeps the width (expansion 1), as the network
that Salvi et al. measured: 2,855,750 convolution weights. "salvi_leaky" is their other one, with leaky ReLU in place of
ReLU6. The preset "paper_budget" widens the blocks at 13x13 by 2.2. It then has the paper's 4.0 MB and 4.57 B
operations. This shows that these numbers fit the figure of the paper; it does not show what the true widths are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Tuple

from edge_runtime.model.spec import ModelSpec
from edge_runtime.zoo.layers import IMAGE, Architecture, Table

PRESETS = ("salvi", "salvi_leaky", "paper_budget")
STRIDES = (8, 16, 32)
# Anchors by k-means on VOC at 416 pixels, from the repository of Salvi et al.; finest stride first. Anchors belong to
# the weights: in model pixels they are the same at every input size.
ANCHORS = (
    ((26.0, 31.0), (43.0, 84.0), (81.0, 171.0)),
    ((103.0, 68.0), (145.0, 267.0), (180.0, 135.0)),
    ((247.0, 325.0), (362.0, 178.0), (412.0, 346.0)),
)
EXPANSION_13 = 2.2
FCA_REDUCTION = 8
# Each row: block, name, then for conv (out, kernel, stride), pep (x, out), ep (out, stride), up (concatenated with).
# The three branches start at the layers named in `after`.
TRUNK = (
    ("conv", "conv1", 12, 3, 1), ("conv", "conv2", 24, 3, 2), ("pep", "pep1", 7, 24), ("ep", "ep1", 70, 2),
    ("pep", "pep2", 25, 70), ("pep", "pep3", 24, 70), ("ep", "ep2", 150, 2), ("pep", "pep4", 56, 150),
    ("conv", "conv3", 150, 1, 1), ("fca", "fca1"), ("pep", "pep5", 73, 150), ("pep", "pep6", 71, 150),
    ("pep", "pep7", 75, 150), ("ep", "ep3", 325, 2), ("pep", "pep8", 132, 325), ("pep", "pep9", 124, 325),
    ("pep", "pep10", 141, 325), ("pep", "pep11", 140, 325), ("pep", "pep12", 137, 325), ("pep", "pep13", 135, 325),
    ("pep", "pep14", 133, 325), ("pep", "pep15", 140, 325), ("ep", "ep4", 545, 2), ("pep", "pep16", 276, 545),
    ("conv", "conv4", 230, 1, 1), ("ep", "ep5", 489, 1), ("pep", "pep17", 213, 469), ("conv", "conv5", 189, 1, 1),
    ("conv", "conv6", 105, 1, 1), ("up", "cat1", "pep15"), ("pep", "pep18", 113, 325), ("pep", "pep19", 99, 207),
    ("conv", "conv7", 98, 1, 1), ("conv", "conv8", 47, 1, 1), ("up", "cat2", "pep7"), ("pep", "pep20", 58, 122),
    ("pep", "pep21", 52, 87), ("pep", "pep22", 47, 93), ("head", "head52"),
    ("after", "conv7"), ("ep", "ep6", 183, 1), ("head", "head26"),
    ("after", "conv5"), ("ep", "ep7", 462, 1), ("head", "head13"),
)  # fmt: skip
AT_13 = ("ep4", "pep16", "ep5", "pep17", "ep7")


def build(labels: Tuple[str, ...], imgsz: int, preset: str) -> Architecture:
    """See `zoo.build`."""
    table, x, heads = Table(), IMAGE, []
    at: Dict[str, str] = {}  # output of each block so far
    for block, name, *sizes in TRUNK:
        widen = EXPANSION_13 if preset == "paper_budget" and name in AT_13 else 1.0
        if block == "after":
            x = at[name]
            continue
        if block == "conv":
            out, kernel, stride = (int(s) for s in sizes)
            x = table.conv(name, x, out, kernel, stride)
        elif block == "pep":
            x = _pep(table, name, x, int(sizes[0]), int(sizes[1]), widen)
        elif block == "ep":
            x = table.inverted(name, x, round(table.channels(x) * widen), int(sizes[0]), int(sizes[1]))
        elif block == "fca":
            x = table.gate(name, x, table.channels(x) // FCA_REDUCTION)
        elif block == "up":
            x = table.up_concat(name, x, at[str(sizes[0])])
        else:
            heads.append(table.head(name, x, len(ANCHORS[0]) * (5 + len(labels))))
        at[name] = x
    spec = ModelSpec("yolo_v3", (imgsz, imgsz), labels, anchors=ANCHORS, strides=STRIDES)
    leaky = [replace(layer, act="leaky") if layer.act == "relu6" else layer for layer in table.layers]
    return Architecture(
        f"yolo_nano-{preset}", tuple(leaky if preset == "salvi_leaky" else table.layers), tuple(heads), spec
    )


def _pep(table: Table, name: str, source: str, x: int, channels: int, widen: float) -> str:
    """A projection to x, then an inverted bottleneck. The input is added to the result."""
    squeezed = table.conv(f"{name}.squeeze", source, x)
    hidden = table.conv(f"{name}.expand", squeezed, round(x * widen))
    hidden = table.depthwise(f"{name}.depthwise", hidden)
    return table.residual(name, source, table.conv(f"{name}.project", hidden, channels, act="linear"))
