"""Files that are written all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.errors import UsageError


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file all or nothing.

    Raises:
        UsageError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="check folder, rights and space"
        ) from error
