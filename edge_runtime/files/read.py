"""Files of the user, read within bounds: a device, a pipe or a file of any size must not stop or fill the program.

All raise ValueError with the reason, as words that follow the path in a sentence.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, BinaryIO, Dict, Union

MIB, CHUNK = 1 << 20, 1 << 20
TEXT = 16 * MIB  # bytes of a text file, where a reader says nothing else
DIGITS = 40  # of a whole number in JSON; Python needs minutes for a million of them


def read_bytes(path: Union[str, Path], most: int) -> bytes:
    """A regular file of at most so many bytes.

    Raises:
        ValueError: it is missing, no regular file, or larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe would be waited for
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
    """What a file has beyond its stated size, as those of /proc have; a part where it is too much."""
    parts, size = [], 0
    while size <= most:
        parts.append(file.read(CHUNK))
        size += len(parts[-1])
        if not parts[-1]:
            break
    return b"".join(parts)


def read_text(path: Union[str, Path], most: int = TEXT) -> str:
    """A text file in UTF-8; every kind of line end becomes a newline.

    Raises:
        ValueError: see `read_bytes`; or it is not UTF-8.
    """
    try:
        text = read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not a text in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str) -> Any:
    """A JSON text without NaN and infinity, which Python would take.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole)
        if "\\ud" in text.lower():  # half of a pair of surrogates: can be neither printed nor written
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("has half a character (a lone surrogate)") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from error
    return value


def parse_json_object(text: str) -> Dict[str, Any]:
    """As `parse_json`, for a text that must be an object.

    Raises:
        ValueError: see `parse_json`; or it is something else.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"is JSON, but a {type(value).__name__} and not an object")
    return value


def parse_toml(text: str) -> Dict[str, Any]:
    """A TOML text.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # not there on a board's own Python, which reads no TOML
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
