"""Pruning of single weights in rounds: the smallest go, or those whose gates close; the rest goes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import toy_detector

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import continuous  # noqa: E402
import magnitude  # noqa: E402
import masks  # noqa: E402

from edge_runtime.errors import EdgeError  # noqa: E402


@pytest.mark.parametrize("scope", ["local", "global"])
def test_magnitude_takes_the_smallest_and_rewinds_the_rest(flags, tmp_path, scope):
    given = flags("--out", tmp_path, "--steps", 3, "--rounds", 2, "--rewind", 1, "--share", 0.5, "--scope", scope)
    run = magnitude.Magnitude(magnitude.parser().parse_args(given))
    trained = {name: conv.weight.detach().clone() for name, conv in masks.prunable(run.net).items()}
    run.start.weights = {name: value + 1 for name, value in run.net.state_dict().items()}
    run.next_round()
    for name, conv in masks.prunable(run.net).items():
        gone = conv.weight == 0
        torch.testing.assert_close(conv.weight[~gone], (trained[name] + 1)[~gone])
        if scope == "local":
            assert int(gone.sum()) == round(0.5 * gone.numel())
        assert trained[name].abs()[gone].max() <= trained[name].abs()[~gone].min() or scope == "global"
    left, count = masks.counted(run.net)
    assert abs(left - count / 2) <= len(trained) and run.state["round"] == 1
    if scope == "global":
        sizes = torch.cat([value.abs().flatten() for value in trained.values()])
        gone = torch.cat([(conv.weight == 0).flatten() for conv in masks.prunable(run.net).values()])
        assert sizes[gone].max() <= sizes[~gone].min()


def test_two_of_four_keeps_the_larger_ones_and_what_fills_no_four():
    weight = torch.tensor([[1.0, -4, 2, 3, 0.1, 9], [5, 5, 5, 5, 0, 0]]).reshape(2, 6, 1, 1)
    mask = masks.two_of_four(weight).reshape(2, 6)
    assert mask[0].tolist() == [0, 1, 0, 1, 1, 1] and int(mask[1, :4].sum()) == 2 and mask[1, 4:].tolist() == [1, 1]
    assert bool(masks.two_of_four(torch.ones(3, 1, 3, 3)).all()), "depthwise"


def test_a_validation_measures_the_statistics_and_puts_them_back(flags, tmp_path):
    run = magnitude.Magnitude(magnitude.parser().parse_args(flags("--out", tmp_path, "--steps", 2, "--rounds", 1)))
    before = {name: value.clone() for name, value in run.ema.state_dict().items()}
    drawn = run.batches.random.get_state()
    with run.judged():
        within = run.ema.state_dict()
        changed = {name.rpartition(".")[2] for name, value in within.items() if not torch.equal(value, before[name])}
    assert {"running_mean", "running_var"} <= changed <= {"running_mean", "running_var", "num_batches_tracked"}
    assert all(torch.equal(value, before[name]) for name, value in run.ema.state_dict().items())
    assert torch.equal(run.batches.random.get_state(), drawn), "a run that was killed draws the same pictures"


def test_two_of_four_is_pruned_once(flags, tmp_path):
    given = flags("--out", tmp_path, "--steps", 1, "--rounds", 5, "--scope", "2:4")
    run = magnitude.Magnitude(magnitude.parser().parse_args(given))
    run.train()
    left, count = masks.counted(run.net)
    assert run.state["round"] == 1 and 0.5 <= left / count < 0.7


def test_magnitude_counts_what_is_left_and_leaves_the_heads(flags, tmp_path):
    given = flags("--out", tmp_path, "--steps", 2, "--rounds", 2, "--share", 0.5)
    run = magnitude.Magnitude(magnitude.parser().parse_args(given))
    run.train()
    model = onnx.load(tmp_path / "model.onnx")
    facts = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "pruned"))
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    names = [f"{layer.name}.weight" for layer in toy_detector.build().layers if layer.op == "conv"]
    inner = [tensors[name] for name in names if not name.startswith("head")]
    assert facts["weights_left"] == sum(int(np.count_nonzero(value)) for value in inner)
    assert facts["weights"] == sum(value.size for value in inner) and facts["method"] == "magnitude"
    assert 0.2 < facts["weights_left"] / facts["weights"] < 0.3
    assert all(np.count_nonzero(tensors[f"head{k}.weight"]) == tensors[f"head{k}.weight"].size for k in range(3))


@pytest.mark.parametrize(
    "more", [["--rewind", 3], ["--rounds", 0], ["--share", 1.5]], ids=["rewind", "rounds", "share"]
)
def test_magnitude_refuses_what_makes_no_sense(flags, tmp_path, more):
    with pytest.raises(EdgeError):
        magnitude.Magnitude(magnitude.parser().parse_args(flags("--out", tmp_path, "--steps", 3, *more)))


def gated(flags, out: Path, *more: Any) -> continuous.Continuous:
    return continuous.Continuous(continuous.parser().parse_args(flags("--out", out, "--rounds", 1, *more)))


def test_the_file_of_continuous_sparsification_has_the_scale_of_its_gates(flags, tmp_path):
    run = gated(flags, tmp_path, "--steps", 2, "--gate", -0.1)
    conv, plain = masks.prunable(run.ema)["stem"], masks.prunable(run.ema)["stem"].parametrizations.weight.original
    gate = conv.parametrizations.weight[0]
    gate.soft.data.copy_(torch.linspace(-1, 1, gate.soft.numel()).view_as(gate.soft))
    exported = torch.from_numpy(run.ema.table_weights()["stem.weight"])
    assert float(gate.scale) == pytest.approx(2.105, abs=1e-3)
    torch.testing.assert_close(exported, plain.detach() * 2.10517 * (gate.soft > 0), rtol=1e-5, atol=1e-6)
    run.export(0.0)
    model = onnx.load(tmp_path / "model.onnx")
    image = torch.rand(1, 3, 64, 64)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"images": image.numpy()})
    with torch.no_grad():
        for one, other in zip(run.ema(image), found):
            torch.testing.assert_close(torch.from_numpy(other), one, rtol=1e-3, atol=1e-3)


def test_gates_sharpen_close_and_start_again(flags, tmp_path):
    run = gated(flags, tmp_path, "--steps", 4, "--rounds", 2, "--first", 0.5, "--last", 8)
    gate = masks.prunable(run.net)["stem"].parametrizations.weight[0]
    assert float(gate.sharpness) == 0.5
    run.state["steps"] = 1
    run.stepped()
    assert float(gate.sharpness) == pytest.approx(0.5 * 16**0.5)
    gate.soft.data.fill_(0.7)
    gate.soft.data[0] = -0.3
    run.next_round()
    assert torch.allclose(gate.soft[1:], torch.tensor(-0.1)) and torch.allclose(gate.soft[0], torch.tensor(-2.4))
    assert float(gate.sharpness) == 0.5 and run.state["steps"] == 0


def test_a_higher_penalty_leaves_fewer_weights(flags, tmp_path):
    left = []
    for penalty in (0.0, 1.0):
        more = ["--steps", 12, "--penalty", penalty, "--lr", 0.02, "--gate", 0.05]
        run = gated(flags, tmp_path / str(penalty), *more)
        run.train()
        left.append(masks.counted(run.net.eval())[0])
    assert left[1] < 0.5 * left[0]
