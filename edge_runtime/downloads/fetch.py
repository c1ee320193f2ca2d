"""Puts an entry's file in its place. What is there is checked, else it is fetched. Only the right file is kept."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterator, List, Optional, Sequence
from urllib.parse import urlsplit

from edge_runtime.downloads import catalog, web
from edge_runtime.downloads.catalog import Entry
from edge_runtime.errors import DownloadError, UsageError
from edge_runtime.files.atomic import said_of
from edge_runtime.files.lock import locked
from edge_runtime.text import secrets

TIMEOUT_S = 30.0
MB = 1e6
Tell = Callable[[float, str], None]


def get(
    entry: Entry,
    target: Path,
    addresses: Sequence[str] = (),
    tell: Tell = lambda done, phase: None,
    timeout_s: float = TIMEOUT_S,
) -> Optional[str]:
    """Makes sure that an entry's file is at `target`. A fetch that was cut off before goes on where it stopped.

    Args:
        target: the file. Its folder exists.
        addresses: where to fetch it, in place of the entry's addresses. https, or http on this machine itself.
        tell: is told what is done, 0 to 1, and the same in words.
        timeout_s: longest silence of a server.

    Returns:
        The address that it came from. None if it was there before.

    Raises:
        UsageError: another file has this name, this one cannot be written, or another process is writing it.
        DownloadError: no address gave the file.
    """
    with locked(target):
        if os.path.lexists(target):
            check(entry, target)
            return None
        return _fetch(entry, target, addresses or entry.addresses, tell, timeout_s)


def check(entry: Entry, path: Path) -> None:
    """Refuses a file that is not the entry's.

    Raises:
        UsageError: its SHA-256 is another, or it cannot be read.
    """
    hint = f"move it away and run edge-zoo get {entry.name}, or name another place with -o"
    try:
        found = catalog.digest(path)
    except ValueError as error:
        raise UsageError(f"{path} {error}", hint=hint) from error
    if found != entry.sha256:
        fact = f"{path} is not the file of {entry.name}: its SHA-256 is {found}, expected {entry.sha256}"
        raise UsageError(fact, hint=hint)


def part_of(target: Path) -> Path:
    """The unfinished file beside the final one."""
    return target.with_name(f"{target.name}.part")


def by_hand(address: str, target: Path) -> str:
    """What to do without a network."""
    return f"fetch {address} on another machine and put it at {target}; then the same command checks it"


def _fetch(entry: Entry, target: Path, addresses: Sequence[str], tell: Tell, timeout_s: float) -> str:
    failed: Dict[str, List[str]] = {}  # the servers, by what went wrong
    part = part_of(target)
    for address in addresses:
        try:
            with said_of(target), _not_left_empty(part):
                _fill(entry, part, address, tell, timeout_s)
                os.replace(part, target)
            return address
        except DownloadError as error:
            failed.setdefault(str(error), []).append(secrets.public(urlsplit(address).netloc))
    again = "the same command goes on where it stopped. Or " if part.exists() else ""
    reasons = (f"{' and '.join(servers)}: {reason}" for reason, servers in failed.items())
    fact = f"{entry.name} could not be fetched from {'; '.join(reasons)}"
    raise DownloadError(fact, hint=again + by_hand(secrets.public(addresses[0]), target))


def _fill(entry: Entry, part: Path, address: str, tell: Tell, timeout_s: float) -> None:
    """Completes the unfinished file from one address, and checks it. A complete file that is wrong is removed."""
    with _opened(part) as file:
        have = file.seek(0, os.SEEK_END)
        if have != entry.size_bytes:
            with web.ask(address, have if have < entry.size_bytes else 0, entry.size_bytes, timeout_s) as answer:
                _receive(answer, file, entry.size_bytes, tell)
        file.flush()
        os.fsync(file.fileno())
    found = catalog.digest(part)
    if found != entry.sha256:
        part.unlink()
        raise DownloadError(f"its file has SHA-256 {found}, expected {entry.sha256}; it is not kept")


def _receive(answer: web.Answer, file: BinaryIO, size_bytes: int, tell: Tell) -> None:
    """Writes what comes behind the byte where it begins.

    Raises:
        DownloadError: there are more or fewer bytes than the file has.
    """
    file.truncate(file.seek(answer.start))
    have = answer.start
    for piece in answer.chunks():
        have += len(piece)
        if have > size_bytes:
            file.truncate(0)
            raise DownloadError(f"the answer is longer than {size_bytes} bytes; it is not kept")
        file.write(piece)
        tell(have / size_bytes, f"{have / MB:.1f} of {size_bytes / MB:.1f} MB")
    if have < size_bytes:
        raise DownloadError(f"the connection ended after {have} of {size_bytes} bytes")


@contextlib.contextmanager
def _not_left_empty(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if not part.lstat().st_size and part.is_file():
                part.unlink()


def _opened(part: Path) -> BinaryIO:
    """Opens the unfinished file. In a folder of all users it may be a link or a pipe of somebody else."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.fdopen(os.open(part, flags, 0o666), "r+b")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UsageError(f"{part} is not a regular file", hint="remove it, or name another place with -o")
    return file
