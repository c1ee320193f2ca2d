"""Reads files of the user within limits, so that a device, a pipe or a huge file cannot stop or fill the program.

All functions raise ValueError with the reason. Its text follows the path in a sentence.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any, BinaryIO, Dict, Union

MIB, CHUNK = 1 << 20, 1 << 20
TEXT = 16 * MIB  # bytes of a text file, unless a reader sets another limit
# What tomllib needs hours or all memory for: a number of a million digits, a key of thousands of words
_HUGE = re.compile(r"(?<!\w)(?:0[xob][\da-f_]{1000}|[\d_]{1000})", re.IGNORECASE)
_DEEP = re.compile(r"(?:\.[^.=,\[\]{}#\n]+){100}")
DIGITS = 40  # digits of a whole number in JSON; Python needs minutes for a million digits


def read_bytes(path: Union[str, Path], most: int) -> bytes:
    """Returns a regular file of at most `most` bytes.

    Raises:
        ValueError: it is missing, not a regular file, or larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # else a named pipe would block
    except OSError as error:
        raise ValueError(_reason(error)) from error
    except ValueError as error:
        raise ValueError("has a name that no file has") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("is a folder" if stat.S_ISDIR(about.st_mode) else "is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = b"" if about.st_size > most else file.read(min(about.st_size, most) + 1) + _rest(file, most)
    except OSError as error:
        raise ValueError(_reason(error)) from error
    finally:
        os.close(descriptor)
    if about.st_size > most or len(content) > most:
        raise ValueError(f"is larger than {most / MIB:g} MiB")
    return content


def _rest(file: BinaryIO, most: int) -> bytes:
    """The bytes beyond a file's stated size, which files in /proc have. If there are too many, a part of them."""
    parts, size = [], 0
    while size <= most:
        parts.append(file.read(CHUNK))
        size += len(parts[-1])
        if not parts[-1]:
            break
    return b"".join(parts)


def read_text(path: Union[str, Path], most: int = TEXT) -> str:
    """Returns a text file in UTF-8. Every kind of line end becomes a newline.

    Raises:
        ValueError: see `read_bytes`; or it is not UTF-8.
    """
    try:
        text = read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not a text in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str) -> Any:
    """Parses a JSON text. Refuses NaN and infinity, which Python would accept.

    Raises:
        ValueError: it is not JSON, or it is nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole)
        if "\\ud" in text.lower():  # half of a pair of surrogates cannot be printed or written
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("has half a character (a lone surrogate)") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from error
    return value


def parse_json_object(text: str) -> Dict[str, Any]:
    """Like `parse_json`, for a text that must be an object.

    Raises:
        ValueError: see `parse_json`; or it is something else.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"is JSON, but a {type(value).__name__} and not an object")
    return value


def parse_toml(text: str) -> Dict[str, Any]:
    """Parses a TOML text.

    Raises:
        ValueError: it is not TOML, or it is nested too deeply, or has a number of a thousand digits.
    """
    if _HUGE.search(text):
        raise ValueError("has a number of 1000 digits or more")
    if _DEEP.search(text):
        raise ValueError("is nested too deeply")
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # missing in a board's own Python, which then reads no TOML
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"is not TOML: {error}") from error


def _reason(error: OSError) -> str:
    missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
    return "is not there" if missing else f"does not open ({error.strerror or error})"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"has {name}, which is no number")


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"has a number of {len(digits)} digits")
    return int(digits)


def why(error: Exception) -> str:
    """What a parser's exception says, in words: a KeyError means that a key is missing."""
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error) or "unreadable"
