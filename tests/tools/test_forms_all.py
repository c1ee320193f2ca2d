"""Forms of one network as plans: built, or refused by the operator that TensorRT lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_runtime.gpu import trt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import forms_all

pytestmark = pytest.mark.skipif(
    trt.missing() is not None or not trt.is_rtx(trt.library()), reason="needs the TensorRT-RTX wheels: .[rtx]"
)
FORMS = {name: (write, images) for name, write, images in forms_all.forms(Path("nowhere"))}


@pytest.mark.parametrize("name", ["a_branch", "a_branch_that_the_picture_chooses", "a_sparse_constant"])
def test_built(name):
    for precision, row in forms_all.tried(*FORMS[f"tests {name}"], "SM86"):
        kind = "float16" if precision == "fp16" else "int8"
        assert row["ok"] and not row["error"] and row["convolutions"] == {kind: 8}


def test_refused_by_the_name_of_the_operator():
    rows = dict(forms_all.tried(*FORMS["tests indices_that_are_read"], "SM86"))
    assert list(rows) == ["fp16", "int8"]
    for row in rows.values():
        assert row["error"].startswith("TensorRT does not support MaxPool") and row["ok"] and not row["convolutions"]
