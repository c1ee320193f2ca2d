"""tools/setup.sh, by tools/demo.sh, on machines that lack this and that."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest
from tools.bare_machine import BARE, READY, TIMEOUT_S, Machine

pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="needs bash and util-linux")
LINE = "sudo apt-get update && sudo apt-get install -y"


def installs(machine: Machine) -> int:
    return len(machine.calls("python -m pip install"))


def test_anyone_is_told_one_line_for_all(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE)
    told = machine.run("demo.sh")
    assert (told.code, told.error) == (1, "not installed: python3-venv python3-dev g++")
    assert told.hint == f"{LINE} python3-venv python3-dev g++"
    assert not machine.calls("apt-get")


@pytest.mark.parametrize("there", ["python3-venv", "python3-dev", "g++"])
def test_only_what_is_missing_is_named(tmp_path: Path, there: str) -> None:
    rest = [name for name in ("python3-venv", "python3-dev", "g++") if name != there]
    assert Machine(tmp_path, [*BARE, there]).run("demo.sh").hint == f"{LINE} {' '.join(rest)}"


def test_without_sudo(tmp_path: Path) -> None:
    told = Machine(tmp_path, [name for name in BARE if name != "sudo"]).run("demo.sh")
    assert told.hint == "su -c 'apt-get update && apt-get install -y python3-venv python3-dev g++'"


def test_without_apt(tmp_path: Path) -> None:
    told = Machine(tmp_path, [name for name in BARE if name != "apt-get"], uid=0).run("demo.sh")
    assert told.error == "not installed: python3-venv python3-dev g++" and "this system's own tool" in str(told.hint)


@pytest.mark.parametrize("packages", [BARE, [name for name in BARE if name != "python3"]], ids=["bare", "no-python"])
def test_root_gets_all_by_one_call(tmp_path: Path, packages: list) -> None:
    machine = Machine(tmp_path, packages, uid=0)
    done = machine.run("demo.sh", "--conf", "0.5")
    assert done.code == 0, done.err
    (call,) = [call for call in machine.calls("apt-get") if " install " in call]
    names = call.split(" install ")[1]
    assert names == " ".join([*(["python3"] if packages != BARE else []), "python3-venv python3-dev g++"])
    assert machine.calls("edge-detect")[0].endswith("--conf 0.5")
    assert (machine.checkout / ".venv" / "pyvenv.cfg").exists()


def test_a_second_run_installs_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, uid=0)
    machine.run("demo.sh")
    again = machine.run("demo.sh")
    assert again.code == 0 and not machine.calls("apt-get") and installs(machine) == 0
    assert machine.calls("edge-detect")


def test_changed_sources_are_installed_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, READY)
    machine.run("demo.sh")
    with (machine.checkout / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    machine.run("demo.sh")
    assert installs(machine) > 0


@pytest.mark.parametrize("at", ["*-m venv*", "*-U pip*", "*-e .*"])
def test_what_was_interrupted_goes_on(tmp_path: Path, at: str) -> None:
    machine = Machine(tmp_path, READY)
    machine.write("breaks", f"{at}|1|it broke")
    broken = machine.run("demo.sh")
    assert broken.code == 1 and "it broke" in broken.err and broken.error and broken.hint
    assert machine.run("demo.sh").code == 0 and machine.calls("edge-detect")


def test_half_an_environment_is_made_anew(tmp_path: Path) -> None:
    machine = Machine(tmp_path, READY)
    machine.run("demo.sh")
    (machine.checkout / ".venv/bin/pip").unlink()
    assert machine.run("demo.sh").code == 0
    assert machine.calls("python3 -m venv") and installs(machine) > 0


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        ("g++: fatal error: Killed signal terminated program cc1plus", "swap"),
        ("OSError: [Errno 28] No space left on device", "df -h"),
        ("certificate verify failed: certificate is not yet valid", "clock"),
        ("Temporary failure in name resolution", "network"),
        ("something else", "the lines above say why"),
    ],
)
def test_ways_out(tmp_path: Path, words: str, way_out: str) -> None:
    machine = Machine(tmp_path, READY)
    machine.write("breaks", f"*-e .*|1|{words}")
    broken = machine.run("demo.sh")
    assert words in broken.err and broken.error == "pip cannot install .[cpu]" and way_out in str(broken.hint)


def test_killed_for_memory(tmp_path: Path) -> None:
    machine = Machine(tmp_path, READY)
    machine.write("breaks", "*-e .*|137|")
    assert "swap" in str(machine.run("demo.sh").hint)


def test_a_package_that_the_system_has_not(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, uid=0)
    machine.write("breaks", "apt-get*install*|100|E: Unable to locate package python3-venv")
    broken = machine.run("demo.sh")
    assert broken.error == "apt-get cannot install python3-venv python3-dev g++" and "PYTHON=" in str(broken.hint)


def test_an_old_python_with_a_newer_one_beside_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [*READY, "python3.8", "python3.8-venv", "python3.8-dev"], version="3.6")
    assert machine.run("demo.sh").code == 0
    assert machine.calls("python3.8 -m venv") and not machine.calls("python3 -m venv")


def test_an_old_python_alone(tmp_path: Path) -> None:
    told = Machine(tmp_path, READY, version="3.6").run("demo.sh")
    assert told.hint == f"{LINE} python3.8 python3.8-venv python3.8-dev"


def test_a_chosen_python(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [*READY, "python3.12", "python3.12-venv"])
    assert machine.run("demo.sh", PYTHON="python3.12").hint == f"{LINE} python3.12-dev"
    machine.write("packages", *READY, "python3.12-venv", "python3.12-dev")
    done = machine.run("demo.sh", PYTHON=str(machine.bin / "python3.12"))
    assert done.code == 0 and (machine.checkout / ".venv-3.12").is_dir() and not (machine.checkout / ".venv").exists()


def test_a_chosen_python_that_is_not_there(tmp_path: Path) -> None:
    machine = Machine(tmp_path, READY)
    assert machine.run("demo.sh", PYTHON="/no/such/python").error == "no /no/such/python here"
    (machine.bin / "snake").symlink_to("/bin/false")
    assert "does not run, or is older than 3.8" in str(machine.run("demo.sh", PYTHON="snake").error)
    assert machine.run("demo.sh", PYTHON="python3.9").hint == f"{LINE} python3.9 python3.9-venv python3.9-dev"


@pytest.mark.parametrize("uid", [0, 1000])
def test_packages_that_this_python_does_not_see(tmp_path: Path, uid: int) -> None:
    machine = Machine(tmp_path, READY, uid=uid)
    machine.write("blind", "python3-venv", "python3-dev")
    told = machine.run("demo.sh")
    assert told.error == f"{machine.bin}/python3 sees nothing of these packages: python3-venv python3-dev"
    assert "PYTHON=/usr/bin/python3" in str(told.hint) and not machine.calls("apt-get")


def test_another_place(tmp_path: Path) -> None:
    machine = Machine(tmp_path, READY)
    assert machine.run("demo.sh", EDGE_VENV=str(tmp_path / "an edge")).code == 0
    assert (tmp_path / "an edge" / "pyvenv.cfg").exists() and not (machine.checkout / ".venv").exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    machine, home = Machine(tmp_path, READY), tmp_path / "home"
    (home / "lib").mkdir(parents=True)
    (home / "lib" / "mine").touch()
    told = machine.run("demo.sh", EDGE_VENV=str(home))
    assert told.error == f"{home} holds other files" and (home / "lib" / "mine").exists()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """What a killed run has left behind may still be writing into the environment."""
    machine = Machine(tmp_path, READY)
    machine.run("demo.sh")
    lock = str(machine.checkout / ".venv/.lock")
    with subprocess.Popen(["flock", lock, "sh", "-c", "echo && cat"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout and holder.stdout.readline()
        second = machine.start("demo.sh")
        assert second.stdout and second.stdout.readline() == "waiting for another run to end ...\n"
        holder.communicate()
    assert second.communicate(timeout=TIMEOUT_S) and second.returncode == 0


def test_sudo_installs_and_the_caller_owns_the_rest(tmp_path: Path) -> None:
    machine = Machine(tmp_path, BARE, uid=0)
    owner = str(machine.checkout.stat().st_uid) if os.getuid() else "1000"
    os.chown(machine.checkout, int(owner), -1)
    done = machine.run("demo.sh", "--conf", "0.5", SUDO_UID=owner, SUDO_USER="me")
    assert done.code == 0, done.err
    log = machine.calls()
    became = next(i for i, call in enumerate(log) if call.startswith("sudo -EH -u me tools/demo.sh --conf 0.5"))
    assert all(("venv" in call and "-m" in call) <= (i > became) for i, call in enumerate(log))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, as pytest's own are for its user alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def read_only(open_folder: Path) -> Callable[[], Machine]:
    """A machine whose checkout nobody may write to; its scripts are to be run `as_nobody`."""

    def make() -> Machine:
        machine = Machine(open_folder, READY)
        for path in [machine.state, *machine.state.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o777)
        for path in [machine.checkout, *machine.checkout.rglob("*")]:
            path.chmod(0o555)
        (open_folder / "home").mkdir()
        (open_folder / "home").chmod(0o777)
        return machine

    return make


def test_a_checkout_that_cannot_be_written_to(read_only: Callable[[], Machine], open_folder: Path) -> None:
    machine, edge = read_only(), open_folder / "home" / "edge"
    told = machine.run("demo.sh", as_nobody=True)
    assert told.error == f"this checkout cannot be written to: {machine.checkout}"
    assert "EDGE_VENV=" in str(told.hint) and not machine.calls("python3 -m venv")
    done = machine.run("demo.sh", as_nobody=True, EDGE_VENV=str(edge))
    assert done.code == 0, done.err
    assert str(edge / "checkout" / "out" / "demo.mp4") in done.out and (edge / "checkout" / "out").is_dir()
    assert machine.run("demo.sh", as_nobody=True, EDGE_VENV=str(edge)).code == 0 and installs(machine) == 0
