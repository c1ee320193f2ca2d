"""Removing filters: what is worth little goes, the rest is trained, and the file is narrower."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import toy_detector

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import arguments  # noqa: E402
import filters  # noqa: E402
import importance  # noqa: E402
import run as running  # noqa: E402
from channels import Units, conv_macs, widths_in  # noqa: E402
from loss import Loss  # noqa: E402
from torch_net import TorchNet  # noqa: E402


@pytest.mark.parametrize("by", importance.MEASURES)
def test_filters_are_removed_and_the_rest_is_trained(flags, folder, tmp_path, whole, by):
    narrow = tmp_path / "narrow.onnx"
    given = [whole, "-o", narrow, "--data", folder, "--arch", "toy", "--macs", 0.7, "--by", by, "--limit", 4,
             "--images", 8, "--batch", 4, "--cache", tmp_path / "cache", "--multiple", 4]  # fmt: skip
    assert filters.main(list(map(str, given))) == 0
    model = onnx.load(narrow)
    facts = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "pruned"))
    assert facts["macs_before"] == conv_macs(toy_detector.build()) and facts["macs"] <= 0.7 * facts["macs_before"]
    more = ["--out", tmp_path / "run", "--steps", 2, "--init", narrow, "--before", whole]
    run = running.Run(arguments.parser(None).parse_args(flags(*more)))
    run.train()
    assert widths_in(onnx.load(tmp_path / "run" / "model.onnx")) == widths_in(model) != widths_in(onnx.load(whole))
    again = running.Run(arguments.parser(None).parse_args(flags(*more)))
    assert again.progress == 1


def test_what_nobody_reads_is_worth_nothing_to_taylor(folder, tmp_path):
    architecture = toy_detector.build()
    weights = toy_detector.weights(architecture)
    weights["same.expand.weight"][:, :5] = 0
    for name in ("gate.squeeze.weight", "sixteenth.weight", "fine.weight"):
        weights[name][:, -24:-19] = 0
    net, units = TorchNet(architecture), Units(architecture)
    net.load_table(weights)
    draw = lambda: (torch.rand(2, 3, 64, 64), torch.tensor([[[1.0, 30, 30, 28, 40]]] * 2))  # noqa: E731
    worth = importance.scores("taylor", net, units, Loss(architecture.spec, torch.device("cpu")), draw, 2)
    unread = units.of["same.project"][:5]
    assert (worth[unread] == 0).all() and np.isfinite(worth[units.of["same.project"]]).all()
    assert np.isnan(worth[units.of["gate.squeeze"]]).all(), "it has no normalisation"
    assert (worth[units.of["stem"]] > 0).all()


def test_recalibrated_channels_keep_their_means():
    architecture = toy_detector.build()
    net, images = TorchNet(architecture), torch.rand(4, 3, 64, 64)
    net.load_table(toy_detector.weights(architecture))
    importance.recalibrate(net, lambda: (images, images), 1)
    seen = {}
    for name, module in net.convs.items():
        if isinstance(module.bn, torch.nn.BatchNorm2d):
            module.bn.register_forward_hook(lambda bn, given, out, name=name: seen.update({name: (bn.bias, out)}))
    with torch.no_grad():
        net(images)
    assert len(seen) > 10
    for bias, out in seen.values():
        torch.testing.assert_close(out.mean((0, 2, 3)), bias.detach(), rtol=5e-2, atol=5e-2)


@pytest.mark.parametrize("more", [["--macs", "0.01"], ["--macs", "2"]])
def test_filters_that_cannot_be_removed(folder, tmp_path, whole, capsys, more):
    fixed = [whole, "-o", tmp_path / "o.onnx", "--data", folder, "--arch", "toy", "--limit", 4, "--images", 4]
    assert filters.main([*map(str, fixed), *more]) == 1
    assert "hint: " in capsys.readouterr().err and not (tmp_path / "o.onnx").exists()
