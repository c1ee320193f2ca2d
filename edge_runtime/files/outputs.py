"""Decides whether an output may be written: never over an input, and never over another output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Optional, Sequence, Set, Tuple, Union

from edge_runtime.errors import UsageError
from edge_runtime.files.atomic import is_special

LOOKED_AT = 1 << 20  # bytes at the start of a file that tell which program wrote it
Identity = Union[Tuple[int, int], str]


@dataclass(frozen=True)
class Input:
    """A file or folder that is read.

    Attributes:
        what: for people: "model", "source".
        path: the file or folder. If it does not exist, it cannot be destroyed and is ignored.
        below: suffixes of the files in a folder that are read too; "" for all of them.
    """

    what: str
    path: str
    below: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Output:
    """A file or folder that is written.

    Attributes:
        flag: the flag that names it, or a part of it.
        path: the file or folder.
        over: None for a file. For a folder, the suffixes of the files in it that results may replace; "" for all.
        folders: whether missing folders on the way to it are created.
        ours: for a name that the user did not type: content that marks a file of an earlier run. Other files are kept.
    """

    flag: str
    path: Path
    over: Optional[Tuple[str, ...]] = None
    folders: bool = False
    ours: bytes = b""


def check(outputs: Sequence[Output], inputs: Iterable[Input]) -> None:
    """Refuses to destroy an input, and to write two results into one file. Changes nothing.

    Files are compared by device and inode, so links and spellings make no difference.

    Raises:
        UsageError: an output is an input, holds an input that it would replace, is another output, is a folder instead
            of a file, or would replace a file that the user did not name.
    """
    found = [given for given in inputs if os.path.exists(given.path)] if outputs else []
    for number, output in enumerate(outputs):
        _check_kind(output)
        for other in outputs[:number]:
            if not is_special(output.path) and _identity(output.path) == _identity(other.path):
                flags = f"{other.flag} and {output.flag} both write it"
                said = f"{output.flag} names it twice" if other.flag == output.flag else flags
                fact = f"{other.path} and {output.path} are one file: {said}"
                raise UsageError(fact, hint=f"name another with {output.flag}")
    _check_inputs(outputs, found)
    for output in outputs:
        _check_ours(output)


def _check_kind(output: Output) -> None:
    is_folder, exists = output.path.is_dir(), output.path.exists()
    if output.over is None and is_folder:
        raise UsageError(f"{output.path} is a folder", hint=f"name a file with {output.flag}")
    if output.over is not None and exists and not is_folder:
        raise UsageError(f"{output.path} is no folder", hint=f"name a folder with {output.flag}")
    above = output.path.parent
    if not output.folders and output.over is None and not above.is_dir():
        raise UsageError(f"no folder {above} for {output.path}", hint=f"mkdir -p {above}")


def _check_ours(output: Output) -> None:
    if not output.ours or not output.path.is_file() or is_special(output.path):
        return
    try:
        with output.path.open("rb") as file:
            start = file.read(LOOKED_AT)
    except OSError as error:
        raise UsageError(f"{output.path} cannot be read: {error.strerror}", hint="it would be replaced") from error
    if start and output.ours not in start:
        fact = f"{output.flag} would also replace {output.path}, which no earlier run has made"
        raise UsageError(fact, hint=f"move it away, or give another name with {output.flag}")


def _check_inputs(outputs: Sequence[Output], inputs: Sequence[Input]) -> None:
    by_identity: Dict[Identity, Input] = {_identity(given.path): given for given in reversed(inputs)}
    for output in outputs:
        same = by_identity.get(_identity(output.path)) if not is_special(output.path) else None
        if same is not None and output.over is None:
            raise UsageError(f"{output.path} is both {same.what} and output", hint=f"name another with {output.flag}")
        held = _held(output, inputs, by_identity) or _below(output, inputs)
        if held is not None:
            hint = f"results could take its place: name another with {output.flag}"
            raise UsageError(f"{output.path} lies where the {held.what} {held.path} is read", hint=hint)


def _held(output: Output, inputs: Sequence[Input], by_identity: Dict[Identity, Input]) -> Optional[Input]:
    """Finds an input that lies at any depth in an output's folder, or that a link there leads to."""
    if output.over is None:
        return None
    top = os.path.realpath(output.path)
    for given in inputs:
        real = os.path.realpath(given.path)
        if real.lower().endswith(output.over) and _is_within(real, top):
            return given
    linked = (by_identity.get(identity) for identity in _files_in(top, output.over))
    return next((given for given in linked if given is not None), None)


def _below(output: Output, inputs: Sequence[Input]) -> Optional[Input]:
    """Finds an input folder in which the output would replace a file that is read."""
    if output.over is not None or not output.path.exists():
        return None
    real = os.path.realpath(output.path)
    read = (given for given in inputs if given.below and real.lower().endswith(given.below))
    return next((given for given in read if _is_within(real, os.path.realpath(given.path))), None)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _files_in(folder: str, suffixes: Tuple[str, ...]) -> Set[Identity]:
    try:
        names = os.listdir(folder)
    except OSError:
        return set()
    return {_identity(os.path.join(folder, name)) for name in names if name.lower().endswith(suffixes)}


def _identity(path: Union[str, Path]) -> Identity:
    """Device and inode of a file; its path if it does not exist yet."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino
