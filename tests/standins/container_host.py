"""A machine for docker/run.sh: a folder that stands for `/`, and executables that write down how they are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List

from tests.hearing import heed_signals

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30

# Both append one line to `log`. The container takes as long, and ends as the environment says.
DOCKER = """
import json, os, sys, time
log = open(os.environ["LOG"], "a")
print(json.dumps(["docker", *sys.argv[1:]]), file=log, flush=True)
if sys.argv[1] == "run":
    time.sleep(float(os.environ.get("SLEEP_S", 0)))
    if "WRITES" in os.environ:
        open(sys.argv[sys.argv.index("--output") + 1], "w").write("rows")
    sys.exit(int(os.environ.get("CODE", 0)))
"""
HOST = """
import json, os, sys
print(json.dumps(["host", *sys.argv[1:]]), file=open(os.environ["LOG"], "a"))
if sys.argv[1:3] == ["set", "REFUSED"]:
    print("error: REFUSED needs a reboot", file=sys.stderr)
    sys.exit(1)
print("done")
"""


class Machine:
    """A folder that stands for `/`, and run.sh in it."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root, self.log = folder, root, folder / "log"
        self.log.touch()
        self.environment = {
            "DOCKER": executable(folder / "docker", DOCKER), "EDGE_HOST": executable(folder / "host", HOST),
            "EDGE_SYSROOT": str(root), "LOG": str(self.log), "HOME": str(folder), "PATH": os.environ["PATH"],
        }  # fmt: skip

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(REPOSITORY / "docker" / "run.sh"), *arguments], env={**self.environment, **environment},
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
            preexec_fn=heed_signals,
        )  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def calls(self) -> List[List[str]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def steps(self) -> List[str]:
        """What was called, in order: "set 15W", "run", "stop", "restore"."""
        return [" ".join(call[1:3] if call[1] == "set" else call[1:2]) for call in self.calls()]

    def container(self) -> List[str]:
        """How the only container was run."""
        (call,) = (call for call in self.calls() if call[1] == "run")
        return call


def executable(path: Path, code: str) -> str:
    path.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def value(call: List[str], flag: str) -> List[str]:
    return [after for word, after in zip(call, call[1:]) if word == flag]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
