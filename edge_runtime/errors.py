"""The errors of edge_runtime.

    EdgeError
    ├── UsageError          (ValueError)    a flag, recipe key or argument that makes no sense
    ├── ModelError          (ValueError)    a file that is not a detector we can read
    ├── SpecError           (ValueError)    a preprocessing or decoding description that contradicts itself or the model
    ├── SourceError         (OSError)       no frames, or no more of them
    ├── SinkError           (OSError)       results that could not be written
    ├── DatasetError        (ValueError)    labelled images that cannot be read
    ├── DownloadError       (OSError)       a file that could not be fetched, or is not the expected one
    ├── DeviceError         (RuntimeError)  a GPU that refuses or fails
    ├── BoardError          (RuntimeError)  a power mode that was refused or did not take
    └── BackendUnavailable  (ImportError)   a library that is not installed

A message is a lower-case fact without a full stop. It says what was got and what was expected. `hint` is the way out.
Neither contains a password: text that looks like one is removed.
"""

from __future__ import annotations

from typing import Optional

from edge_runtime.text.escape import printable
from edge_runtime.text.secrets import redact

LOOKED_AT, SHOWN = (
    1 << 16,
    4000,
)  # characters of a message, because file names and the messages of libraries can be of any length


def _shown(text: str) -> str:
    """The text without secrets, cut to `SHOWN` characters."""
    clean = redact(text[:LOOKED_AT])
    return clean if len(clean) <= SHOWN else f"{clean[:SHOWN]}…"


class EdgeError(Exception):
    """Base class of every error that the package raises on purpose.

    Args:
        message: the fact, lower case, one line.
        hint: what the user can do about it, one line.
    """

    def __init__(self, message: str, *, hint: Optional[str] = None) -> None:
        self.message = _shown(message)
        self.hint = hint and _shown(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


def told(error: EdgeError) -> str:
    """What a module that runs as a command prints of an error: `error: …` and `hint: …`, each `printable`."""
    return f"error: {printable(str(error))}\nhint: {printable(str(error.hint))}"


class UsageError(EdgeError, ValueError):
    """A flag, recipe key or argument that makes no sense."""


class ModelError(EdgeError, ValueError):
    """A file that is not a detector, or one that we cannot read."""


class SpecError(EdgeError, ValueError):
    """A preprocessing or decoding description that contradicts itself or the model."""


class SourceError(EdgeError, OSError):
    """A source that gives no frames, or no more frames."""


class SinkError(EdgeError, OSError):
    """Results that could not be written."""


class DatasetError(EdgeError, ValueError):
    """Labelled images that cannot be read."""


class DownloadError(EdgeError, OSError):
    """A file that could not be fetched, or is not the expected one."""


class DeviceError(EdgeError, RuntimeError):
    """A GPU that refuses or fails."""


class BoardError(EdgeError, RuntimeError):
    """A power mode that was refused, or did not take effect."""


class BackendUnavailable(EdgeError, ImportError):
    """A library that is not installed, or cannot be loaded."""
