"""edge-doctor's `--prove`, `--read` and `--record`: progress, files, and text for people."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Optional, TextIO

from edge_runtime import prove
from edge_runtime.cli import _claims, _streams
from edge_runtime.errors import UsageError
from edge_runtime.files import atomic, read
from edge_runtime.files.outputs import Output
from edge_runtime.jetson import record
from edge_runtime.prove import Proof, reading

NAME = "proof.json"
MOST = 64 * read.MIB  # most bytes of a proof
SHOWN_S = 2.0  # a step that takes longer is shown while it runs


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the three flags and those that go with them."""
    group = parser.add_argument_group("a proof that this machine works, as a file to send back")
    group.add_argument("--prove", action="store_true", help="try everything; takes about five minutes, changes nothing")
    group.add_argument("-o", "--output", metavar="FILE.json", help=f"where the proof goes (default {NAME})")
    group.add_argument(
        "--power-mode", default="", metavar="MODE", help="with --prove: set it, read it back, put it back"
    )
    group.add_argument("--read", metavar="FILE.json", help="print a proof again")
    group.add_argument("--record", metavar="FILE.json", help="write the content of the board's files, for --sysroot")


def asked(args: argparse.Namespace) -> bool:
    """Whether one of the three flags is given."""
    return bool(args.prove or args.read or args.record or args.output or args.power_mode)


def main(args: argparse.Namespace) -> int:
    """Does what is asked, and returns the exit code: 0 only if everything is proved, 2 for wrong usage."""
    wanted = [f"--{name}" for name in ("prove", "read", "record") if getattr(args, name)]
    if len(wanted) != 1 or ((args.output or args.power_mode) and not args.prove):
        together = "--prove, --read and --record go alone; --output and --power-mode go with --prove"
        print(f"error: {together}\nhint: edge-doctor --prove -o proof.json", file=sys.stderr)
        return 2
    with _claims.claimed(args, WRITES, READS):
        return {"--prove": _prove, "--read": _show, "--record": _record}[wanted[0]](args, Path(args.sysroot))


READS: _claims.Reads = {"sysroot": _claims.board, "read": _claims.plain("proof")}
WRITES: _claims.Writes = {
    "prove": lambda args: [Output("-o", target)] if (target := _target(args)) else [],
    "record": lambda args: [Output("--record", Path(args.record), ours=b'"files"')],
}


def _record(args: argparse.Namespace, root: Path) -> int:
    _write(Path(args.record), record.record(root))
    print(f"{args.record}: the content of this board's files, without serial numbers, names and addresses")
    return 0


def _show(args: argparse.Namespace, root: Path) -> int:
    content = _read(Path(args.read))
    print(json.dumps(content, indent=1) if args.json else "\n".join(reading.text(content)))
    return 0 if content["ok"] else 1


def _prove(args: argparse.Namespace, root: Path) -> int:
    target = _target(args)
    said = sys.stderr if args.json else sys.stdout
    if target and target.exists():
        _read(target)  # another file of this name is not overwritten
    progress = ProofProgress(sys.stderr)

    def ended(proof: Proof) -> None:
        progress.end()
        content = proof.to_dict()
        if target:
            _write(target, content)
        if len(proof.steps) == 1:
            print(reading.heading(content), file=said)
        print(reading.line(content["steps"][-1]), file=said, flush=True)

    try:
        content = prove.prove(root, args.power_mode, progress.begin, ended).to_dict()
    except KeyboardInterrupt:
        progress.end()
        print(f"stopped{f'; {target} holds the steps before' if target else ''}", file=sys.stderr)
        raise
    print(f"\n{reading.verdict(content)}", file=said)
    if target:
        print(f"Send back {target}: no serial numbers, names or addresses are in it.", file=said)
    if args.json:
        print(json.dumps(content, indent=1))
    return 0 if content["ok"] else 1


def _target(args: argparse.Namespace) -> Optional[Path]:
    """The file of the proof; None for stdout only."""
    return Path(args.output or NAME) if args.output or not args.json else None


class ProofProgress:
    """Shows the name of a long step and its seconds, on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = _streams.unescaped(out)
        self._done: Optional[threading.Event] = None
        self._thread: Optional[threading.Thread] = None

    def begin(self, name: str) -> None:
        """Notes that a step begins."""
        if self._out.isatty():
            self._done = threading.Event()
            self._thread = threading.Thread(target=self._work, args=(name, self._done), daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Notes that the step has ended. It may be called more than once."""
        if self._done and self._thread:
            self._done.set()
            self._thread.join()
            self._done = None

    def _work(self, name: str, done: threading.Event) -> None:
        started, wait_s = time.monotonic(), SHOWN_S
        while not done.wait(wait_s):
            wait_s = 1.0
            print(f"\r... {name}, {time.monotonic() - started:.0f} s ", end="", file=self._out, flush=True)
        print("\r\033[K", end="", file=self._out, flush=True)


def _read(path: Path) -> Dict[str, Any]:
    try:
        content = read.parse_json_object(read.read_text(path, MOST))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: it {error}", hint="edge-doctor --prove -o FILE makes one") from error
    try:
        reading.text(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is no proof", hint="edge-doctor --prove -o FILE makes one, under another name"
        ) from error
    return content


def _write(path: Path, content: Dict[str, Any]) -> None:
    """Writes the file completely or not at all, so that an earlier one stays complete after a crash."""
    atomic.replace_file(path, (json.dumps(content, indent=1) + "\n").encode())
