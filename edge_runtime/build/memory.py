"""How much memory the builder may use, and what to do if it is killed because memory ran out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.libraries.causes import SWAP as SWAP
from edge_runtime.machine import meminfo

MIB = 1 << 20
SMALL_BOARD = 4608 * MIB  # a little more than the memory of boards with 4 GB
CAP_SMALL, CAP = 256 * MIB, 4096 * MIB
TIGHT = 1536 * MIB  # with less free memory, builders were killed


@dataclass(frozen=True)
class Memory:
    """Sizes in bytes, from /proc/meminfo; 0 if it cannot be read."""

    total: int
    available: int
    swap: int

    @property
    def workspace(self) -> int:
        """Bytes that the builder's tactics may use: a quarter of the free memory, at most 256 MiB on 4 GB boards."""
        cap = CAP_SMALL if 0 < self.total <= SMALL_BOARD else CAP
        return max(64 * MIB, min(cap, self.available // 4)) if self.available else CAP_SMALL

    @property
    def tight(self) -> bool:
        """Whether there is so little memory that the build may be killed."""
        return 0 < self.available + self.swap < TIGHT


def look(root: Path = Path("/")) -> Memory:
    """Returns the memory of this machine, or of the machine whose files are below `root`."""
    found = meminfo(root)
    return Memory(found.get("MemTotal", 0), found.get("MemAvailable", 0), found.get("SwapFree", 0))
