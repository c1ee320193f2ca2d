"""The bodies that host and device share are compiled for the device, where its compiler is here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import edge_runtime

NVCC = shutil.which("nvcc")
CSRC = Path(edge_runtime.__file__).parent / "csrc"

# Unused inline functions produce no code: a kernel has to call them.
KERNEL = """
#include "decode.h"
#include "letterbox.h"
#include "nms.h"

__global__ void bodies(edge::Rule rule, edge::Level level, const float* tensor, edge::Box* box, float* score) {
  const int cell = threadIdx.x;
  box[cell] = edge::decode_box(rule, level, tensor, 0, cell);
  score[cell] = edge::class_score(rule, tensor[cell], edge::softmax(tensor, 1, 4), edge::objectness_score(rule, 1.0f));
  const float area = edge::area(box[cell]);
  const float kept = edge::key_score(edge::candidate_key(area, cell));
  if (edge::overlaps(box[0], 1.0f, box[cell], area, 0.45f)) score[cell] = kept;
}

__global__ void pixel(const uint8_t* image, float* out, int size, int source) {
  const edge::Tap tap = edge::tap(threadIdx.x, size, source);
  const int row = edge::blend(image[tap.index], image[tap.index + 1], edge::vertical_weight(tap.rest, size));
  const int sum = edge::mix(row, row, 16384, edge::horizontal_weight(tap.rest, size));
  out[threadIdx.x] = edge::normalise(sum, edge::scale_of(255.0f), edge::bias_of(0.0f, 255.0f));
}
"""


@pytest.mark.skipif(NVCC is None, reason="needs nvcc")
def test_the_shared_bodies_compile_to_ptx(tmp_path: Path) -> None:
    source, ptx = tmp_path / "bodies.cu", tmp_path / "bodies.ptx"
    source.write_text(KERNEL)
    flags = ["-std=c++17", "-ptx", "--Werror", "all-warnings", "-I", str(CSRC)]
    done = subprocess.run([str(NVCC), *flags, "-o", str(ptx), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = ptx.read_text()
    assert text.count(".entry") == 2 and "ex2.approx" in text  # the exponentials of the decoder are in it
