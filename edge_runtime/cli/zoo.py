"""edge-zoo: fetches small trained detectors of others, under licences that allow every use.

    edge-zoo list                        # names, accuracy measured here, licences, what is here already
    edge-zoo get yolox_nano
    edge-detect --engine yolox_nano street.mp4 --output found.mp4

A file has a fixed address and SHA-256. A fetch that was cut off goes on where it stopped. Without a network, put the
file where the error says: the same command then checks it. No other command fetches anything.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from edge_runtime.cli import _guard, _progress, _streams, _values
from edge_runtime.cli._parser import Parser
from edge_runtime.detect import engines
from edge_runtime.downloads import catalog, fetch, listed
from edge_runtime.downloads.catalog import Entry
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import atomic, outputs
from edge_runtime.files.outputs import Output
from edge_runtime.text import secrets
from edge_runtime.text.escape import printable

OURS = b"[download]"  # in every recipe that this command writes


@_streams.escaped()
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command and returns its exit code."""
    args = _parser().parse_args(argv)
    return _guard.guarded(_get if args.command == "get" else _list, args)


def _parser() -> Parser:
    parser = Parser("edge-zoo", description=__doc__)
    _add_common(parser)
    commands = parser.add_subparsers(dest="command", metavar="list|get")
    _add_common(commands.add_parser("list", help="what there is, and what is here; so without a command too"), True)
    get = commands.add_parser("get", help="fetch one")
    get.add_argument("name", metavar="NAME", help="a name that edge-zoo list shows")
    get.add_argument("-o", "--output", metavar="FILE.onnx|DIR", help="where to put it, default: the user's data folder")
    get.add_argument("--address", metavar="URL", help="another address of the same file, such as a mirror")
    get.add_argument(
        "--timeout", type=_values.duration, default=fetch.TIMEOUT_S, metavar="SECONDS",
        help=f"longest silence of a server, default {fetch.TIMEOUT_S:g}",
    )  # fmt: skip
    _add_common(get, again=True)
    return parser


def _add_common(parser: Parser, again: bool = False) -> None:
    """Adds flags. A command of a command must not replace what its parent was given."""
    default = argparse.SUPPRESS if again else False
    parser.add_argument("--json", action="store_true", default=default, help="print everything as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help="show the traceback of an error")


def _list(args: argparse.Namespace) -> int:
    found = [_about(catalog.load_entry(name)) for name in listed.names()]
    found.sort(key=lambda about: -about["measured"].get("coco_101", 0.0))
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    return 0


def _about(entry: Entry) -> Dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "input_wh": list(entry.recipe.imgsz or ()),
        "classes": entry.classes,
        "measured": dict(entry.measured),
        "size_bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "project": entry.project,
        "project_licence": entry.project_licence,
        "addresses": list(entry.addresses),
        "here": _here(entry),
    }


def _here(entry: Entry) -> Optional[str]:
    """The file that `--engine NAME` would open, if it is the right one."""
    try:
        path = engines.find_engine(entry.name)
    except ModelError:
        return None
    return path if catalog.identify(path) == entry else None


def _print(found: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table

    table = Table("name", "input", "classes", "AP", "AP50", "MB", "licence", "here", box=None, pad_edge=False)
    for about in found:
        figures = [
            f"{about['measured'][key]:.3f}" if key in about["measured"] else "n/a" for key in ("coco_101", "AP50")
        ]
        table.add_row(
            about["name"], "x".join(map(str, about["input_wh"])), about["classes"], *figures,
            f"{about['size_bytes'] / fetch.MB:.1f}", about["licence"], "yes" if about["here"] else "-",
        )  # fmt: skip
    console = _streams.console()
    console.print(table)
    for line in [*_conditions(found), f"fetched files lie in {catalog.folder()}"]:
        console.print(printable(line), soft_wrap=True)


def _conditions(found: Sequence[Mapping[str, Any]]) -> List[str]:
    """How the figures were measured, once for all entries that share it."""
    by_text: Dict[str, List[str]] = {}
    for about in found:
        said = about["measured"]
        how = "AP is coco_101 over {images} images of {data}, conf {conf:g}, NMS {iou:g}, {max_det} boxes ({script})"
        text = f"AP n/a, {said['missing']}" if "missing" in said else how.format(**said)
        by_text.setdefault(text, []).append(about["name"])
    return [f"{text}: {', '.join(names)}" for text, names in by_text.items()]


def _get(args: argparse.Namespace) -> int:
    entry = catalog.load_entry(args.name)
    target = _target(entry, args.output)
    recipe = target.with_suffix(".toml")
    outputs.check([Output("-o", target), Output("-o", recipe, ours=OURS)], [])
    with _progress.fraction(entry.name) as tell:
        address = fetch.get(entry, target, [args.address] if args.address else (), tell, args.timeout)
    if address or (not recipe.exists() and os.access(recipe.parent, os.W_OK)):
        atomic.replace_file(recipe, entry.text.encode())
    source = address and secrets.public(address)
    if args.json:
        print(json.dumps({**_about(entry), "path": str(target), "fetched_from": source}))
    else:
        print("\n".join(_said(entry, target, source, args.output)))
    return 0


def _target(entry: Entry, said: Optional[str]) -> Path:
    """The file to make. Without -o, its folder is made too.

    Raises:
        UsageError: the folder cannot be made, or the name would not be known as that of a model.
    """
    if said is None:
        folder = catalog.folder()
        with atomic.said_of(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / entry.file_name
    if os.path.isdir(said) or said.endswith(os.sep):
        return Path(said, entry.file_name)
    if not said.endswith(catalog.SUFFIX):
        raise UsageError(
            f"-o {said} is no folder and does not end in {catalog.SUFFIX}",
            hint=f"-o {said}{catalog.SUFFIX}, or mkdir -p {said}",
        )
    return Path(said)


def _said(entry: Entry, target: Path, source: Optional[str], output: Optional[str]) -> List[str]:
    engine = str(target) if output else entry.name
    project = "" if entry.project_licence == entry.licence else f" ({entry.project_licence})"
    return [
        f"{target}: {f'fetched from {source}' if source else 'was here already'}, its SHA-256 is right",
        f"{entry.title}, {entry.licence}, of {entry.project}{project}",
        f"edge-detect --engine {engine} street.mp4 --output found.mp4",
    ]


if __name__ == "__main__":
    sys.exit(main())
