"""Files beside a command's main result: one that fails is said, and costs neither the result nor the other files."""

from __future__ import annotations

import contextlib
from typing import Iterator, Optional

from edge_runtime.cli import _guard
from edge_runtime.errors import EdgeError


class ByProducts:
    """Counts what failed, for the exit code."""

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self.exit_code = 0

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Makes one of them; what breaks it is printed, and makes the exit code 1."""
        try:
            yield
        except EdgeError as error:
            self._say(str(error), error.hint)
        except Exception as error:  # of a library that draws, say
            self._say(f"{what} could not be made: {type(error).__name__}: {error}", "all other results are whole")

    def _say(self, message: str, hint: Optional[str]) -> None:
        self.exit_code = 1
        _guard.print_error(message, hint, self._verbose)
