"""How much memory the builder may take, and what to say when the system took it away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.libraries.causes import SWAP as SWAP
from edge_runtime.machine import meminfo

MIB = 1 << 20
SMALL_BOARD = 4608 * MIB  # memory of boards that are sold as 4 GB, and a little more
CAP_SMALL, CAP = 256 * MIB, 4096 * MIB
TIGHT = 1536 * MIB  # below this, building has been seen to be killed


@dataclass(frozen=True)
class Memory:
    """Bytes, from /proc/meminfo; 0 where it cannot be read."""

    total: int
    available: int
    swap: int

    @property
    def workspace(self) -> int:
        """Bytes that the builder's tactics may use: a quarter of what is free, on 4 GB boards at most 256 MiB."""
        cap = CAP_SMALL if 0 < self.total <= SMALL_BOARD else CAP
        return max(64 * MIB, min(cap, self.available // 4)) if self.available else CAP_SMALL

    @property
    def tight(self) -> bool:
        """Whether the build may well be killed."""
        return 0 < self.available + self.swap < TIGHT


def look(root: Path = Path("/")) -> Memory:
    """Of this machine, or the tree below `root`."""
    found = meminfo(root)
    return Memory(found.get("MemTotal", 0), found.get("MemAvailable", 0), found.get("SwapFree", 0))
