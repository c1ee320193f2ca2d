"""A board recorded as one file: everything that is read of it, nothing that says whose it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from standins import nvpmodel as standin

from edge_runtime.cli import doctor, power
from edge_runtime.errors import UsageError
from edge_runtime.jetson import board, hold, layout, nvpmodel, private, record
from edge_runtime.jetson.hold import HeldMode
from edge_runtime.jetson.probe import Probe

REPOSITORY = Path(__file__).resolve().parents[2]
OPENED = """
import contextlib, io, os, sys
from pathlib import Path
root, seen = os.path.realpath(sys.argv[1]), set()
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.realpath(arguments[0])
        if path.startswith(root + "/") and os.path.exists(path):
            seen.add(os.path.relpath(path, root))
sys.addaudithook(hook)
from edge_runtime.gpu import passport
from edge_runtime.build import memory
from edge_runtime.cli import doctor, power
doctor.doctor.ALL = [look for look in doctor.doctor.ALL if look.__module__.endswith((".machine", ".cameras"))]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    power.main(["--sysroot", root])
    doctor.main(["--json", "--sysroot", root])
passport.this_platform(Path(root)), memory.look(Path(root))
print("\\n".join(seen))
"""


def boards(shared: Path):
    return sorted(path.stem for path in (shared / "fixtures/jetson").glob("*.json"))


def said(capsys, main: Callable[..., int], root: Path) -> Dict[str, Any]:
    main(["--json", "--sysroot", str(root)])
    return json.loads(capsys.readouterr().out)


def written(tmp_path: Path, tree: Dict[str, Any]) -> Path:
    path = tmp_path / "board.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def test_commands_say_the_same_of_every_board_and_its_record(shared, board_tree, tmp_path, capsys, monkeypatch):
    """Not the doctor's libraries, which are of this machine and take their time: its looks at the board."""
    looks = [check for check in doctor.doctor.ALL if check.__module__.endswith((".machine", ".cameras"))]
    monkeypatch.setattr(doctor.doctor, "ALL", tuple(looks))
    names = boards(shared)
    assert len(names) >= 17
    for name in names:
        root = board_tree(name)
        (tmp_path / name / "dev").mkdir(exist_ok=True)
        file = written(tmp_path, record.record(root))
        for main in (power.main, doctor.main):
            assert said(capsys, main, file) == said(capsys, main, root), name
        assert Probe(layout.laid_out(str(file))).read() == Probe(root).read()
        layout.laid_out.cache_clear()


def test_whatever_a_command_opens_is_recorded(shared, board_tree):
    """Held against the system's own count of opened files, so that a new reader cannot be forgotten."""
    for name in ("orin-nano_l4t36", "agx-xavier_l4t32", "agx-thor_l4t38", "x86-rapl"):
        root = board_tree(name)
        done = subprocess.run(
            [sys.executable, "-c", OPENED, str(root)], capture_output=True, encoding="utf-8", check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        opened = {line for line in done.stdout.splitlines() if line}
        assert len(opened) > 5 and opened <= set(record.record(root)["files"]), name


def test_a_dry_switch_to_every_mode_is_the_same(board_tree, tmp_path):
    for name in ("agx-xavier_l4t35", "agx-thor_l4t38", "orin-nx_l4t35"):
        root = board_tree(name)
        copy = layout.laid_out(str(written(tmp_path, record.record(root))))
        conf = nvpmodel.load_conf(root)
        assert nvpmodel.load_conf(copy) == conf
        for mode in conf.modes:
            assert nvpmodel.reboot_reason(copy, conf, mode) == nvpmodel.reboot_reason(root, conf, mode)
            lives = [conf.live(at, setting) is not None for setting in mode.settings for at in (root, copy)]
            assert lives[::2] == lives[1::2]
        layout.laid_out.cache_clear()


def test_the_programs_of_a_board_are_asked_and_only_asked(live_board):
    root = live_board("orin-nano_l4t36")
    before = {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path.name != "calls"}
    tree = record.record(root)
    after = {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path.name != "calls"}
    assert before == after and standin.calls(root) == ["-q"]
    assert "NV Power Mode: MAXN_SUPER" in tree["commands"]["nvpmodel_-q.txt"]
    assert tree["programs"] == ["usr/sbin/nvpmodel", "usr/bin/jetson_clocks"]


def test_a_tegrastats_that_was_there_answers_again(board_tree, tmp_path, capsys):
    root = board_tree("orin-nano_l4t36")
    program = root / "usr/bin/tegrastats"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\nwhile true; do echo 'RAM 1/2MB VDD_IN 4654mW/4654mW'; sleep 0.1; done\n", encoding="utf-8"
    )
    program.chmod(0o755)
    file = written(tmp_path, record.record(root))
    again = said(capsys, lambda arguments: power.main([*arguments, "--meter", "tegrastats"]), file)
    assert again["meter"] == "tegrastats" and again["total_w"] == 4.654


PRIVATE = {
    "proc/device-tree/serial-number": "1421021099887\0",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "marys-jetson\n",
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nmary:x:1000:1000:Mary Smith:/home/mary:/bin/bash\n",
    "sys/class/net/eth0/address": "48:b0:2d:12:34:56\n",
    "sys/class/video4linux/video0/name": "marys-jetson cam of mary 48:b0:2d:12:34:56 192.168.1.2 fe80::1 /home/mary\n",
    "dev/video0": "",
    "proc/cmdline": "root=/dev/mmcblk0p1 nv_boot_mac=48b02d123456\n",
    "proc/cpuinfo": "processor : 0\nCPU part : 0xd42\nSerial : 1421021099887\n\nprocessor : 1\n",
    "var/lib/dpkg/status": "Package: nvidia-l4t-core\nMaintainer: Mary <mary@example.org>\nVersion: 36.4.3-1\n\n"
    "Package: marys-package\nVersion: 1\n",
}  # fmt: skip
WORDS = (
    "1421021099887",
    "0123456789abcdef",
    "mary",
    "Mary",
    "48:b0",
    "48b02d",
    "192.168",
    "fe80",
    "Smith",
    "example.org",
)


def test_nothing_says_whose_board_it_is(board_tree):
    root = board_tree("orin-nano_l4t36")
    for path, text in PRIVATE.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    conf = root / "etc/nvpmodel/nvpmodel_p3767_0003_super.conf"
    conf.write_text(
        f"# by Mary Smith, 10.0.0.7\n{conf.read_text(encoding='utf-8')}# mary@marys-jetson\n", encoding="utf-8"
    )
    text = json.dumps(record.record(root))
    assert [word for word in WORDS if word in text] == []
    assert "36.4.3-1" in text and "cam of" in text and "0xd42" in text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at 10.3.0.30:8554", "at <address>:8554"),
        ("TensorRT 10.3.0.30 and tensorrt_rtx 1.7.1.116 on 5.15.148-tegra", None),
        ("not 999.1.1.1, nor 1.2.3, nor v1.2.3.4", None),
        ("2001:db8::ff00:42:8329, ::1", "<address>, <address>"),
        ("nvinfer1::rt::Cask at 12:30:45, usb-0000:01:00.0-1, Name::", None),
        ("00-1B-44-11-3A-B7 00:1b:44:11:3a:b7", "<address> <address>"),
        ("00:1b:44:11:3a and 00:1b:44:11:3a:b7:00", None),
    ],
)
def test_addresses(text, clean):
    assert private.without_addresses(text) == (text if clean is None else clean)


def test_a_name_that_every_board_has_tells_nothing(board_tree):
    root = board_tree("orin-nano_l4t36")
    (root / "etc/hostname").write_text("nvidia\n", encoding="utf-8")
    (root / "etc/passwd").write_text("jetson:x:1000:\nada:x:1001:\ndaemon:x:1:\n", encoding="utf-8")
    text = "NVIDIA nvidia,tegra234 jetson ada adapter daemon /home/jetson/x"
    assert private.without_names(text, root) == "NVIDIA nvidia,tegra234 jetson <name> adapter daemon /home/<name>/x"


def test_what_cannot_be_read_stays_so(board_tree, tmp_path, monkeypatch):
    root, opened = board_tree("orin-nano_l4t36"), Path.open

    def refuse(path, *arguments, **more):
        if path.name == "curr1_input":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", refuse)
    tree = record.record(root)
    ((path, error),) = tree["read_errors"].items()
    assert path.endswith("/curr1_input") and error == "EACCES" and path not in tree["files"]
    monkeypatch.undo()
    copy = layout.laid_out(str(written(tmp_path, tree)))
    assert (copy / path).stat().st_mode & 0o777 == 0 and board.number(copy / path) is None


def test_a_mode_that_is_held_now_is_not_left_behind(board_tree):
    root = board_tree("agx-xavier_l4t35")
    state = root / hold.STATE
    state.parent.mkdir(parents=True, exist_ok=True)
    mine = {"before": 0, "mode": "MODE_15W", "clocks": False, "pid": os.getpid()}
    state.write_text(
        json.dumps({**mine, "started": hold._started(os.getpid()), "boot": hold._boot()}), encoding="utf-8"
    )
    assert record.record(root)["files"][hold.STATE] == ""
    state.write_text(json.dumps({**mine, "started": "1", "boot": "a-b-c"}), encoding="utf-8")
    kept = json.loads(record.record(root)["files"][hold.STATE])
    assert "a-b-c" not in kept.values() and not HeldMode(**kept).alive


def test_links_are_recorded_relative_and_circles_end(tmp_path):
    (tmp_path / "etc/nvpmodel").mkdir(parents=True)
    (tmp_path / "etc/nvpmodel/a.conf").write_text("< POWER_MODEL ID=0 NAME=X >\n", encoding="utf-8")
    (tmp_path / "etc/nvpmodel.conf").symlink_to("/etc/nvpmodel/a.conf")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").symlink_to("meminfo")
    tree = record.record(tmp_path)
    assert tree["links"]["etc/nvpmodel.conf"] == "nvpmodel/a.conf" and "etc/nvpmodel/a.conf" in tree["files"]
    assert "proc/meminfo" not in tree["files"]


@pytest.mark.parametrize(
    "tree",
    [
        {"files": {"../x": ""}, "links": {}},
        {"files": {"/x": ""}, "links": {}},
        {"files": {}, "links": {"a": "../../etc"}},
        {"files": {}, "links": {"a": "/etc"}},
        {"files": {"q/f": ""}, "links": {"x/y/z/w": "../../../q", "e": "x/y/z/w/../../../../etc"}},
        {"files": 3, "links": {}},
        {"steps": []},
        [],
    ],
)
def test_a_file_that_is_no_record_or_leads_out_is_refused(tmp_path, tree, capsys):
    with pytest.raises(UsageError, match="no record of a board"):
        layout.laid_out(str(written(tmp_path, tree)))
    with pytest.raises(SystemExit) as caught:
        power.main(["--sysroot", str(tmp_path / "board.json")])
    assert caught.value.code == 2 and "no record of a board" in capsys.readouterr().err


def test_nothing_of_a_record_can_be_run(tmp_path):
    files = {"usr/bin/tegrastats": "#!/bin/sh\ntouch /tmp/x\n", "usr/sbin/nvpmodel": "#!/bin/sh\n"}
    said = {"commands": {"tegrastats.txt": "'; touch /tmp/x; '"}, "programs": ["usr/bin/tegrastats"]}
    evil = {"files": files, "links": {}, **said}
    root = layout.laid_out(str(written(tmp_path, evil)))
    assert (root / "usr/bin/tegrastats").read_text(encoding="utf-8") == layout.SAYS
    assert not os.access(root / "usr/sbin/nvpmodel", os.X_OK)


def test_the_environment_may_name_a_record(board_tree, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EDGE_SYSROOT", str(written(tmp_path, record.record(board_tree("agx-orin_l4t35")))))
    assert power.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["l4t"] == "35.4.1"


def test_a_board_where_only_root_may_look_is_read_all_the_same():
    """debugfs is root's alone on every board; asking whether a file is in there raises for others."""
    code = (
        "import os, sys; from pathlib import Path; from edge_runtime.jetson import probe, record;"
        "os.geteuid() or os.seteuid(65534); root = Path(sys.argv[1]);"
        "print(probe.Probe(root).read(), record.record(root))"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        closed = Path(folder, "sys/kernel/debug")
        (closed / "bpmp").mkdir(parents=True)
        closed.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        closed.chmod(0o755)
    assert done.returncode == 0 and "EACCES" in done.stdout, done.stderr
