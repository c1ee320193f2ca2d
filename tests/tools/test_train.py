"""Training: the loss wants what the decoder reads, boxes follow their pictures, a killed run goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'edge-runtime[train]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "train"))

import train  # noqa: E402
from data import Batches, prepare  # noqa: E402
from loss import Loss, ciou  # noqa: E402
from validate import mean_ap  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four pictures with one bright square each, labelled."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    images, notes = [], []
    for number in range(4):
        picture = np.full((100, 160, 3), 40, np.uint8)
        x, y = 20 + 25 * number, 30
        picture[y : y + 40, x : x + 30] = 250
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 100})
        notes.append({"image_id": number, "category_id": 1 + number % 2, "bbox": [x, y, 30, 40]})
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    (folder / "instances.json").write_text(
        json.dumps({"images": images, "annotations": notes, "categories": categories})
    )
    return folder


def arguments(folder: Path, out: Path, *more: str):
    fixed = ["--data", str(folder), "--out", str(out), "--imgsz", "64", "--limit", "4", "--batch", "4", "--no-compile"]
    return train._parser().parse_args([*fixed, *more])


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
    architecture = train.table(arguments(folder, tmp_path, "--hours", "1"), 64)
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

    (rows,) = train.detect(Fixed(), architecture.spec, np.zeros((1, 64, 64, 3), np.uint8), 1, CPU)
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
    run = train.Run(arguments(folder, tmp_path, "--hours", "0.002"))
    run.train()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert (tmp_path / "model.onnx").exists() and (tmp_path / "plot.png").exists() and rows[-1]["steps"] > 0
    again = train.Run(arguments(folder, tmp_path, "--hours", "0.003"))
    assert again.state["steps"] == rows[-1]["steps"]
    for one, other in zip(run.ema.state_dict().values(), again.ema.state_dict().values()):
        assert torch.equal(one, other)
    from_file = train.Run(arguments(folder, tmp_path / "new", "--hours", "1", "--init", str(tmp_path / "model.onnx")))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for one, other in zip(again.ema(image), from_file.net.eval()(image)):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
