"""Reads a configuration again while it runs: on SIGHUP, and after the page has saved lines and zones into it."""

from __future__ import annotations

import argparse
import contextlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from edge_runtime.cli import _config, _drawn, _hangup, _site, _systemd, _written
from edge_runtime.cli._power import print_status
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.files import read
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.loop.stream import Stream
from edge_runtime.text.escape import printable
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Place, Zone

OURS = {"site", "reload", "own_output", "typed", "sources", "streams", "config", "check", "conf", "classes", "gate"}
AT_START = {  # of a stream; only a new one has others
    "source": "source", "options": f"{', '.join(_config.OF_SOURCE[:-1])} or {_config.OF_SOURCE[-1]}", "sinks": "output"
}  # fmt: skip
GONE_ON = "the settings before go on"


class Plan(NamedTuple):
    """What a configuration wants to be different.

    Attributes:
        wanted, added, changed: streams, by their keys.
        removed: keys.
        later: what is only for the next start.
        waits: whether a camera that is away is opened later.
    """

    wanted: Dict[str, Stream]
    added: Dict[str, Stream]
    changed: Dict[str, Stream]
    removed: List[str]
    later: List[str]
    waits: bool


class Reload:
    """Applies what has changed in a configuration to a pipeline.

    Args:
        args: what runs now.
        again: reads the file again, or a text in place of it, with the words that were typed.
    """

    def __init__(self, args: argparse.Namespace, again: Callable[[Optional[str]], argparse.Namespace]) -> None:
        self._path, self._again, self._typed = args.site.path, again, set(args.typed)
        self._flags = _flags(args)
        self._output = list(args.output)
        self._streams: Dict[str, Stream] = {}
        self._names: Dict[str, str] = {}  # of the source of each stream that runs
        self._pipeline: Optional[Pipeline] = None
        self._begun: Set[Path] = set()  # files that were outputs of one stream in this run
        self._asked, self._lock = threading.Event(), threading.Lock()
        self._ignored = _hangup.ignored()

    @contextlib.contextmanager
    def of(self, pipeline: Pipeline, streams: Sequence[Stream]) -> Iterator[None]:
        """Reloads for this pipeline, which runs these streams, when SIGHUP comes, until the block ends."""
        self._pipeline, self._streams = pipeline, _site.by_key(streams)
        known = {id(stream): name for name, stream in pipeline.streams.items()}
        self._names = {key: known[id(stream)] for key, stream in self._streams.items() if id(stream) in known}
        self._begun = {path for key in self._names for path in _written.files(key, self._streams[key].sinks)}
        with self.hears(pipeline.stop):
            yield

    def hears(self, stop: Callable[[], None]) -> ContextManager[None]:
        """Notes SIGHUP until the block ends. If it comes because the terminal was closed, it calls `stop`."""
        return _hangup.heard(self._asked.set, self._asked.set if self._ignored else stop)

    def reload_if_asked(self) -> None:
        """Reloads if SIGHUP has come. Call it a few times a second."""
        if self._asked.is_set():
            self._asked.clear()
            self.reload()

    def reload(self) -> None:
        """Reads the file again, applies what can be applied, and says what was done. An error changes nothing."""
        try:
            with self._lock, _systemd.reloading():
                print_status(f"config: {_config.short(self._path)} is read again: {self._apply(self._plan())}")
        except EdgeError as error:
            print_status(f"config: {error}; {GONE_ON}")
            print_status(f"hint: {error.hint}")
        except Exception as error:  # cameras go on, whatever is wrong with a file
            print_status(f"config: {type(error).__name__}: {error}; {GONE_ON}")
            print_status("hint: this is a fault of edge-runtime; edge-detect --check -v shows more")

    def save(self, source: str, lines: Tuple[Line, ...], zones: Tuple[Zone, ...]) -> None:
        """Writes the lines and zones of a source into the file, and applies them. See `sinks.SinkOptions.save`.

        Raises:
            UsageError: the file or the source does not allow it. Then nothing was changed.
        """
        with self._lock:
            key = next((key for key, name in self._names.items() if name == source), source)
            if self._typed & {"line", "zone"}:
                fact = "lines or zones are typed, so those of the file do not count"
                raise UsageError(fact, hint="leave the flags out")
            try:
                text = read.read_text(self._path, _config.LONGEST)
            except ValueError as error:
                raise UsageError(f"{self._path} {error}", hint="it must be there to save into it") from error
            self._refuse_newer(key, self._plan(text))
            new = _drawn.written(text, self._path, key, lines, zones)
            plan = self._plan(new)
            _refuse_others(key, plan.wanted[key], lines, zones)
            _drawn.replace(self._path, text, new)
            print_status(f"config: lines and zones of {source} saved: {self._apply(plan)}")

    def _refuse_newer(self, key: str, plan: Plan) -> None:
        """What somebody has written into the file by hand is not lost."""
        there, here = plan.wanted.get(key), self._streams.get(key)
        if there is not None and here is not None and _places(there) != _places(here):
            fact = f"{self._path} has newer lines or zones of {key} than those that run"
            raise UsageError(fact, hint="kill -HUP reads them; then load this page again, and draw")

    def _plan(self, text: Optional[str] = None) -> Plan:
        """What is different in the file, or in a text in place of it. All that can be refused is refused here."""
        try:
            args = self._again(text)
        except SystemExit as error:
            fact = f"{self._path} and what is typed do not go together"
            raise UsageError(fact, hint="edge-detect with --check says why") from error
        if self._pipeline is None:
            raise UsageError("nothing runs yet", hint="wait until it runs")
        wanted = _site.by_key(_site.streams(args))
        added = {key: stream for key, stream in wanted.items() if key not in self._names}
        changed = {key: stream for key, stream in wanted.items() if self._differs(key, stream)}
        removed = [key for key in self._names if key not in wanted]
        for key in added.keys() | changed.keys():
            self._pipeline.check(wanted[key], self._names.get(key))
        if removed and len(removed) == len(self._names) and not added:
            raise UsageError("it has no stream any more", hint="leave one, or end the run")
        self._check_outputs(args, added)
        later = [name for name, value in _flags(args).items() if value != self._flags.get(name)]
        later += ["output"] if args.output != self._output else []
        later += [f"{name} of {key}" for key in changed for name in self._at_start(key, changed[key])]
        return Plan(wanted, added, changed, removed, later, not args.fail_fast)

    def _check_outputs(self, args: argparse.Namespace, added: Dict[str, Stream]) -> None:
        """An output of a new stream is none of those that are written, and none of the files that are read."""
        running = {key: stream for key, stream in self._streams.items() if key in self._names}
        own = [(key, sink) for key, stream in {**running, **added}.items() for sink in stream.sinks]
        _written.check(argparse.Namespace(**{**vars(args), "output": self._output, "own_output": own}))
        for key, stream in added.items():
            for path in _written.files(key, stream.sinks):
                if path in self._begun:
                    hint = "give it another file, or start edge-detect again: it begins a file anew"
                    raise UsageError(f"{path} has results of this run", hint=hint)

    def _apply(self, plan: Plan) -> str:
        """Returns what was done."""
        failed, removed = self._change(plan)
        kept = {key: self._streams[key] for key in self._names if key not in plan.wanted}
        self._streams = {**kept, **{key: self._kept(key, stream) for key, stream in plan.wanted.items()}}
        parts = [("added", [key for key in plan.added if key in self._names]), ("changed", list(plan.changed)),
                 ("removed", removed), ("not opened", failed), ("not removed, for no other stream runs", list(kept)),
                 ("only at the next start", plan.later)]  # fmt: skip
        return "; ".join(f"{word} {', '.join(map(printable, items))}" for word, items in parts if items) or "no change"

    def _change(self, plan: Plan) -> Tuple[List[str], List[str]]:
        """First what is new, so that the run never lacks a source. Returns what could not be opened, and what ended."""
        pipeline, failed, removed = self._pipeline, [], []
        assert pipeline is not None
        for key, stream in plan.added.items():
            try:
                self._names[key] = pipeline.add(_waiting(stream) if plan.waits else stream).name
                self._begun.update(_written.files(key, stream.sinks))
            except EdgeError as error:
                failed.append(f"{key} ({error})")
        for key, stream in plan.changed.items():
            pipeline.change(self._names[key], stream)
        for key in plan.removed if len(self._names) > len(plan.removed) else []:
            removed.append(key)
            name = self._names.pop(key)
            if name in [source.name for source in pipeline.sources]:
                pipeline.remove(name)
        return failed, removed

    def _differs(self, key: str, stream: Stream) -> bool:
        return key in self._names and stream != self._streams[key]

    def _at_start(self, key: str, stream: Stream) -> List[str]:
        return [said for name, said in AT_START.items() if getattr(stream, name) != getattr(self._streams[key], name)]

    def _kept(self, key: str, stream: Stream) -> Stream:
        """What runs now: what is only for the start is as before."""
        before = self._streams.get(key)
        return stream if before is None else replace(stream, **{name: getattr(before, name) for name in AT_START})


def _flags(args: argparse.Namespace) -> Dict[str, Any]:
    """The flags that hold for the whole run."""
    left = OURS | set(_config.OF_STREAM)
    return {name: value for name, value in vars(args).items() if name not in left}


def _waiting(stream: Stream) -> Stream:
    """A camera that is away is opened later, as at the start of several."""
    return replace(stream, options=replace(stream.options, wait=True)) if stream.options else stream


def _places(stream: Stream) -> Tuple[Sequence[Place], Sequence[Place]]:
    return (stream.track.lines, stream.track.zones) if isinstance(stream.track, TrackOptions) else ((), ())


def _refuse_others(key: str, stream: Stream, lines: Sequence[Place], zones: Sequence[Place]) -> None:
    """Refuses to save if the stream would have more lines or zones than those, because all streams have them."""
    if list(map(len, _places(stream))) != [len(lines), len(zones)]:
        hint = f"write lines = [] or zones = [] below the [[stream]] of {key}, or move those for all to the others"
        raise UsageError("the file has lines or zones for all streams, which come back", hint=hint)
