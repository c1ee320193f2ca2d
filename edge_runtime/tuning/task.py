"""What a choice is about: a model, its sources, the goal that follows from them, and this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Dict, List, Tuple

from edge_runtime import __version__, libraries, machine, plugins, sources
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError
from edge_runtime.model import onnx_file
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.sources import SourceOptions
from edge_runtime.tuning import trials
from edge_runtime.tuning.arrangements import BATCHES, LATENCY, THROUGHPUT, Arrangement, Candidate, arrangements
from edge_runtime.tuning.contest import Contest
from edge_runtime.tuning.trials import Repeated

PATTERN = "synthetic://1280x720"  # if no source is named
SIZE_WH, FPS = (1280, 720), 30.0  # of a camera that was not asked for others
WARM_UP = 2  # runs


@dataclass(frozen=True)
class Task:
    """What shall run.

    Attributes:
        model: path of the file.
        targets: the sources; empty for a test pattern.
        flags, options: as `Detector.open` takes them.
        source_options: how the sources will be opened.
        batches: whether batches are tried, if there are several sources.
    """

    model: str
    targets: Tuple[str, ...]
    flags: ModelFlags
    options: BackendOptions
    source_options: SourceOptions
    batches: bool = True

    @property
    def goal(self) -> str:
        """Throughput if all sources are files, else latency."""
        files = all(sources.repeatable(target, self.source_options) for target in self.targets)
        return THROUGHPUT if files else LATENCY

    def arrangements(self) -> Tuple[List[Arrangement], List[Arrangement]]:
        """See `arrangements.arrangements`. Fewer than two if there is nothing to choose."""
        found = [Candidate(name, getattr(member, "SPINS", False)) for name, member in self._members().items()]
        sources = len(self.targets) if self.batches else 0
        return arrangements(found, self.options, machine.cores(), self.goal, sources) if found else ([], [])

    def broken(self) -> List[str]:
        """Why backends that are installed are no candidates."""
        reasons = [str(member.available() or "") for member in self._able().values()]
        return [reason for reason in reasons if libraries.BROKEN in reason]

    def about(self) -> Dict[str, Any]:
        """Everything that a choice depends on, as plain data."""
        members = self._members()
        return {
            "model": onnx_file.digest(self.model),
            "imgsz": list(self.flags.imgsz or ()),
            "batch": self.options.batch,
            "device": self.options.device,
            "goal": self.goal,
            "tried": [asdict(each) for group in self.arrangements() for each in group],
            "cpu": machine.cpu_name(),
            "cores": machine.cores(),
            "versions": {"edge_runtime": __version__, **{name: each.version() for name, each in members.items()}},
        }

    def usual(self) -> BackendOptions:
        """The options where nothing was measured."""
        return replace(self.options, threads=self.options.threads or machine.usual_threads())

    def opened(self, options: BackendOptions) -> Detector:
        """The model with these options."""
        return Detector.open(self.model, flags=self.flags, options=options)

    def readers(self) -> List[Repeated]:
        """Second readers of the first sources that open, at most 4; none for cameras and streams.

        Raises:
            EdgeError: none opens. It is the error of the first one.
        """
        found: List[Repeated] = []
        errors = []
        for target in (self.targets or (PATTERN,)) if self.goal == THROUGHPUT else ():
            try:
                if len(found) < max(BATCHES):
                    found.append(Repeated(target, self.source_options))
            except EdgeError as error:
                errors.append(error)
        if errors and not found:
            raise errors[0]
        return found

    def contest(self, readers: List[Repeated]) -> Contest:
        """A trial of detectors that are warm, over those readers."""
        if readers:
            return Contest(self._warm, partial(trials.throughput, sources=readers), THROUGHPUT)
        size_wh, fps = self.source_options.size_wh or SIZE_WH, self.source_options.fps or FPS
        return Contest(self._warm, partial(trials.latency, size_wh=size_wh, fps=fps), LATENCY)

    def _warm(self, arrangement: Arrangement) -> Detector:
        detector = self.opened(arrangement.applied(self.options))
        try:
            detector.warm_up(WARM_UP)
        except BaseException:
            detector.close()
            raise
        return detector

    def _able(self) -> Dict[str, Any]:
        """Backends that may run the file on the processor, by name, the preferred one first; also those that lack."""
        named, path, device = self.options.backend, self.model.lower(), self.options.device
        members = {each.__name__.rsplit(".", 1)[-1]: each for each in plugins.members("backends")}
        return {
            name: member
            for name, member in members.items()
            if named in (None, name) and path.endswith(tuple(member.HANDLES)) and hasattr(member, "on_cores")
            and device in ("auto", *member.DEVICES)
        }  # fmt: skip

    def _members(self) -> Dict[str, Any]:
        """Those of them that are installed, unless a GPU would be preferred."""
        device = self.options.device
        there = {name: member for name, member in self._able().items() if not member.available()}
        return {name: member for name, member in there.items() if member.on_cores(device)}
