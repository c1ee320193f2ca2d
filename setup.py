"""Builds the native core edge_runtime.native._core, and packs a model; everything else is in pyproject.toml."""

import platform
import sys
from glob import glob
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup
from setuptools.command.build_py import build_py

MODEL = "engines/yolo_nano_voc_int8.onnx"

SET = {"x86_64": "x86", "aarch64": "neon", "arm64": "neon"}.get(platform.machine())
BY_MACHINE = [f"letterbox_{SET}", f"letterbox_yuv_{SET}"] if SET else []
SOURCES = [
    "assign", "bindings", "bindings_device", "bindings_pictures", "bindings_track", "decoder", "driver", "histogram",
    "letterbox", "letterbox_yuv", "loops", "scan", "slot", "track", *BY_MACHINE,
]  # fmt: skip

# No -march: the wider instruction sets are chosen at run time. No contraction: every version must give the same bits.
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra"]


class BuildWithModel(build_py):
    """A wheel carries the small model, so that the demo and the README's commands run in any folder."""

    def run(self) -> None:
        """Copies it into the package that is built; an editable install finds it in the checkout."""
        super().run()
        if not getattr(self, "editable_mode", False):
            target = Path(self.build_lib, "edge_runtime", MODEL)
            self.mkpath(str(target.parent))
            self.copy_file(MODEL, str(target))


ParallelCompile("EDGE_BUILD_JOBS", default=0).install()
setup(
    license="Apache-2.0",
    cmdclass={"build_py": BuildWithModel},
    ext_modules=[
        Pybind11Extension(
            "edge_runtime.native._core",
            [f"edge_runtime/native/csrc/{name}.cpp" for name in SOURCES],
            depends=sorted(glob("edge_runtime/native/csrc/*.h")),
            cxx_std=17,
            libraries=["dl"] if sys.platform == "linux" else [],  # of the C library itself since glibc 2.34
            extra_compile_args=FLAGS,
        )
    ],
)
