"""Which Python docker/run.sh takes on the host for a power mode: JetPack 4 has 3.6, and a container needs none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from standins.container_host import Machine, write

TOOLS = "bash env sed tr cut grep getent dirname id mktemp chmod rm cat mkdir".split()
OLD = "#!/bin/sh\n# answers as Python 3.6 does\ncase $2 in *'(3, 8)'*) exit 1 ;; esac\necho SyntaxError >&2\nexit 1\n"


@pytest.fixture
def nano(orin: Machine) -> Machine:
    """A board of JetPack 4 whose only python3 is 3.6, with nothing else on PATH."""
    write(orin.root / "etc/nv_tegra_release", "# R32 (release), REVISION: 7.1, x\n")
    folder = orin.folder / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or pytest.skip(f"needs {name}"))
    write(folder / "python3", OLD)
    (folder / "python3").chmod(0o755)
    orin.environment.update(PATH=str(folder), EDGE_HOST="")
    return orin


def python_3_6() -> Path:
    """A real one, on PATH or among pyenv's; not one of pyenv's shims, which do not run under another PATH."""
    folders = [*map(Path, os.environ["PATH"].split(os.pathsep)), *(Path.home() / ".pyenv/versions").glob("3.6*/bin")]
    for path in (folder / "python3.6" for folder in folders if (folder / "python3.6").exists()):
        said = subprocess.run(
            [str(path), "-V"], capture_output=True, encoding="utf-8", check=False, env={"PATH": "/nowhere"}
        )
        if said.stdout.startswith("Python 3.6"):
            return path
    return pytest.skip("no Python 3.6 here: pyenv install 3.6.15")


def refused(done: subprocess.CompletedProcess[str], hint: str) -> bool:
    error, line = done.stderr.splitlines()
    return done.returncode == 1 and error.startswith("error: ") and "Python 3.8 or newer" in error and line == hint


def test_a_host_whose_python_is_too_old(nano):
    done = nano.run("--image", "mine:1", "--power-mode", "MAXN", "edge-doctor")
    assert refused(done, "hint: sudo apt install python3.8") and nano.calls() == []
    write(nano.root / "etc/nv_tegra_release", "# R35 (release), REVISION: 6.1, x\n")
    assert refused(nano.run("--power-mode", "15W", "edge-doctor"), "hint: sudo apt install python3.8")


def test_a_host_with_a_real_python_3_6(nano):
    (nano.folder / "bin/python3").unlink()
    (nano.folder / "bin/python3").symlink_to(python_3_6())
    done = nano.run("--image", "mine:1", "--power-mode", "MAXN", "edge-doctor")
    assert refused(done, "hint: sudo apt install python3.8") and nano.calls() == []


def test_a_host_without_any_python(nano):
    (nano.folder / "bin/python3").unlink()
    done = nano.run("--image", "mine:1", "--power-mode", "MAXN", "edge-doctor")
    assert refused(done, "hint: sudo apt install python3.8")
    write(nano.root / "etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, x\n")
    assert refused(nano.run("--power-mode", "15W", "edge-doctor"), "hint: sudo apt install python3")
    assert nano.run("edge-doctor").returncode == 0 and nano.steps() == ["run"]  # needed for a power mode only


def test_a_newer_python_is_found_beside_the_old_one(nano):
    new = nano.folder / "bin/python3.8"
    new.symlink_to(sys.executable)
    done = nano.run("--dry-run", "--image", "mine:1", "--power-mode", "MAXN", "edge-doctor")
    first, _, last = done.stdout.splitlines()
    assert done.returncode == 0 and f"{new} -B -m edge_runtime.cli.jetson set MAXN" in first and f"{new} -B" in last


def test_the_python_that_is_named(nano):
    said = ("--dry-run", "--image", "mine:1", "--power-mode", "MAXN", "edge-doctor")
    assert sys.executable in nano.run(*said, PYTHON=sys.executable).stdout
    (nano.folder / "bin/python3.8").symlink_to(sys.executable)
    done = nano.run(*said, PYTHON=str(nano.folder / "bin/python3"))  # asked for, so that no other takes its place
    assert refused(done, "hint: sudo apt install python3.8") and "bin/python3 is not" in done.stderr


def test_the_found_python_sets_the_mode(nano):
    """No stand-in for the host's command: it starts, and says that this board has no nvpmodel."""
    (nano.folder / "bin/python3.8").symlink_to(sys.executable)
    done = nano.run("--image", "mine:1", "--power-mode", "MAXN", "edge-doctor")
    assert done.returncode == 1 and "nvpmodel" in done.stderr and "Traceback" not in done.stderr
    assert "run" not in nano.steps()


def test_sudo_is_given_the_python_that_was_found(nano):
    """Its PATH is another; and where there is no Python, no password is asked for."""
    folder = nano.folder / "bin"
    for name, said in (("id", "echo 1000"), ("sudo", 'printf "%s\\n" "$@"')):
        (folder / name).unlink(missing_ok=True)
        write(folder / name, f"#!/bin/sh\n{said}\n")
        (folder / name).chmod(0o755)
    here = {"EDGE_SYSROOT": "", "XDG_CACHE_HOME": str(nano.folder / "cache")}
    done = nano.run("--image", "mine:1", "--power-mode", "MAXN", "edge-doctor", **here)
    assert done.returncode == 1 and done.stdout == "" and "Python 3.8 or newer" in done.stderr
    (folder / "python3.9").symlink_to(sys.executable)
    done = nano.run("--image", "mine:1", "--power-mode", "MAXN", "edge-doctor", **here)
    assert f"PYTHON={folder / 'python3.9'}" in done.stdout.splitlines() and nano.calls() == []
