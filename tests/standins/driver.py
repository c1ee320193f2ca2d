"""The stand-in for the driver's library, libcuda.cpp, compiled once a process."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, List

SOURCE = Path(__file__).with_name("libcuda.cpp")
FLAGS = "-std=c++17 -O1 -Wall -Wextra -Werror -pthread -shared -fPIC"
NOTE, LAUNCH, RUN = (
    ctypes.CFUNCTYPE(ctypes.c_int, kind) for kind in (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)
)
NO_NOTE, NO_LAUNCH = NOTE(), LAUNCH()


@lru_cache(maxsize=None)
def path() -> str:
    """Of the library; $EDGE_HOST_DRIVER if another process has compiled it."""
    if "EDGE_HOST_DRIVER" in os.environ:
        return os.environ["EDGE_HOST_DRIVER"]
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(compiled(Path(folder, "libcuda.so")))


def compiled(target: Path) -> Path:
    """The library as a file."""
    subprocess.run([os.environ.get("CXX", "g++"), *FLAGS.split(), "-o", str(target), str(SOURCE)], check=True)
    return target


@lru_cache(maxsize=None)
def library() -> Any:
    """What steers it."""
    lib = ctypes.CDLL(path())
    lib.standin_stream.restype = lib.standin_graph.restype = ctypes.c_void_p
    lib.standin_reset.argtypes = (ctypes.c_int, ctypes.c_int, NOTE, LAUNCH)
    lib.standin_graph.argtypes = (RUN, ctypes.c_void_p)
    lib.standin_alone.restype = ctypes.c_double
    lib.standin_end_stream.argtypes = (ctypes.c_void_p,)
    atexit.register(reset)  # what is destroyed after Python's end calls nothing of Python
    return lib


def reset(asynchronous: bool = False, recording: bool = True, note: Any = NO_NOTE, launch: Any = NO_LAUNCH) -> None:
    """Forgets what was said and ordered."""
    library().standin_reset(asynchronous, recording, note, launch)


def said(what: str) -> List[str]:
    """Its "calls" or "faults"."""
    room = library().standin_said(what.encode(), None, 0)
    text = ctypes.create_string_buffer(room)
    library().standin_said(what.encode(), text, room)
    return text.raw.decode().split() if what == "calls" else text.raw.decode().splitlines()


def held() -> int:
    """Memory, events and contexts that were not given back."""
    return int(library().standin_held())


def graph(run: Callable[[], None]) -> int:
    """A graph that runs a function."""
    call = RUN(lambda _: [run(), 0][1])
    _GRAPHS.append(call)
    return int(library().standin_graph(call, None))


_GRAPHS: List[Any] = []
