"""What is done once in a process: a library is loaded by one thread, and the others wait for it."""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any, Callable, Dict, Tuple, TypeVar

Done = TypeVar("Done", bound=Callable[..., Any])

_LOADING = threading.RLock()  # one for all: a load changes what is the process's, like sys.stderr and sys.modules


def once(function: Done) -> Done:
    """Makes a function work once for the same arguments and then return the same again. An error is not kept.

    `functools.lru_cache` runs it twice, and side by side, if two threads call it before the first result is there.
    """
    results: Dict[Tuple[Any, ...], Any] = {}

    @wraps(function)
    def call(*args: Any) -> Any:
        if args not in results:
            with _LOADING:
                if args not in results:
                    results[args] = function(*args)
        return results[args]

    vars(call)["cache_clear"] = results.clear
    return call  # type: ignore[return-value]
