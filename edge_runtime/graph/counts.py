"""Counts of parameters and operations: of one layer, or the sum of several layers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Iterable, List

from edge_runtime.text.escape import printable


@dataclass(frozen=True)
class Stats:
    """Counts of one layer, or the sum of several layers.

    Attributes:
        weights, biases: parameters of convolutions, before batch normalisation is folded into them.
        bn: trainable parameters of batch normalisation (gamma and beta).
        conv_macs, thop_macs: two ways of counting multiply-adds; see the docstring of `zoo/stats.py`.
    """

    name: str
    weights: int = 0
    biases: int = 0
    bn: int = 0
    conv_macs: int = 0
    thop_macs: int = 0

    @property
    def parameters(self) -> int:
        """All trainable parameters."""
        return self.weights + self.biases + self.bn

    @property
    def ops(self) -> int:
        """Operations of the convolutions: two per multiply-add."""
        return 2 * self.conv_macs

    def bytes(self, bits: int) -> int:
        """Returns the size of the folded network in bytes: weights of `bits` bits each, and float32 shifts."""
        return self.weights * bits // 8 + 4 * (self.biases + self.bn // 2)


def total(counts: Iterable[Stats], name: str = "total") -> Stats:
    """Returns the sum of the counts."""
    rows = list(counts)
    numbers = [field.name for field in fields(Stats) if field.name != "name"]
    return Stats(name, **{number: sum(getattr(row, number) for row in rows) for number in numbers})


def table(counts: Iterable[Stats]) -> str:
    """Returns a text table: one row per layer that has parameters or operations, and the total."""
    rows: List[Stats] = [row for row in counts if row.thop_macs or row.parameters]
    whole = total(rows)
    names = [printable(row.name) for row in (*rows, whole)]
    width = max(24, *(len(name) + 1 for name in names))
    lines = [f"{'layer':{width}}{'weights':>12}{'bias':>8}{'bn':>8}{'conv MACs':>16}{'THOP MACs':>16}{'ops':>16}"]
    for name, row in zip(names, (*rows, whole)):
        figures = f"{row.weights:12,}{row.biases:8,}{row.bn:8,}{row.conv_macs:16,}{row.thop_macs:16,}{row.ops:16,}"
        lines.append(f"{name:{width}}{figures}")
    size = ", ".join(
        f"{name} {whole.bytes(bits) / 1e6:.2f} MB" for name, bits in (("fp32", 32), ("fp16", 16), ("int8", 8))
    )
    lines.append(f"{whole.parameters:,} parameters; folded weights and shifts: {size}")
    return "\n".join(lines)
