"""pycuda, compiled where there is no GPU: only to see its names. Two to four minutes, so only where it is asked for.

`EDGE_BUILD_PYCUDA=1` builds it into the folder of wheels, once for each Python; without, an installed one or one that
was built before is used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import List

from tests.standins.names.bindings import Unavailable, cache

WANTED = "EDGE_BUILD_PYCUDA"
CURAND = "nvidia-curand"  # cuRAND's header and library, where the toolkit lacks them


def folder() -> Path:
    """Where pycuda and what it needs can be imported from, numpy apart.

    Raises:
        Unavailable: it is not here, and was not asked for or does not compile.
    """
    installed = find_spec("pycuda")
    if installed and installed.origin:
        return Path(installed.origin).parents[1]
    kept = cache() / f"pycuda-cp3{sys.version_info.minor}"
    if not kept.is_dir():
        if os.environ.get(WANTED) != "1":
            raise Unavailable(f"pycuda is not installed; {WANTED}=1 compiles it")
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            made = _build(Path(work), _toolkit())
            with suppress(OSError):  # another process was faster
                made.rename(kept)
    return kept


def version() -> str:
    """Of the pycuda in that folder."""
    return next(folder().glob("pycuda-*.dist-info")).name.split("-")[1].replace(".dist", "")


def _toolkit() -> Path:
    """The folder of CUDA that has cuda.h: nvcc on the path may be no more than a wrapper."""
    nvcc = shutil.which("nvcc")
    places = ([Path(nvcc).resolve().parents[1]] if nvcc else []) + [Path("/usr/local/cuda")]
    found = next((place for place in places if (place / "include" / "cuda.h").is_file()), None)
    if found is None:
        raise Unavailable("pycuda is compiled with CUDA's toolkit, which is not here")
    return found


def _build(work: Path, toolkit: Path) -> Path:
    """Compiles it in a folder; links against a driver and a cuRAND that do nothing where there are none."""
    pip = [sys.executable, "-m", "pip"]
    _done([*pip, "download", "-q", "--no-deps", "-d", str(work), CURAND])
    zipfile.ZipFile(next(work.glob("nvidia_curand-*.whl"))).extractall(work)
    header, library = (next(work.rglob(name)) for name in ("curand.h", "libcurand.so.*"))
    shutil.copy(library, work / "libcurand.so")
    (work / "empty.c").touch()
    _done(
        ["gcc", "-shared", "-fPIC", str(work / "empty.c"), "-o", str(work / "libcuda.so"), "-Wl,-soname,libcuda.so.1"]
    )
    _done(
        [*pip, "install", "-q", "--target", str(work / "made"), "--no-deps", "pycuda"],
        PATH=f"{toolkit / 'bin'}{os.pathsep}{os.environ['PATH']}",
        CPATH=str(header.parent),
        LIBRARY_PATH=str(work),
        CFLAGS="-w -O0",
        LDFLAGS="-Wl,--no-as-needed",  # an empty library would not be named in what is linked
    )
    _done([*pip, "install", "-q", "--target", str(work / "made"), "pytools", "platformdirs", "mako"])
    return work / "made"


def _done(command: List[str], **environment: str) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env={**os.environ, **environment})
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line.lower()]
        raise Unavailable(f"pycuda was not built: {(said or ['no reason given'])[0].strip()}")
