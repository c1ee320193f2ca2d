"""The parts of a recording's file, within limits. Nothing is unpacked to the disk, and no part is compressed."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from typing import Any, Dict, List
from zipfile import ZIP_STORED, BadZipFile, ZipInfo

from edge_runtime.errors import SourceError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields
from edge_runtime.files.zips import open_zip

MOST = 2048 * read.MIB
MANIFEST = "manifest.json"
NAME = re.compile(
    r"manifest\.json|(results|frames|log|status)\.jsonl|(streams|pixels|outputs)/[0-9-]{1,40}\.(mkv|json|bin|npz)"
)
HINT = "give a file that edge-detect --record has written; it may have been cut off on its way: copy it again"
BROKEN = (BadZipFile, EOFError, zlib.error, RuntimeError, NotImplementedError, struct.error, OSError, OverflowError,
          UnicodeError, AttributeError, KeyError, TypeError, ValueError, MemoryError)  # fmt: skip
PART = {"bytes": fields.whole(0, MOST), "sha256": fields.text(64)}


def damaged(path: str, reason: str) -> SourceError:
    """The error of a file that is no recording."""
    return SourceError(f"{path} is not a recording: {reason}"[:600], hint=HINT)


class Archive:
    """An open recording.

    Attributes:
        manifest: its content, not yet checked.

    Raises:
        SourceError: it is not a zip file of ours, is too large, or is cut off.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._content = read.read_bytes(path, MOST)
        except ValueError as error:
            raise SourceError(f"{path} {error}", hint=HINT) from error
        try:
            self._zip = open_zip(self._content)
            self._members = self._checked(self._zip.infolist())
            self.manifest = read.parse_json_object(self._bytes(MANIFEST).decode())
            parts = fields.take("parts", fields.mapping(fields.anything()), self.manifest.get("parts"))
            self._parts = {name: check_fields(part, PART, f"{name}: ", SourceError) for name, part in parts.items()}
        except SourceError as error:
            raise damaged(path, str(error)) from error
        except BROKEN as error:
            raise damaged(path, read.why(error)) from error

    def __contains__(self, name: str) -> bool:
        return name in self._parts and name in self._members

    def part(self, name: str) -> bytes:
        """The content of a part.

        Raises:
            SourceError: it is missing, or has another hash than the manifest says.
        """
        if name not in self:
            raise damaged(self.path, f"{name} is missing")
        try:
            content = self._bytes(name)
        except BROKEN as error:
            raise damaged(self.path, f"{name}: {read.why(error)}") from error
        stated = self._parts[name]
        if len(content) != stated.get("bytes") or hashlib.sha256(content).hexdigest() != stated.get("sha256"):
            raise damaged(self.path, f"{name} is not what was written: its hash is another one")
        return content

    def rows(self, name: str) -> List[Dict[str, Any]]:
        """The objects of a part of JSON lines.

        Raises:
            SourceError: see `part`; or it is not such a part.
        """
        content = self.part(name)
        try:
            if content.count(b"\n") > fields.LONGEST:
                raise ValueError(f"has more than {fields.LONGEST} lines")
            return [read.parse_json_object(line) for line in content.decode().split("\n") if line]
        except ValueError as error:
            raise damaged(self.path, f"{name} {read.why(error)}") from error

    def object(self, name: str) -> Dict[str, Any]:
        """The object of a part of JSON.

        Raises:
            SourceError: see `rows`.
        """
        content = self.part(name)
        try:
            return read.parse_json_object(content.decode())
        except ValueError as error:
            raise damaged(self.path, f"{name} {read.why(error)}") from error

    def _bytes(self, name: str) -> bytes:
        """A part, which lies in the file as it is."""
        return self._zip.read(self._members[name])

    def _checked(self, listed: List[ZipInfo]) -> Dict[str, ZipInfo]:
        for member in listed:
            if not NAME.fullmatch(member.filename):
                raise ValueError(f"it has a part {member.filename[:80]!r}")
            if member.compress_type != ZIP_STORED or member.compress_size != member.file_size or member.flag_bits & 1:
                raise ValueError(f"{member.filename} is compressed or encrypted")
        if sum(member.file_size for member in listed) > len(self._content):
            raise ValueError("its parts are larger than the file")
        members = {member.filename: member for member in listed}
        if len(members) < len(listed):
            raise ValueError("it has two parts of one name")
        return members
