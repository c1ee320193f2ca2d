"""Builds the native core edge_runtime.native._core; everything else is in pyproject.toml."""

import platform
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

BY_MACHINE = {"x86_64": ["letterbox_x86"], "aarch64": ["letterbox_neon"], "arm64": ["letterbox_neon"]}
SOURCES = ["bindings", "decoder", "histogram", "letterbox", "loops", "scan", *BY_MACHINE.get(platform.machine(), [])]

# No -march: the wider instruction sets are chosen at run time. No contraction: every version must give the same bits.
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra"]

ParallelCompile("EDGE_BUILD_JOBS", default=0).install()
setup(
    license="Apache-2.0",
    ext_modules=[
        Pybind11Extension(
            "edge_runtime.native._core",
            [f"edge_runtime/native/csrc/{name}.cpp" for name in SOURCES],
            depends=sorted(glob("edge_runtime/native/csrc/*.h")),
            cxx_std=17,
            extra_compile_args=FLAGS,
        )
    ],
)
