"""The end of a network gives what the whole gives, wherever it begins."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.calibrate import runs
from edge_runtime.graph.cut import boundary_tensors, cut_from
from tests.graph.test_quantize import IMAGE, network


@pytest.mark.parametrize("first", range(0, len(network().nodes), 7))
def test_the_tail_gives_the_same_outputs(first):
    whole = network()
    handed = boundary_tensors(whole.model, first, [])
    wanted = list(dict.fromkeys([*handed, *whole.outputs]))
    feed = whole.inputs[0]
    values = dict(zip(wanted, runs.session(whole.model, wanted).run(wanted, {feed: IMAGE})))
    end = cut_from(whole.model, first, {name: values[name] for name in handed})
    assert len(end.graph.node) == len(whole.nodes) - first
    session = runs.session(end, [])
    given = {value.name: {**values, feed: IMAGE}[value.name] for value in session.get_inputs()}
    for output, got in zip(session.get_outputs(), session.run(None, given)):
        np.testing.assert_allclose(got, values[output.name], rtol=1e-4, atol=1e-3)


def test_an_output_made_before_is_handed_over_when_asked_for():
    whole = network()
    maker = next(i for i, node in enumerate(whole.nodes) if whole.outputs[0] in node.output)
    assert whole.outputs[0] in boundary_tensors(whole.model, maker + 1, whole.outputs)
