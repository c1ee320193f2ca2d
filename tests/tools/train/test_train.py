"""Training: the loss wants what the decoder reads, boxes follow their pictures, a killed run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")
import anchors  # noqa: E402
import arguments  # noqa: E402
import student  # noqa: E402
import teacher  # noqa: E402
import train  # noqa: E402
from data import Batches, prepare  # noqa: E402
from loss import Loss, ciou  # noqa: E402
from run import Run  # noqa: E402
from torch_net import TorchNet  # noqa: E402
from validate import detect, mean_ap  # noqa: E402

from edge_runtime import zoo  # noqa: E402
from edge_runtime.model.labels import VOC  # noqa: E402
from edge_runtime.zoo import weights  # noqa: E402

CPU = torch.device("cpu")


def flags(folder: Path, out: Path, *more: str):
    fixed = ["--data", str(folder), "--out", str(out), "--imgsz", "64", "--limit", "4", "--batch", "4", "--no-compile"]
    return arguments.parser(None).parse_args([*fixed, *more])


def test_boxes_follow_their_pictures(folder, tmp_path):
    images, boxes, sizes, _ = prepare(folder, 128, tmp_path)
    batches = Batches(images, boxes, sizes, np.arange(4), CPU, seed=3)
    for mosaic in (0.0, 1.0):
        batches.mosaic, batches._colour = mosaic, lambda images: images
        pictures, targets = batches.draw(8, 128)
        assert pictures.shape == (8, 3, 128, 128) and 0 <= pictures.min() and pictures.max() <= 1
        bright = 0
        for picture, rows in zip(pictures, targets):
            for _, cx, cy, _, _ in rows[rows[:, 3] > 0].tolist():
                bright += 1
                assert picture[0, min(int(cy), 127), min(int(cx), 127)] > 0.8, (
                    "the middle of every box is on its square"
                )
        assert bright >= 4


def test_ciou_is_one_for_equal_boxes_and_falls_with_distance():
    box = torch.tensor([[10.0, 10.0, 4.0, 6.0]])
    assert ciou(box, box).item() == pytest.approx(1.0, abs=1e-5)
    moved = [ciou(box + torch.tensor([[step, 0.0, 0.0, 0.0]]), box).item() for step in (0.0, 1.0, 3.0, 9.0, 30.0)]
    assert moved == sorted(moved, reverse=True) and moved[-1] < 0


def test_the_loss_is_least_where_the_decoder_finds_the_object(folder, tmp_path):
    """Heads optimised directly against the loss decode to the labelled boxes."""
    architecture = student.table(flags(folder, tmp_path, "--hours", "1"), 64)
    sizes = architecture.sizes()
    heads = [torch.zeros(1, *sizes[name], requires_grad=True) for name in architecture.outputs]
    target = torch.zeros(1, 2, 5)
    target[0, 0] = torch.tensor([3.0, 30.0, 34.0, 28.0, 40.0])
    loss, optimizer = Loss(architecture.spec, CPU, smoothing=0.0), torch.optim.Adam(heads, lr=0.3)
    for _ in range(400):
        value, _ = loss(heads, target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    class Fixed(torch.nn.Module):
        def forward(self, images):
            return heads

    (rows,) = detect(Fixed(), architecture.spec, np.zeros((1, 64, 64, 3), np.uint8), 1, CPU)
    assert rows[0, 5] == 3 and rows[0, 4] > 0.5
    np.testing.assert_allclose(rows[0, :4], [16, 14, 44, 54], atol=1.0)


def test_map_of_perfect_and_of_no_detections():
    boxes = np.zeros((2, 3, 5), np.float32)
    boxes[0, 0], boxes[1, 0] = (1, 20, 20, 10, 10), (2, 30, 30, 10, 20)
    perfect = [np.array([[15, 15, 25, 25, 0.9, 1]]), np.array([[25, 20, 35, 40, 0.8, 2]])]
    assert mean_ap(perfect, boxes, 3) == 1.0
    assert mean_ap([rows[:0] for rows in perfect], boxes, 3) == 0.0
    wrong = [perfect[0], np.array([[25, 20, 35, 40, 0.95, 1], [25, 20, 35, 40, 0.8, 2]])]
    assert 0.4 < mean_ap(wrong, boxes, 3) < 1.0


def test_a_killed_run_goes_on(folder, tmp_path):
    run = Run(flags(folder, tmp_path, "--steps", "6"))
    run.train()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (tmp_path / "model.onnx").exists() and (tmp_path / "plot.png").exists() and rows[-1]["steps"] > 0
    again = Run(flags(folder, tmp_path, "--steps", "9"))
    assert again.state["steps"] == rows[-1]["steps"] == 6
    for one, other in zip(run.ema.state_dict().values(), again.ema.state_dict().values()):
        assert torch.equal(one, other)
    recipe = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["images"] == 4 and recipe["arch"] == "yolo_nano" and recipe["seed"] == 0
    from_file = Run(flags(folder, tmp_path / "new", "--steps", "1", "--init", str(tmp_path / "model.onnx")))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for one, other in zip(again.ema(image), from_file.net.eval()(image)):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_plain_batches_are_the_pictures(folder, tmp_path):
    images, boxes, sizes, _ = prepare(folder, 64, tmp_path)
    batches = Batches(images, boxes, sizes, np.arange(4), CPU, seed=0)
    batches.augment = False
    pictures, targets = batches.draw(3, 64)
    found = [
        np.flatnonzero([np.allclose(p.permute(1, 2, 0) * 255, image, atol=0.5) for image in images]) for p in pictures
    ]
    for (number,), target in zip(found, targets):
        np.testing.assert_array_equal(target, boxes[number])


def test_colour_keeps_grey_grey_and_turns_the_rest(folder, tmp_path):
    images, boxes, sizes, _ = prepare(folder, 64, tmp_path)
    batches = Batches(images, boxes, sizes, np.arange(4), CPU, seed=0)
    grey = batches._colour(torch.full((5, 3, 4, 4), 0.4))
    assert torch.allclose(grey[:, 0], grey[:, 1], atol=1e-5) and grey[:, 0].std() > 0.01
    red = torch.zeros(5, 3, 4, 4)
    red[:, 0] = 0.5
    turned = batches._colour(red)
    assert (turned[:, 1] - turned[:, 2]).abs().max() > 0.01 and 0 <= turned.min() and turned.max() <= 1


def test_folded_weights_settle_without_changing_the_function():
    """Training then continues from them: the batch's own statistics give nearly the same values."""
    architecture = zoo.build("yolo_nano", VOC, 64)
    net, images = TorchNet(architecture), torch.rand(16, 3, 64, 64)
    net.load_table(weights.random(architecture, 1))
    with torch.no_grad():
        before = net.eval()(images)[0]
        torn = net.train()(images)[0]
        net.load_table(weights.random(architecture, 1))
        net.settle(images)
        after, training = net.eval()(images)[0], net.train()(images)[0]
    torch.testing.assert_close(after, before, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(training, before, rtol=1e-2, atol=1e-2)
    assert (torn - before).abs().mean() > 10 * (training - before).abs().mean(), "identity statistics would not do"


def test_heads_that_the_loss_does_not_know_are_refused(folder, tmp_path, capsys):
    flags = ["--data", str(folder), "--out", str(tmp_path), "--steps", "1"]
    assert train.main([*flags, "--arch", "leyolo"]) == 1
    assert "yolo_nano" in capsys.readouterr().err


def test_k_means_finds_the_sizes_that_are_there():
    generator = np.random.default_rng(0)
    true = np.array([[10.0, 12.0], [40.0, 30.0], [120.0, 200.0]])
    sizes = np.concatenate([size * generator.uniform(0.9, 1.1, (50, 2)) for size in true])
    np.testing.assert_allclose(anchors.k_means(sizes, 3), true, rtol=0.05)
    assert anchors.levels(true, 3) == (((10.0, 12.0),), ((40.0, 30.0),), ((120.0, 200.0),))


def test_a_teacher_is_learnt(folder, tmp_path, shared):
    """Its features have the head's planes at every side, and the loss towards them falls."""
    path = str(shared / "models" / "yolox" / "yolox_nano.onnx")
    yolox = teacher.Teacher(path, (8, 16, 32), CPU)
    for side in (64, 96):
        shapes = [tuple(level.shape) for level in yolox.features(torch.rand(2, 3, side, side))]
        assert shapes == [(2, 128, side // stride, side // stride) for stride in (8, 16, 32)]
    run = Run(flags(folder, tmp_path, "--steps", "12", "--teacher", path))
    first = run._step(run.net)[3]
    run.train()
    assert run._backward(run.net, *run._draw(64))[3] < first


def test_eight_photographs_are_learnt_by_heart(shared, tmp_path):
    """A network, loss, assignment or decoder that is wrong somewhere does not get there."""
    data = shared / "data" / "voc2007" / "train"
    said = ["--data", str(data), "--out", str(tmp_path), "--imgsz", "128", "--limit", "8", "--batch", "8"]
    run = Run(arguments.parser(None).parse_args([*said, "--steps", "600", "--lr", "3e-3", "--no-compile"]))
    run.train()
    assert run.state["best"] > 0.95
