"""Compiles the CUDA kernels on the machine where they run: an older driver cannot load cubins of a newer CUDA.

It uses nvcc if that works, else NVRTC, which also comes as a Python package. Results are kept in the user's cache,
under a hash of the sources, the GPU's architecture and the compiler. The kernels are C++14, for CUDA 10.2.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional

from edge_runtime.errors import BackendUnavailable, UsageError
from edge_runtime.files import atomic
from edge_runtime.gpu import cuda_driver

CSRC = Path(__file__).resolve().parents[1] / "native" / "csrc"
SOURCE = "kernels.cu"
FLAGS = ("-std=c++14", "--fmad=false")  # multiply and add are rounded separately, as on the host
NONE = "there is no CUDA compiler here"
NVCC_PLACES = ("/usr/local/cuda/bin/nvcc",)
NVRTC_NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so.10.2", "libnvrtc.so")


def cubin(compute_capability: str, cache: Optional[Path] = None) -> bytes:
    """Returns the machine code of all kernels for one GPU architecture; with an NVRTC before CUDA 11.1 it is PTX.

    Args:
        compute_capability: compute capability of the GPU, "8.7".
        cache: folder of earlier results; None for the user's own cache.

    Raises:
        BackendUnavailable: there is no compiler, or it refuses the sources or the architecture.
    """
    architecture = f"sm_{compute_capability.replace('.', '')}"
    compiler = find_compiler()
    try:
        return _compiled(compiler, architecture, cache)
    except BackendUnavailable as error:  # the toolkit has no host compiler, or is older than the GPU
        lib = load_nvrtc() if isinstance(compiler, Nvcc) else None
        if lib is None:
            raise
        return _instead(Nvrtc(lib), architecture, cache, error)


def sources() -> Dict[str, str]:
    """Returns the text of the kernels and of every header, by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted([CSRC / SOURCE, *CSRC.glob("*.h")])}


class Nvcc:
    """CUDA's compiler from a toolkit.

    Attributes:
        warnings: warnings of its last run. A newer toolkit may warn about more; warnings are not errors.
    """

    warnings = ""

    def __init__(self, path: str) -> None:
        self._path = path
        said = subprocess.run(
            [path, "--version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        release = re.search(r"release ([\d.]+)", said.stdout)
        self.name = f"nvcc {release.group(1) if release else path}"

    def compile(self, architecture: str) -> bytes:
        """Returns a cubin, or PTX for an architecture such as `compute_87`."""
        kind = "-ptx" if architecture.startswith("compute") else "-cubin"
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "kernels")
            command = [self._path, *FLAGS, kind, f"-arch={architecture}"]
            done = subprocess.run(
                [*command, "-o", str(target), str(CSRC / SOURCE)], capture_output=True, encoding="utf-8", check=False,
                errors="replace", stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode:
                raise _refused(self.name, architecture, done.stderr)
            self.warnings = done.stderr
            return target.read_bytes()


class Nvrtc:
    """CUDA's compiler as a library; `warnings` as in `Nvcc`."""

    warnings = ""

    def __init__(self, lib: Any) -> None:
        self._lib = lib
        major, minor = ctypes.c_int(), ctypes.c_int()
        lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self.name = f"NVRTC {major.value}.{minor.value}"

    def compile(self, architecture: str) -> bytes:
        """Returns a cubin; or PTX for an architecture such as `compute_87`, or with a library before CUDA 11.1.

        The NVRTC of CUDA 11 leaves its thread in the locale C, where text is ASCII: so it has a thread of its own.
        """
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._compile, architecture).result()

    def _compile(self, architecture: str) -> bytes:
        if not hasattr(self._lib, "nvrtcGetCUBIN"):
            architecture = architecture.replace("sm_", "compute_")
        files = sources()
        kernels = files.pop(SOURCE)
        names, texts = (
            (ctypes.c_char_p * len(files))(*(text.encode() for text in column)) for column in (files, files.values())
        )
        program = ctypes.c_void_p()
        self._lib.nvrtcCreateProgram(ctypes.byref(program), kernels.encode(), SOURCE.encode(), len(files), texts, names)
        try:
            options = [*FLAGS, f"--gpu-architecture={architecture}"]
            code = self._lib.nvrtcCompileProgram(
                program, len(options), (ctypes.c_char_p * len(options))(*(text.encode() for text in options))
            )
            log = self._read(program, "ProgramLog").decode(errors="replace").strip("\0\n ")
            if code:
                raise _refused(self.name, architecture, log)
            self.warnings = log
            return self._read(program, "PTX" if architecture.startswith("compute") else "CUBIN")
        finally:
            self._lib.nvrtcDestroyProgram(ctypes.byref(program))

    def _read(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        getattr(self._lib, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        getattr(self._lib, f"nvrtcGet{what}")(program, text)
        return text.raw


def find_compiler() -> Any:
    """Returns the compiler of this machine.

    Raises:
        BackendUnavailable: there is no compiler.
    """
    path = shutil.which("nvcc") or next((place for place in NVCC_PLACES if os.access(place, os.X_OK)), None)
    with suppress(OSError, subprocess.SubprocessError):  # nvcc may not start, or not answer
        if path:
            return Nvcc(path)
    lib = load_nvrtc()
    if lib is None:
        raise BackendUnavailable(NONE, hint="install CUDA's nvcc (nvidia-jetpack), or pip install nvidia-cuda-nvrtc")
    return Nvrtc(lib)


def load_nvrtc(folders: Optional[List[Path]] = None) -> Optional[Any]:
    """Loads NVRTC from the system or from a Python package. Returns None if there is none.

    Args:
        folders: folders with installed packages.
    """
    packages = [Path(entry) for entry in sys.path if entry] if folders is None else folders
    newest = int((cuda_driver.driver_version() or "99").split(".")[0])
    wheels = [path for folder in packages for path in folder.glob("nvidia/*/lib/libnvrtc.so.*")]
    for path in sorted((path for path in wheels if _major(path) <= newest), key=_major, reverse=True):
        try:
            for part in path.parent.glob("libnvrtc-builtins.so*"):  # NVRTC looks for it only on the loader's path
                ctypes.CDLL(str(part), mode=ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(str(path))
        except OSError:
            continue
    for name in NVRTC_NAMES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _major(library: Path) -> int:
    """Returns the major CUDA version of a library "libnvrtc.so.12" or "libnvrtc.so.11.2"."""
    return int(library.name.split(".so.")[1].split(".")[0])


def _compiled(compiler: Any, architecture: str, cache: Optional[Path]) -> bytes:
    """Returns the compiled kernels, from the cache if they are in it."""
    folder = cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edge-runtime"
    key = hashlib.sha256("\n".join([architecture, compiler.name, *FLAGS, *sources().values()]).encode())
    path = folder / f"kernels_{key.hexdigest()[:32]}.cubin"
    if path.is_file():
        return path.read_bytes()
    code: bytes = compiler.compile(architecture)
    _keep(path, code)
    return code


def _instead(compiler: Any, architecture: str, cache: Optional[Path], why: BackendUnavailable) -> bytes:
    """Compiles with the second compiler, and prints a note about the first."""
    try:
        code = _compiled(compiler, architecture, cache)
    except BackendUnavailable as error:
        raise BackendUnavailable(f"{why}; {error}", hint=why.hint) from error
    print(f"note: {why}; {compiler.name} compiles them instead", file=sys.stderr)
    return code


def _keep(path: Path, code: bytes) -> None:
    """Writes a whole file or none. If the cache cannot be written, the next start only takes longer."""
    with suppress(OSError, UsageError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace_file(path, code)


def _refused(compiler: str, architecture: str, log: str) -> BackendUnavailable:
    reason = next((line for line in log.splitlines() if "error" in line.lower()), log.strip() or "it gives no reason")
    return BackendUnavailable(
        f"{compiler} does not compile the kernels for {architecture}: {reason}",
        hint="install a CUDA toolkit that supports this GPU: that of its JetPack, or a newer one",
    )
