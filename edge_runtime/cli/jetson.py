"""edge-power's `set` and `restore`, for a board's own Python: `python3 -m edge_runtime.cli.jetson set 15W`.

The host of a container sets the mode, because inside the container nvpmodel does nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

from edge_runtime.cli import _guard, _signals, _streams, _values
from edge_runtime.errors import EdgeError
from edge_runtime.jetson import hold, nvpmodel, plan, switch
from edge_runtime.jetson.hold import Hold
from edge_runtime.jetson.layout import laid_out

pid = _values.whole(1, 1 << 22)


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser("python3 -m edge_runtime.cli.jetson", description=__doc__)
    add_root(parser)
    add(parser.add_subparsers(dest="command", required=True))
    args = parser.parse_args(argv)
    try:
        with _signals.ending():
            return run(args)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except EdgeError as error:
        _guard.print_error(str(error), error.hint, verbose=False)
        return 1


def add(commands: Any) -> None:
    """Adds the two commands with their flags. Their parser has `add_root` already."""
    parser = commands.add_parser("set", help="set a power mode")
    parser.add_argument("mode", metavar="15W|MAXN|ID", help="name, part of a name, or ID")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done; it needs no root")
    parser.add_argument("--jetson-clocks", action="store_true", help="also hold all clocks at the mode's caps")
    parser.add_argument(
        "--settle", type=_values.seconds, default=switch.SETTLE_S, metavar="SECONDS", help="wait afterwards"
    )
    parser.add_argument("--owner", type=pid, metavar="PID", help="until this process ends, or `restore`")
    add_root(parser, again=True)
    parser = commands.add_parser("restore", help="put back the mode that a killed run left")
    parser.add_argument(
        "--owner",
        type=pid,
        metavar="PID",
        help="put back what this process holds; default: what an ended process left",
    )
    add_root(parser, again=True)


def add_root(parser: Any, again: bool = False) -> None:
    """Adds the flag for the folder that stands for `/` to a parser or a group.

    Args:
        again: whether the command's parent has the flag too. The default here must not replace a value from there.
    """
    default = argparse.SUPPRESS if again else os.environ.get("EDGE_SYSROOT", "/")
    parser.add_argument(
        "--sysroot", type=directory, metavar="DIR|FILE.json", default=default,
        help="folder that stands for / when the board is read, or a record of one (default: $EDGE_SYSROOT, else /)",
    )  # fmt: skip


class LaidOut(str):
    """The folder of a board's record. `record` is the record's file."""

    record = ""


def directory(text: str) -> str:
    """A folder that exists, or a record of a board, which is written into a folder."""
    if os.path.isfile(text):
        try:
            folder = LaidOut(laid_out(text))
            folder.record = text
            return folder
        except EdgeError as error:
            raise argparse.ArgumentTypeError(f"{error}: {error.hint}") from error
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"no such directory: {text}")
    return text


def run(args: argparse.Namespace) -> int:
    """Runs one of the two commands.

    Raises:
        EdgeError: the command failed.
    """
    root = Path(args.sysroot)
    if args.command == "restore":
        _restore(root, args.owner)
    elif args.dry_run:
        _dry(root, args.mode, args.owner or os.getpid())
    elif args.owner:
        print(Hold(root, owner=args.owner, jetson_clocks=args.jetson_clocks, settle_s=args.settle).set(args.mode))
    else:
        print(hold.set_for_good(root, args.mode, args.settle, args.jetson_clocks))
    return 0


def _restore(root: Path, owner: Optional[int]) -> None:
    held = hold.mode_held(root)
    if owner and held and held.alive and held.pid != owner:
        print(f"process {held.pid} holds {held.mode}, which is left alone")
        return
    before = hold.restore(root, owner or 0)
    if before or not owner:
        print(f"{before.name} is back" if before else "no run has left a mode behind")


def _dry(root: Path, wanted: str, owner: int) -> None:
    """Says what would be done, and fails if the command itself would fail.

    Raises:
        EdgeError: there is no such mode, it needs a reboot, or another process holds one.
    """
    conf = nvpmodel.load_conf(root)
    mode, remark = nvpmodel.resolve(conf, wanted)
    print("\n".join(plan.lines(root, conf, mode, remark)), flush=True)
    switch.refuse_reboot(root, conf, mode)
    hold.mode_held_by(root, owner)


if __name__ == "__main__":
    sys.exit(main())
