"""The two ways into a head tensor agree: `View`, which the native decoder follows, and `rows`, which numpy reads."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from edge_runtime import heads
from edge_runtime.errors import SpecError
from edge_runtime.heads import _views as views
from edge_runtime.model.spec import ModelIO, ModelSpec

SPEC = ModelSpec("", (96, 64))
A, K = 3, 7


@pytest.mark.parametrize("shape", [(A * K, 4, 6), (4, 6, A * K), (24, A * K), (A, 4, 6, K)], ids=str)
def test_a_view_reads_what_rows_read(shape):
    tensor = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    (m,) = views.maps([shape], SPEC)
    assert m.stride == 16 and m.grid_wh == (6, 4)
    for first in range(K):
        view = m.view(first, K)
        a, i = np.indices((A, 24))
        through = tensor.ravel()[view.offset + a * view.anchor + i * view.cell]
        np.testing.assert_array_equal(through, m.rows([tensor], A)[..., first])
    one, two = m.view(2, K), m.view(3, K)
    assert two.offset - one.offset == one.channel, "channels follow one another"


def test_levels_in_one_tensor_start_where_the_one_before_ends():
    tensor = np.arange(126 * K, dtype=np.float32).reshape(126, K)
    found = views.stacked([tensor.shape], SPEC)
    assert [(m.stride, m.start, m.cells) for m in found] == [(8, 0, 96), (16, 96, 24), (32, 120, 6)]
    for m in found:
        assert m.rows([tensor])[0, 0, 0] == tensor.ravel()[m.view(0).offset]
    np.testing.assert_array_equal(np.concatenate([m.rows([tensor])[0] for m in found]), tensor)


def test_cells_run_row_by_row():
    (m,) = views.maps([(5, 4, 6)], SPEC)
    np.testing.assert_array_equal(m.cell_xy()[[0, 1, 6]], [[0, 0], [1, 0], [0, 1]])


def test_activations_survive_extremes_without_a_warning():
    extreme = np.array([[-1e4, 0, 1e4]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(views.sigmoid(extreme), [[0, 0.5, 1]])
        np.testing.assert_array_equal(views.softmax(extreme), [[0, 0, 1]])
    assert views.sigmoid(extreme).dtype == views.softmax(extreme).dtype == np.float32


def test_own_strides_decide_which_grid_a_map_is():
    (m,) = views.maps([(5, 2, 3)], ModelSpec("", (48, 32), strides=(16,)))
    assert m.stride == 16
    assert not views.maps([(5, 4, 6)], ModelSpec("", (48, 32), strides=(16,)))


def test_torchvision_limits_how_far_a_prior_may_grow():
    deltas, logits = np.full((210, 4), 1e4, np.float32), np.zeros((210, 2), np.float32)
    spec = ModelSpec("ssd", (96, 64), ("face",))
    boxes, _ = heads.load_head("ssd").decode([deltas, logits], spec)
    io = ModelIO("images", (1, 3, 64, 96), {"boxes": (1, 210, 4), "logits": (1, 210, 2)})
    decode = heads.load_head("ssd").describe(io, spec)
    assert decode.max_exponent == pytest.approx(math.log(1000 / 16)) and decode.priors is not None
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], decode.priors[:, 2] * 1000 / 16, rtol=1e-4)


def test_anchors_that_contradict_the_model_are_refused():
    io = ModelIO("images", (1, 3, 64, 96), {"a": (1, 24, 4, 6), "b": (1, 24, 2, 3)})
    for anchors in [(((1, 2),),), (((1, 2),), ((3, 4),)), (((1, 2), (3, 4)), ((5, 6),))]:
        spec = ModelSpec("yolo_v3", (96, 64), ("a", "b", "c"), anchors=anchors)
        with pytest.raises(SpecError) as caught:
            heads.load_head("yolo_v3").describe(io, spec)
        assert caught.value.hint
