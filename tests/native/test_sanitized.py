"""The whole native core under the address and undefined-behaviour sanitizers, every instruction set of this processor.

The tests of the core run once more, in a process of their own over a core that is built here (`sanitized_core.py`).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List

import pytest

from tests.native.kernels import CSRC

pybind11 = pytest.importorskip("pybind11")

ROOT = Path(__file__).resolve().parents[2]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS = [
    "-std=c++17",
    "-O1",
    "-g1",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    *SANITIZERS,
]
ELSEWHERE = {"x86_64": "_neon", "aarch64": "_x86", "arm64": "_x86"}
TESTS = [
    "native/test_letterbox.py", "native/test_pixels.py", "native/test_decoder.py", "native/test_nms.py",
    "native/test_edges.py", "native/test_threads.py", "native/test_device.py", "native/test_tracking.py",
    "calibrate/ranges/test_histogram.py",
]  # fmt: skip


def compiler() -> str:
    return os.environ.get("CXX", "g++")


def library(name: str) -> str:
    """Path of a library of the compiler's own; skips without it."""
    path = subprocess.run(
        [compiler(), f"-print-file-name={name}"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    if not Path(path.strip()).is_file():
        pytest.skip(f"needs {name}, which comes with g++")
    return path.strip()


def sources() -> List[Path]:
    return [
        path for path in sorted(CSRC.glob("*.cpp")) if not path.stem.endswith(ELSEWHERE.get(platform.machine(), "none"))
    ]


def build(folder: Path) -> Path:
    """The extension; its parts are compiled side by side."""
    include = [f"-I{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]

    def compile_one(path: Path) -> str:
        target = str(folder / f"{path.stem}.o")
        subprocess.run([compiler(), *FLAGS, *include, "-c", str(path), "-o", target], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, sources()))
    core = folder / "_core.so"
    subprocess.run([compiler(), "-shared", *SANITIZERS, *objects, "-o", str(core)], check=True)
    return core


@pytest.mark.skipif("EDGE_SANITIZED_CORE" in os.environ, reason="is the outer test")
def test_clean_under_the_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    preload = " ".join(library(name) for name in ("libasan.so", "libstdc++.so"))
    core = build(tmp_path)
    more = {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0", "EDGE_SANITIZED_CORE": str(core)}
    plugins = ["-p", "tests.native.sanitized_core", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "--capture=sys",
        *plugins,
        "--hypothesis-profile=few",
        "--rootdir",
        str(ROOT),
    ]
    done = subprocess.run(
        [*command, *(str(ROOT / "tests" / name) for name in TESTS)],
        env={**os.environ, **more, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert f"core: {core}" in done.stdout and " passed" in done.stdout
