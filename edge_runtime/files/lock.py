"""One writer for each output: a second run that would write the same file is refused."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import struct
from pathlib import Path
from typing import Iterator, Union

from edge_runtime.errors import UsageError
from edge_runtime.files.atomic import is_special

HINT = "wait until it ends, or name another output"


@contextlib.contextmanager
def locked(*outputs: Union[str, Path]) -> Iterator[None]:
    """Keeps outputs for this process until the block ends.

    The lock is a name that the kernel keeps for a process. So no file stays behind after a kill, and it works in a
    folder that cannot be written. Processes in other network namespaces (containers without the host's network) do not
    see it.

    Args:
        outputs: files or folders, which may not exist yet. Devices and pipes are not locked.

    Raises:
        UsageError: another run writes one of them. The message names its process.
    """
    with contextlib.ExitStack() as stack:
        for output in outputs:
            if not is_special(Path(output)):
                stack.enter_context(_taken(output))
        yield


def _taken(output: Union[str, Path]) -> socket.socket:
    name = _name(output)
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(name)
        lock.listen(1)  # so that a second run can ask the kernel who holds it
    except OSError as error:
        lock.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"{output} is being written by {_holder(name)}", hint=HINT) from None
        hint = "are sockets of the family AF_UNIX forbidden to this process?"
        raise UsageError(f"{output} cannot be locked: {error.strerror}", hint=hint) from error
    return lock


def _name(output: Union[str, Path]) -> bytes:
    """Name of a lock, by device and inode of the folder, which may have many paths. A NUL in front: not a file."""
    path = Path(os.path.realpath(output))
    try:
        found = os.stat(path.parent)
        key = f"{found.st_dev}:{found.st_ino}:{path.name}"
    except OSError:  # a folder that does not exist yet
        key = str(path)
    return b"\0edge-runtime:" + hashlib.sha256(os.fsencode(key)).hexdigest().encode()


def _holder(name: bytes) -> str:
    """The process that holds a lock: its number and name if they are known."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.setblocking(False)
            asking.connect(name)
            pid, _, _ = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError:
        return "another process"
    if pid == os.getpid():
        return "this process already"
    try:
        return f"process {pid} ({Path(f'/proc/{pid}/comm').read_text(encoding='utf-8', errors='replace').strip()})"
    except OSError:
        return f"process {pid}" if pid else "another process"
