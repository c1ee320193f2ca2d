"""Trunks of inverted bottlenecks as tables: stages of equal width. LeYOLO, LeNeck and SSDLite stand on them."""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

from edge_runtime.zoo.layers import IMAGE, Gates, Table

HARD: Gates = ("relu", "hardsigmoid")  # the gates of MobileNetV3
SOFT: Gates = ("silu", "sigmoid")  # the gates of EfficientNet


class Stage(NamedTuple):
    """Inverted bottlenecks of the same width.

    Attributes:
        channels: output channels of each block.
        kernel: side of the depthwise convolutions.
        stride: of the first block; the others have 1.
        hidden: channels after the expansion of each block. 0: the block has no expansion.
        squeeze: hidden channels of each block's gate; empty: no gates.
        act: activation; empty: that of the trunk.
    """

    channels: int
    kernel: int
    stride: int
    hidden: Tuple[int, ...]
    squeeze: Tuple[int, ...] = ()
    act: str = ""


class Trunk(NamedTuple):
    """A classifier without its classifying layers.

    Attributes:
        stem: channels of the first convolution, 3x3 with stride 2.
        act: activation of the stem, of the last layer, and of stages that do not say theirs.
        stages: named "stage0.0", "stage0.1" and so on, by stage and block.
        gates: activations of the gates.
        last: channels of the last convolution, 1x1; 0: there is none.
    """

    stem: int
    act: str
    stages: Tuple[Stage, ...]
    gates: Gates = HARD
    last: int = 0


def add_trunk(table: Table, trunk: Trunk, bias: bool = False) -> str:
    """Adds a trunk on the picture and returns the name of its output."""
    x = table.conv("stem", IMAGE, trunk.stem, 3, 2, trunk.act, bias)
    x = add_stages(table, "stage", x, trunk.stages, trunk.act, bias, trunk.gates)
    return table.conv("last", x, trunk.last, act=trunk.act, bias=bias) if trunk.last else x


def add_stages(
    table: Table, name: str, source: str, stages: Sequence[Stage], act: str, bias: bool = False, gates: Gates = HARD
) -> str:
    """Adds the blocks `<name><stage>.<block>` and returns the name of the last output."""
    x = source
    for number, stage in enumerate(stages):
        for block, hidden in enumerate(stage.hidden):
            x = table.inverted(
                f"{name}{number}.{block}", x, hidden, stage.channels, 1 if block else stage.stride, stage.act or act,
                stage.kernel, bias, stage.squeeze[block] if stage.squeeze else 0, gates,
            )  # fmt: skip
    return x
