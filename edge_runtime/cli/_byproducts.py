"""Files beside a command's main result. If one fails, it is reported, and the result and other files are still made."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator, List, Optional, Tuple

from edge_runtime.cli import _guard
from edge_runtime.cli._power import print_status
from edge_runtime.errors import EdgeError


class ByProducts:
    """Notes failures, for the exit code."""

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self.exit_code = 0
        self._given_up: List[Tuple[str, Optional[str]]] = []

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Makes one of these files. An error is printed and makes the exit code 1."""
        try:
            yield
        except EdgeError as error:
            self._say(str(error), error.hint)
        except Exception as error:  # for example from a library that draws
            self._say(f"{what} could not be made: {type(error).__name__}: {error}", "all other results are whole")

    def until_it_fails(self, what: str, action: Callable[..., None]) -> Callable[..., None]:
        """Runs an action as long as it works. The first error ends it, and is reported at once and at the `end`."""
        given_up = False

        def attempt(*arguments: Any) -> None:
            nonlocal given_up
            if given_up:
                return
            try:
                action(*arguments)
            except Exception as error:
                given_up = True
                self._give_up(what, error)

        return attempt

    def end(self) -> int:
        """Reports again what was given up, and returns the exit code."""
        for message, hint in self._given_up:
            self._say(message, hint)
        return self.exit_code

    def _give_up(self, what: str, error: Exception) -> None:
        message = str(error) if isinstance(error, EdgeError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, EdgeError) else "all other results are whole"
        self._given_up.append((f"{what} was given up: {message}", hint))
        print_status(f"warning: {what} is given up, all else goes on: {message}")

    def _say(self, message: str, hint: Optional[str]) -> None:
        self.exit_code = 1
        _guard.print_error(message, hint, self._verbose)
