"""Measurements inside a network, held against numpy's on the tensors themselves."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge_runtime.graph import probes
from tests.graph.test_half import SMALL, convs
from tests.graph.test_quantize import run


def test_extremes():
    source = convs(1, 1)
    names = ["images", "a", "b", "y"]
    got = run(probes.with_extremes(source, names), [f"{n}.{end}" for n in names for end in ("most", "least")], SMALL)
    for name, value in {**run(source.model, names[1:], SMALL), "images": SMALL}.items():
        assert (got[f"{name}.most"], got[f"{name}.least"]) == (value.max(), value.min())
    assert [value.name for value in source.model.graph.output] == ["y"], "the network itself is not changed"


@pytest.mark.parametrize(("keep", "worst"), [((), np.inf), (("a", "b", "y"), 1e-2)])
def test_errors_of_each_tensor(keep, worst):
    source, names = convs(1e6, 1e-6), ["a", "b", "y"]
    model = probes.side_by_side(source, names, keep)
    onnx.checker.check_model(model, full_check=True)
    got = run(model, [f"{name}.{what}" for name in names for what in ("power", "error")], SMALL)
    value = run(source.model, ["a"], SMALL)["a"]
    assert got["a.power"] == pytest.approx(np.square(value, dtype=np.float64).sum(), rel=1e-5)
    share = np.nan_to_num(np.sqrt(got["y.error"] / got["y.power"]), nan=np.inf)
    assert share == worst if np.isinf(worst) else share < worst
