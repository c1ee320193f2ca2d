"""Reads what is secret from the environment or a file, so that no list of processes shows it."""

from __future__ import annotations

import os

from edge_runtime.errors import UsageError
from edge_runtime.files import relative

LONGEST = 4096  # most characters of an address or a key


def resolve(target: str, what: str = "address", example: str = "rtsp://…") -> str:
    """The text itself: for `env:NAME` the value of the variable, for `@FILE` the first line of the file.

    A file of just this name is meant itself.

    Args:
        what: the text in a word, for messages.
        example: one such text, for messages.

    Raises:
        UsageError: there is no such text.
    """
    if target.startswith(("env:", "@")) and os.path.isfile(target):
        return target
    if target.startswith("env:"):
        hint = f"export {target[4:]}={example}"
        return _found(os.environ.get(target[4:], ""), what, f"the variable {target[4:]}", hint)
    if target.startswith("@"):
        hint = f"write the {what}, {example}, into its first line"
        return _found(_first_line(target[1:], what), what, target[1:], hint)
    return target


def address(target: str, what: str = "address", example: str = "rtsp://…", options: bool = False) -> str:
    """The address of a source or an output, as `resolve` finds it.

    Relative file names in it are relative to the folder of the file that it stands in. In a variable, and where the
    address itself is given, they are relative to the folder of the process.

    Args:
        options: whether the options of an address name files, too.

    Raises:
        UsageError: see `resolve`.
    """
    text = resolve(target, what, example)
    if text == target:
        return target
    folder = os.path.dirname(target[1:]) if target.startswith("@") else ""
    text = relative.options_located(text, folder) if options else text
    return relative.located(text, folder)


def _first_line(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(LONGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{path} cannot be read: {reason}", hint=f"its first line must be the {what}") from error


def _found(text: str, what: str, where: str, hint: str) -> str:
    if not text.strip():
        raise UsageError(f"no {what} in {where}", hint=hint)
    return text.strip()
