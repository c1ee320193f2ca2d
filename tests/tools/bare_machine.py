"""A machine of stand-ins (`standins/machine.sh`) for the scripts that set one up, with a small checkout on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import List, Optional

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = REPOSITORY / "tests" / "standins" / "machine.sh"
COMMANDS = "apt-get sudo id dpkg-query python3 g++".split()
REAL = (
    "bash env sed grep tail head tr sort cat sha256sum cut realpath dirname basename stat mkdir rm mv ls ln tar gzip"
    " chmod flock touch"
).split()
CHECKOUT = "tools/setup.sh tools/demo.sh tools/test.sh tools/jetson.sh pyproject.toml setup.py edge_runtime/__init__.py"
BARE = ["python3", "sudo", "apt-get", "id", "dpkg-query"]
TIMEOUT_S = 120
READY = [*BARE, "g++", "python3-venv", "python3-dev"]


class Machine:
    """What is on it is in `state`, and can be changed between two runs.

    Args:
        folder: where all of it goes.
        packages: installed from the beginning.
        version: of python3.
        uid: who runs the scripts, as `id` says.
    """

    def __init__(self, folder: Path, packages: List[str], version: str = "3.11", uid: int = 1000) -> None:
        self.state, self.checkout = folder / "state", folder / "my checkout"
        self.bin, self.tree = self.state / "bin", self.state / "tree"
        self.stand_in = folder / "stand-in"
        folder.mkdir(exist_ok=True)
        shutil.copy(STAND_IN, self.stand_in)
        for name in REAL:
            found = shutil.which(name)
            self._link(folder / "real" / name, Path(str(found)))
        self.real = folder / "real"
        for name in {*COMMANDS, *(p for p in packages if p.startswith("python3.") and "-" not in p)} & {*packages}:
            self._link(self.bin / name, self.stand_in)
        self.write("packages", *packages)
        self.write("version", version)
        self.write("uid", str(uid))
        self.write("versions")
        self.write("log")
        for name in [*CHECKOUT.split(), *map(str, sorted((REPOSITORY / "edge_runtime/native/csrc").glob("*.h")))]:
            target = self.checkout / Path(REPOSITORY / name).relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target)

    @staticmethod
    def _link(path: Path, target: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def write(self, name: str, *lines: str) -> None:
        """Replaces a file of the state."""
        (self.state / name).parent.mkdir(parents=True, exist_ok=True)
        (self.state / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def file(self, path: str, text: str = "") -> Path:
        """Puts a file into the tree that stands for `/`."""
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def jetson(self, release: str) -> None:
        """Makes it a Jetson of a release of Jetson Linux, "36.4.3"."""
        major, _, minor = release.partition(".")
        self.file("etc/nv_tegra_release", f"# R{major} (release), REVISION: {minor}, GCID: 1, BOARD: generic\n")

    def toolkit(self, version: str) -> None:
        """Puts a CUDA toolkit there, "12.6", as `cuda`."""
        folder = self.tree / "usr/local" / f"cuda-{version}"
        self._link(folder / "bin" / "nvcc", self.stand_in)
        for name in ("include/cuda.h", "include/curand.h", "lib64/libcurand.so", "lib64/stubs/libcuda.so"):
            self.file(f"usr/local/cuda-{version}/{name}")
        self.cuda = folder

    def start(self, script: str, *arguments: str, as_nobody: bool = False, **environment: str) -> subprocess.Popen[str]:
        """Starts one of the tools, as if it was typed in the root of the file system."""
        paths = {"PATH": f"{self.bin}:{self.real}", "STATE": str(self.state), "EDGE_SYSROOT": str(self.tree)}
        self.write("log")
        return subprocess.Popen(
            [str(self.checkout / "tools" / script), *arguments],
            cwd="/",
            env={**paths, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            preexec_fn=_become_nobody if as_nobody and os.getuid() == 0 else None,
        )

    def run(self, script: str, *arguments: str, as_nobody: bool = False, **environment: str) -> Answer:
        """Runs one of the tools to its end."""
        started = self.start(script, *arguments, as_nobody=as_nobody, **environment)
        out, err = started.communicate(timeout=TIMEOUT_S)
        return Answer(started.returncode, out, err)

    def calls(self, start: str = "") -> List[str]:
        """What the last run called, in order."""
        return [
            line for line in (self.state / "log").read_text(encoding="utf-8").splitlines() if line.startswith(start)
        ]


class Answer:
    """How a script ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> Optional[str]:
        """The fact that it gave."""
        return self._line("error: ")

    @property
    def hint(self) -> Optional[str]:
        """The way out that it gave."""
        return self._line("hint: ")

    def _line(self, start: str) -> Optional[str]:
        return next((line[len(start) :] for line in self.err.splitlines() if line.startswith(start)), None)


def _become_nobody() -> None:
    os.setgid(65534)
    os.setuid(65534)
