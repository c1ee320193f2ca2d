"""The arrangements that are tried, as plain data: a backend, its threads and streams, and whether threads spin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterator, List, Optional, Sequence, Tuple

from edge_runtime.backends import BackendOptions

THROUGHPUT, LATENCY = "throughput", "latency"
BATCHES = (2, 4)  # that are tried, if there are as many sources
Pool = Tuple[int, int, int]  # threads, streams, batch


@dataclass(frozen=True)
class Candidate:
    """A backend that could run the model. `spins` says whether `spinning` means anything to it."""

    name: str
    spins: bool


@dataclass(frozen=True)
class Arrangement:
    """One way to run a model on the processor.

    Attributes:
        backend: name of a file in `backends/`.
        threads: inference threads of all streams together.
        streams: images or batches in inference at the same time.
        spinning: whether idle threads stay awake between operators; None if they cannot or need not.
        batch: images in one run.
    """

    backend: str
    threads: int
    streams: int = 1
    spinning: Optional[bool] = None
    batch: int = 1

    def applied(self, options: BackendOptions) -> BackendOptions:
        """The options with this arrangement in them."""
        return replace(
            options, backend=self.backend, threads=self.threads, streams=self.streams, spinning=self.spinning,
            batch=max(self.batch, options.batch),
        )  # fmt: skip

    def __str__(self) -> str:
        streams = f" in {self.streams} streams" if self.streams > 1 else ""
        spinning = {None: "", True: ", spinning", False: ", not spinning"}[self.spinning]
        batches = f", batches of {self.batch}" if self.batch > 1 else ""
        return f"{self.backend}, {self.threads} thread{'s' * (self.threads != 1)}{streams}{spinning}{batches}"


def arrangements(
    candidates: Sequence[Candidate], options: BackendOptions, cores: int, goal: str, sources: int = 0
) -> Tuple[List[Arrangement], List[Arrangement]]:
    """What is tried: first one row for all backends, then the rest of those that were not far behind.

    Threads, streams or spinning that the options name are not varied. The backend is named by the list.

    Args:
        candidates: the preferred one first.
        cores: cores that this process may use.
        goal: THROUGHPUT or LATENCY. A second stream or a batch does not make one image faster.
        sources: how many sources may fill a batch; 0 if batches are not to be tried.
    """
    (first, *others) = _pools(options, cores, goal)
    if goal == THROUGHPUT and options.batch == 1:
        others += [(options.threads or cores, options.streams or 1, batch) for batch in BATCHES if batch <= sources]
    base = [each for candidate in candidates for each in _of(candidate, first, options)]
    rest = [each for pool in others for candidate in candidates for each in _of(candidate, pool, options)]
    return base, rest


def _pools(options: BackendOptions, cores: int, goal: str) -> List[Pool]:
    """Threads and streams, the one that mostly wins first: all cores in two halves, in one, all but one."""
    threads = options.threads or cores
    if options.streams:
        pools = [(threads, options.streams, 1)]
    else:
        pools = [*([(threads, 2, 1)] if goal == THROUGHPUT and threads > 1 else []), (threads, 1, 1)]
    if not options.threads and cores > 1 and (options.streams or 1) < cores:
        pools.append((cores - 1, options.streams or 1, 1))
    return pools


def _of(candidate: Candidate, pool: Pool, options: BackendOptions) -> Iterator[Arrangement]:
    threads, streams, batch = pool
    several = candidate.spins and threads // streams > 1
    spinning = [options.spinning] if options.spinning is not None else [True, False]
    for value in spinning if several else [None]:
        yield Arrangement(candidate.name, threads, streams, value, batch)
