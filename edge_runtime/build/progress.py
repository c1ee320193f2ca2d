"""The progress of the builder, if it reports any (TensorRT 9 and later)."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

Report = Callable[[float, str], None]


class BuildProgress:
    """Turns nested phases, each with a number of steps, into one fraction that never goes down."""

    def __init__(self, report: Report) -> None:
        self._report, self._best = report, 0.0
        self._parents: Dict[str, Optional[str]] = {}
        self._steps: Dict[str, Tuple[int, int]] = {}

    def start(self, phase: str, parent: Optional[str], steps: int) -> None:
        """A phase begins."""
        self._parents[phase], self._steps[phase] = parent, (0, max(1, steps))

    def step(self, phase: str, number: int) -> None:
        """Step `number`, counted from 0, of a phase is done."""
        self._steps[phase] = (number + 1, self._steps.get(phase, (0, 1))[1])
        self._tell(phase)

    def finish(self, phase: str) -> None:
        """A phase is over."""
        self._parents.pop(phase, None)
        self._steps.pop(phase, None)

    def _tell(self, phase: str) -> None:
        names: List[str] = []
        name: Optional[str] = phase
        while name in self._steps:
            names.append(name)
            name = self._parents.get(name)
        fraction, size = 0.0, 1.0
        for name in reversed(names):
            done, steps = self._steps[name]
            fraction, size = fraction + size * min(done, steps) / steps, size / steps
        if fraction > self._best:
            self._best = min(1.0, fraction)
            self._report(self._best, phase)


def progress_monitor(lib: Any, report: Report) -> Any:
    """Returns an IProgressMonitor that calls `report`."""
    progress = BuildProgress(report)

    class ProgressMonitor(lib.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            lib.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: Optional[str], steps: int) -> None:
            progress.start(name, parent, steps)

        def step_complete(self, name: str, step: int) -> bool:
            progress.step(name, step)
            return True

        def phase_finish(self, name: str) -> None:
            progress.finish(name)

    return ProgressMonitor()
