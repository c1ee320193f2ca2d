"""What NVIDIA's own Python bindings have, version by version: `members("10.3.0")`.

TensorRT's wheels of bindings are small, and hold one library that imports over libraries whose functions do nothing.
They come through pip into a folder that is kept: $EDGE_WHEELS, or one in the user's cache. Where a version cannot be
had, `Unavailable` says why.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

LISTING = Path(__file__).with_name("members.py")
WHEELS = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",
    "10.13.3": "tensorrt-cu12-bindings==10.13.3.9",
    "10.16.1": "tensorrt-cu12-bindings==10.16.1.11",
    "11.4": "tensorrt-cu13-bindings==11.4.0.106",
}
RTX, PYCUDA = "RTX", "pycuda"
VERSIONS = (*WHEELS, RTX)
OTHERS = (11, 10)  # minor versions of Python for which each of them has a wheel, where this one has none
FUNCTIONS = r"(create|get|init)\w+$|_ZN\d+nv"  # of TensorRT's libraries, among all that the bindings want
Members = Dict[str, Dict[str, Any]]


class Unavailable(Exception):
    """The bindings of a version cannot be had here; the text says why."""


def members(version: str) -> Members:
    """Classes and their members, as `members.py` lists them.

    Args:
        version: one of VERSIONS, or PYCUDA.

    Raises:
        Unavailable: see its text.
    """
    found, reason = _sought(version)
    if reason:
        raise Unavailable(reason)
    return found


@lru_cache(maxsize=None)
def _sought(version: str) -> Tuple[Members, str]:
    """The members, or why there are none: neither is sought twice."""
    try:
        if version != RTX:
            return _kept(version), ""
        if find_spec("tensorrt_rtx_bindings"):
            return _listed(sys.executable, "tensorrt_rtx_bindings"), ""
        return {}, "tensorrt_rtx_bindings is not installed"
    except Unavailable as error:
        return {}, str(error)


def _kept(version: str) -> Members:
    """The listing that lies beside the wheels; made where there is none."""
    digest = hashlib.sha256(LISTING.read_bytes()).hexdigest()
    kept = cache() / f"{version}_{digest[:16]}.json"
    if not kept.is_file():
        found = _pycuda() if version == PYCUDA else _tensorrt(version)
        new = kept.with_name(f"{kept.name}.{os.getpid()}")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(kept)
    listed: Members = json.loads(kept.read_text(encoding="utf-8"))
    return listed


def together(versions: Iterable[str]) -> Members:
    """Members of all of these versions that can be had, each as the first of them has it."""
    found: Members = {}
    for version in versions:
        with suppress(Unavailable):
            for owner, names in members(version).items():
                found[owner] = {**names, **found.get(owner, {})}
    return found


def stub(library: Path, wanted: str, functions: str, into: Optional[Path] = None) -> None:
    """Makes the libraries that one wants and that are not here; their functions do nothing.

    Args:
        library: what shall be loaded.
        wanted: which of the libraries that it names to make, a regular expression.
        functions: names to define in each, a regular expression.
        into: folder; that of the library where it is None.
    """
    if not shutil.which("gcc") or not shutil.which("readelf"):
        raise Unavailable("gcc and readelf make the stub libraries: they are not installed")
    folder = into or library.parent
    undefined = [name.partition("@") for name in _output("nm", "-D", "--undefined-only", str(library)).split()]
    found = sorted({(name, label) for name, _, label in undefined if re.match(functions, name)})
    code = "".join(f"void *{name}(void) {{ return 0; }}\n" for name, _ in found)
    labels = folder / "labels"  # of versioned symbols
    labels.write_text(
        "".join(f"{label} {{ global: *; }};\n" for label in sorted({label for _, label in found if label})),
        encoding="utf-8",
    )
    for name in re.findall(rf"\[({wanted})\]", _output("readelf", "-d", str(library))):
        command = ["gcc", "-shared", "-fPIC", "-xc", "-", "-o", str(folder / name), f"-Wl,-soname,{name}"]
        command += [f"-Wl,--version-script={labels}"] if labels.stat().st_size else []
        subprocess.run(command, input=code, encoding="utf-8", errors="replace", check=True, capture_output=True)


def cache() -> Path:
    """Where wheels are kept."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("EDGE_WHEELS") or user / "edge-runtime" / "wheels")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _tensorrt(version: str) -> Members:
    python, wheel = _wheel(WHEELS[version])
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        library = next(Path(folder).rglob("tensorrt.so"))
        stub(library, r"libnv\w+\.so\.\d+", FUNCTIONS)
        return _listed(python, library.parent.name, PYTHONPATH=folder, LD_LIBRARY_PATH=str(library.parent))


def _wheel(requirement: str) -> Tuple[str, Path]:
    """An interpreter and a wheel for it: this one where there is a wheel, else another one of this machine."""
    reason = ""
    for python, tag in _interpreters():
        try:
            return python, _downloaded(requirement, tag)
        except Unavailable as error:
            reason = reason or str(error)
    raise Unavailable(reason)


def _interpreters() -> Iterator[Tuple[str, str]]:
    yield sys.executable, f"3{sys.version_info.minor}"
    kept = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    for minor in OTHERS:
        if minor != sys.version_info.minor:
            places: List[str] = glob.glob(f"{kept}/versions/3.{minor}.*/bin/python")
            found = next(iter(places), None) or shutil.which(f"python3.{minor}")
            if found:
                yield found, f"3{minor}"


def _downloaded(requirement: str, tag: str) -> Path:
    name, number = requirement.replace("-", "_").split("==")
    pattern = f"{name}-{number}-cp{tag}-*.whl"
    kept = next(cache().glob(pattern), None)
    if kept:
        return kept
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        chosen = ["--no-deps", "--only-binary", ":all:", "--python-version", tag, "-d", folder, requirement]
        command = [sys.executable, "-m", "pip", "download", "-q", "--retries", "1", *chosen]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL)
        new = next(Path(folder).glob(pattern), None)
        if new is None:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip gives no reason"]
            raise Unavailable(f"no wheel of {requirement} for Python 3.{tag[1:]}: {said[-1]}")
        os.replace(new, cache() / new.name)
    return cache() / new.name


def _pycuda() -> Members:
    """Over a driver that does nothing; cuRAND too, of which nothing is used."""
    from tests.standins.names import pycuda_wheel  # which needs this file

    place = pycuda_wheel.folder()
    with tempfile.TemporaryDirectory() as stubs:
        for name in ("cuda", "curand"):
            functions = r"cu[A-Z]\w+$" if name == "cuda" else r"curand\w+$"
            stub(next(place.glob("pycuda/_driver*.so")), rf"lib{name}\.so\.\d+", functions, Path(stubs))
        return _listed(sys.executable, "pycuda.driver", PYTHONPATH=str(place), LD_LIBRARY_PATH=stubs)


def _listed(python: str, name: str, **environment: str) -> Members:
    done = subprocess.run(
        [python, str(LISTING), name], capture_output=True, encoding="utf-8", env={**os.environ, **environment}
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Unavailable(f"{Path(name).name} does not import: {said}")
    found: Members = json.loads(done.stdout)
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
