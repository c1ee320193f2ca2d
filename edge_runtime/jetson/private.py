"""Removes from a text what identifies the machine: addresses, names of host and users, serial numbers."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
import socket
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import FrozenSet, Match

from edge_runtime.jetson import board

MAC = re.compile(r"(?<![\w:-])[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4}(?![\w:-])")
# Versions of TensorRT also have four parts.
IPV4 = re.compile(r"(?i)(?<![\w.-])(?<!rt )(?<!rtx )(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)")
IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F:]{3,39}(?![\w:])")
HOME = re.compile(r"/home/[^/\s'\",:;)]+")
SERIALS = ("proc/device-tree/serial-number", "sys/class/dmi/id/product_serial", "etc/machine-id")
HOSTS = ("etc/hostname", "proc/sys/kernel/hostname")
PEOPLE = 1000  # the lowest user ID of a person
NOBODY = {"root", "nobody", "localhost", "user", "host", "(none)", ""}


def without_addresses(text: str) -> str:
    """The text with every MAC and IP address replaced."""
    return IPV6.sub(_ipv6, IPV4.sub(_ipv4, MAC.sub("<address>", text)))


def without_names(text: str, root: Path = Path("/")) -> str:
    """Like `without_addresses`. Names of this host, users, their folders and serial numbers are replaced too."""
    text = HOME.sub("/home/<name>", without_addresses(text))
    for name in sorted(_names(root), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", "<name>", text)
    return text


@lru_cache(maxsize=None)
def _names(root: Path) -> FrozenSet[str]:
    """The words to replace. A word of the board's own name ("nvidia", "orin") is not among them: it tells nothing."""
    known = f"{board.model(root)} {board.read_text(root / 'proc/device-tree/compatible')} jetson ubuntu".lower()
    found = {board.read_text(root / path) for path in (*SERIALS, *HOSTS)} | _users(root)
    if root == Path("/"):
        found |= {socket.gethostname(), socket.gethostname().split(".")[0], os.environ.get("SUDO_USER", "")}
        with suppress(Exception):  # a user ID that does not exist
            found.add(getpass.getuser())
    return frozenset(name for name in found - NOBODY if name.lower() not in re.findall(r"\w+", known))


def _users(root: Path) -> FrozenSet[str]:
    rows = (line.split(":") for line in board.read_text(root / "etc/passwd").splitlines())
    return frozenset(row[0] for row in rows if len(row) > 2 and board.is_whole(row[2]) and int(row[2]) >= PEOPLE)


def _ipv4(found: Match[str]) -> str:
    return "<address>" if all(int(part) < 256 for part in found.group().split(".")) else found.group()


def _ipv6(found: Match[str]) -> str:
    try:
        ipaddress.IPv6Address(found.group())
    except ValueError:
        return found.group()
    return "<address>" if re.search(r"[0-9a-fA-F]", found.group()) else found.group()
