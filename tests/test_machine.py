"""The cores that a process may use: its affinity, and the limits of its control groups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

import pytest

from edge_runtime import machine

V1 = "sys/fs/cgroup/cpu,cpuacct"
TREES: Dict[str, Dict[str, str]] = {
    "version 2 in a container": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"},
    "version 2, the limit is further up": {
        "proc/self/cgroup": "0::/user.slice/a.scope\n",
        "sys/fs/cgroup/user.slice/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/user.slice/a.scope/cpu.max": "max 100000\n",
    },
    "version 1": {
        "proc/self/cgroup": "4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n",
        f"{V1}/docker/1/cpu.cfs_quota_us": "200000\n",
        f"{V1}/docker/1/cpu.cfs_period_us": "100000\n",
    },
    "version 1, mounted at the top": {
        "proc/self/cgroup": "3:cpu,cpuacct:/docker/1\n",
        f"{V1}/cpu.cfs_quota_us": "120000\n",
        f"{V1}/cpu.cfs_period_us": "100000\n",
    },
    "both versions": {
        "proc/self/cgroup": "1:name=systemd:/\n3:cpu:/\n0::/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/unified/cpu.max": "200000 100000\n",
    },
}
OPEN: Dict[str, Dict[str, str]] = {
    "not Linux": {},
    "version 2": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
    "version 1": {"proc/self/cgroup": "3:cpu,cpuacct:/\n", f"{V1}/cpu.cfs_quota_us": "-1\n"},
    "another controller": {"proc/self/cgroup": "3:cpuset:/\n", "sys/fs/cgroup/cpuset/cpu.max": "1 1\n"},
    "no period": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"},
    "garbage": {"proc/self/cgroup": "0::/\nnothing\n", "sys/fs/cgroup/cpu.max": "a b c\n"},
}


def lay(root: Path, files: Dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.parametrize("tree", TREES)
def test_a_limit_of_cpu_time_counts_rounded_up(tree: str, tmp_path: Path) -> None:
    assert machine.cores(lay(tmp_path, TREES[tree])) == 2


@pytest.mark.parametrize("tree", OPEN)
def test_without_a_limit_it_is_the_affinity(tree: str, tmp_path: Path) -> None:
    assert machine.cores(lay(tmp_path, OPEN[tree])) == 8


def test_a_limit_below_one_core_is_one_and_one_above_the_affinity_is_none(tmp_path: Path) -> None:
    group = {"proc/self/cgroup": "0::/\n"}
    assert machine.cores(lay(tmp_path, {**group, "sys/fs/cgroup/cpu.max": "5000 100000"})) == 1
    assert machine.cores(lay(tmp_path, {**group, "sys/fs/cgroup/cpu.max": "6400000 100000"})) == 8


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (3, 2), (8, 7)])
def test_one_core_is_left_from_three_on(cores: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: cores)
    assert machine.usual_threads() == threads


def test_a_processor_has_a_name(tmp_path: Path) -> None:
    arm = "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd42\n\n" * 2
    assert machine.cpu_name(lay(tmp_path / "arm", {"proc/cpuinfo": arm})) == "0x41, 0xd42"
    intel = {"proc/cpuinfo": "processor : 0\nmodel name\t: Xeon  \nprocessor : 1\nmodel name\t: Xeon\n"}
    assert machine.cpu_name(lay(tmp_path / "x86", intel)) == "Xeon"
    assert machine.cpu_name(tmp_path / "other")
