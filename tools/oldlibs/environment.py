"""Makes a machine's environment: its starting versions first, then README's words, then what the tests want."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from oldlibs.machines import Machine

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / ".rows"
TESTS = ("pytest", "pytest-xdist", "hypothesis", "scikit-image", "pycocotools", "matplotlib", "pyyaml")
CORE = ("setup.py", "pyproject.toml", "edge_runtime/native/csrc")
LOG_LINES = 10
# What pip and the tests must not take from the machine that runs this: an old pip cannot tell which wheels of a local
# folder are for its Python.
CLEAN = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
SHOW = """
import importlib, platform
print("Python", platform.python_version())
for name in ("numpy", "cv2", "av", "onnx", "onnxruntime", "openvino"):
    module = importlib.import_module(name)
    print(name, module.__version__.split("-")[0])
import numpy, cv2
cv2.resize(numpy.zeros((4, 4, 3), numpy.uint8), (2, 2))
"""


class RowError(Exception):
    """What a row could not do, as a sentence."""


class NoInterpreter(RowError):
    """The row's Python is not on this machine."""


class Environment:
    """A machine's folder under `.rows/`: `system/` as the distribution, `.venv/` as the user has made it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.folder = ROWS / machine.name
        self.python = self.folder / ".venv" / "bin" / "python"
        self._state = self.folder / "installed.json"

    def make(self) -> None:
        """Makes it, unless it is complete and nothing it is made of has changed.

        Raises:
            RowError: a step failed.
        """
        key = _key(self.machine)
        if not self._state.is_file() or json.loads(self._state.read_text(encoding="utf-8"))["key"] != key:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._starting_versions()
            log = self._words()
            versions = self.check()
            self._pip("install", "-q", *TESTS, *self.machine.extra, "-c", str(self._frozen()))
            self.check()
            self._state.write_text(
                json.dumps({"key": key, "log": log, "versions": versions}, indent=1), encoding="utf-8"
            )
        self._core()

    def state(self) -> Dict[str, object]:
        """The install log and the versions."""
        return dict(json.loads(self._state.read_text(encoding="utf-8")))

    def check(self) -> Dict[str, str]:
        """Versions of the libraries, after a call that needs OpenCV and numpy to fit together.

        Raises:
            RowError: they do not.
        """
        show = SHOW if self.machine.words[-1].count("openvino") else SHOW.replace(', "openvino"', "")
        done = subprocess.run(
            [str(self.python), "-c", show], env=self.environ(), capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            raise RowError(f"a library cannot be loaded: {_reason(done.stderr)}")
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())  # type: ignore[misc]

    def environ(self) -> Dict[str, str]:
        """For programs in it: the checkout's code, and this environment's commands first on PATH."""
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ,
            **CLEAN,
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "VIRTUAL_ENV": str(self.python.parents[1]),
        }

    def _starting_versions(self) -> None:
        base = interpreter(self.machine.python)
        self._run([base, "-m", "venv", str(self.folder / ".venv")])
        if self.machine.system:
            self._pip("install", "-q", "-U", "pip")  # the machine's own version follows
            target = self.folder / "system"
            self._pip("install", "-q", "--no-deps", "--target", str(target), *self.machine.system)
            site = next((self.folder / ".venv" / "lib").glob("python3*/site-packages"))
            (site / "system.pth").write_text(
                f"{target}\n", encoding="utf-8"
            )  # as --system-site-packages shows the distribution's
        if self.machine.tools:
            self._pip("install", "-q", *self.machine.tools)

    def _words(self) -> List[str]:
        """README's commands, in a copy of the checkout as a fresh clone has it; the log of them."""
        log: List[str] = []
        with tempfile.TemporaryDirectory() as folder:
            _clone(Path(folder))
            for words in self.machine.words[1:]:
                log.append(f"$ {words}")
                # pycuda is compiled against CUDA, which no machine that runs this has
                command = words.replace("'.[tensorrt]'", "'.[video]'").replace(
                    ".venv/bin/pip", f"'{self.python}' -m pip"
                )
                log += _told(self._run(["sh", "-ec", command], cwd=folder))
        return log[:LOG_LINES]

    def _frozen(self) -> Path:
        """Versions that what the tests want must not change."""
        listed = self._pip("list", "--format=freeze").splitlines()
        keep = [line for line in listed if re.match(r"(av=|numpy|opencv|onnx|rich|openvino)", line)]
        path = self.folder / "constraints.txt"
        path.write_text("\n".join(keep) + "\n", encoding="utf-8")
        return path

    def _core(self) -> None:
        """The compiled core beside the checkout's code, which the tests run; every Python has a file of its own."""
        built = next((self.folder / ".venv").glob("lib/python3*/site-packages/edge_runtime/native/_core.*.so"))
        new = ROOT / "edge_runtime" / "native" / f".{built.name}.new"
        shutil.copy(built, new)
        os.replace(new, ROOT / "edge_runtime" / "native" / built.name)

    def _pip(self, *arguments: str) -> str:
        return self._run([str(self.python), "-m", "pip", *arguments])

    def _run(self, command: Sequence[str], cwd: Optional[str] = None) -> str:
        environ = {**self.environ(), "PYTHONPATH": ""}
        done = subprocess.run(
            list(command), cwd=cwd, env=environ, capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            raise RowError(f"{' '.join(command)!r} failed: {_reason(done.stderr)}")
        return done.stdout


def interpreter(version: str) -> str:
    """A Python of that version, from pyenv or PATH.

    Raises:
        NoInterpreter: there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    found += [path for path in [shutil.which(f"python{version}")] if path]
    for python in found:
        if subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return python
    raise NoInterpreter(f"there is no Python {version} with venv here")


def _clone(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _key(machine: Machine) -> str:
    """Changes where the environment has to be made anew."""
    digest = hashlib.sha256(repr((machine, TESTS)).encode())
    for name in CORE:
        files = sorted((ROOT / name).rglob("*")) if (ROOT / name).is_dir() else [ROOT / name]
        for path in files:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _told(output: str) -> List[str]:
    """What pip did, without what it looked at; `Successfully installed` is cut to a readable length."""
    lines = [line.strip() for line in output.splitlines() if re.match(r"\s*Successfully (built|installed)", line)]
    return [line if len(line) <= 400 else f"{line[:400]} ..." for line in lines]


def _reason(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line.strip()] or ["no reason given"]
    return next((line for line in lines if line.startswith("ERROR: ")), lines[-1]).strip()
