"""Reads an address from the environment or a file, so that no list of processes shows its password."""

from __future__ import annotations

import os

from edge_runtime.errors import UsageError

LONGEST = 4096  # most characters of an address


def resolve(target: str) -> str:
    """The address itself: for `env:NAME` the value of the variable, for `@FILE` the first line of the file.

    A file of just this name is meant itself.

    Raises:
        UsageError: there is no address.
    """
    if target.startswith(("env:", "@")) and os.path.isfile(target):
        return target
    if target.startswith("env:"):
        return _found(os.environ.get(target[4:], ""), f"the variable {target[4:]}", f"export {target[4:]}=rtsp://…")
    if target.startswith("@"):
        return _found(_first_line(target[1:]), target[1:], "write the address, rtsp://…, into its first line")
    return target


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(LONGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{path} cannot be read: {reason}", hint="its first line must be an address") from error


def _found(text: str, where: str, hint: str) -> str:
    if not text.strip():
        raise UsageError(f"no address in {where}", hint=hint)
    return text.strip()
