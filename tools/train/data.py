"""The training set as one uint8 array, and batches of mosaics cut from it on the device that trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edge_runtime import image_file

GREY = 114
MOST_BOXES = 64  # per image; VOC's fullest has 42


def prepare(folder: Path, side: int, cache: Path) -> Tuple[np.ndarray, np.ndarray, np.ndarray, List[str]]:
    """Decodes and letterboxes (top left) every image once, into a memory-mapped file that later runs reuse.

    Returns:
        images (N, side, side, 3) uint8 RGB, boxes (N, MOST_BOXES, 5) float32 `[class, cx, cy, w, h]` in pixels (w = 0
        for none), sizes (N, 2) int32 (width, height) of the picture inside the square, file names.
    """
    listing = json.loads((folder / "instances.json").read_text())
    entries = sorted(listing["images"], key=lambda image: image["id"])
    names = [entry["file_name"] for entry in entries]
    class_of = {c["id"]: number for number, c in enumerate(sorted(listing["categories"], key=lambda c: c["id"]))}
    pixels, sizes, scales = _pixels(folder, names, side, cache)
    boxes = np.zeros((len(names), MOST_BOXES, 5), np.float32)
    place = {entry["id"]: number for number, entry in enumerate(entries)}
    filled: Dict[int, int] = {}
    for note in listing["annotations"]:
        number = place[note["image_id"]]
        row = filled.get(number, 0)
        if row < MOST_BOXES:
            x, y, w, h = (value * scales[number] for value in note["bbox"])
            boxes[number, row] = class_of[note["category_id"]], x + w / 2, y + h / 2, w, h
            filled[number] = row + 1
    return pixels, boxes, sizes, names


def _pixels(folder: Path, names: List[str], side: int, cache: Path) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    cache.mkdir(parents=True, exist_ok=True)
    path, about = cache / f"images{side}.npy", cache / f"images{side}.npz"
    if not about.exists():
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (len(names), side, side, 3))
        pixels[:] = GREY
        sizes, scales = np.zeros((len(names), 2), np.int32), np.zeros(len(names), np.float32)
        for number, name in enumerate(names):
            image = cv2.cvtColor(image_file.read(str(folder / "images" / name)), cv2.COLOR_BGR2RGB)
            scales[number] = scale = side / max(image.shape[:2])
            w, h = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            pixels[number, :h, :w] = cv2.resize(
                image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            )
            sizes[number] = w, h
        pixels.flush()
        np.savez(about, sizes=sizes, scales=scales)
    with np.load(about) as archive:
        sizes, scales = archive["sizes"], archive["scales"]
    return np.load(path, mmap_mode="c"), sizes, scales


class Batches:
    """Random mosaics of four with flips, scale, shift and colour, made by tensor operations on the training device.

    Args:
        images, boxes, sizes: from `prepare`; on a GPU the whole set is moved there once.
        which: numbers of the images to draw from.

    Attributes:
        mosaic: part of the images that are mosaics; the others are one picture, scaled and shifted.
        augment: False gives the pictures as they are.
    """

    def __init__(
        self,
        images: np.ndarray,
        boxes: np.ndarray,
        sizes: np.ndarray,
        which: np.ndarray,
        device: torch.device,
        seed: int,
    ) -> None:
        on_gpu = device.type == "cuda"
        self.images = torch.from_numpy(np.array(images) if on_gpu else images).to(device)
        self.boxes, self.sizes = torch.from_numpy(boxes).to(device), torch.from_numpy(sizes).to(device)
        self.device, self.which, self.mosaic, self.augment = device, which, 1.0, True
        self.random = torch.Generator(device="cpu").manual_seed(seed)

    def draw(self, batch: int, side: int) -> Tuple[Tensor, Tensor]:
        """(batch, 3, side, side) float32 in 0..1, and boxes (batch, 4 * MOST_BOXES, 5) as in `prepare`."""
        if not self.augment:
            return self._as_they_are(batch)
        pictures, targets = [], []
        for _ in range(batch):
            mosaic = self._uniform(0, 1) < self.mosaic
            picture, target = self._mosaic(side) if mosaic else self._single(side)
            pictures.append(picture)
            targets.append(target)
        return self._colour(torch.stack(pictures)), torch.stack(targets)

    def pick(self, sides: Sequence[int]) -> int:
        """One of the sides, by the same random numbers as everything else."""
        return sides[int(torch.randint(len(sides), (1,), generator=self.random))]

    def _as_they_are(self, batch: int) -> Tuple[Tensor, Tensor]:
        chosen = self.which[torch.randint(len(self.which), (batch,), generator=self.random).numpy()]
        return self.images[chosen].permute(0, 3, 1, 2).float() / 255, self.boxes[chosen]

    def _mosaic(self, side: int) -> Tuple[Tensor, Tensor]:
        """Four pictures around a random centre, each at its own scale."""
        cx, cy = (int(self._uniform(0.3, 0.7) * side) for _ in range(2))
        canvas = torch.full((3, side, side), GREY / 255, device=self.device)
        targets = torch.zeros(4, MOST_BOXES, 5, device=self.device)
        for part, (x0, y0, x1, y1) in enumerate(
            ((0, 0, cx, cy), (cx, 0, side, cy), (0, cy, cx, side), (cx, cy, side, side))
        ):
            corner = (x0 == 0, y0 == 0)  # the picture's corner that touches the centre
            targets[part] = self._paste(canvas, (x0, y0, x1, y1), corner, self._uniform(0.45, 1.1))
        return canvas, targets.reshape(-1, 5)

    def _single(self, side: int) -> Tuple[Tensor, Tensor]:
        canvas = torch.full((3, side, side), GREY / 255, device=self.device)
        targets = torch.zeros(4, MOST_BOXES, 5, device=self.device)
        targets[0] = self._paste(canvas, (0, 0, side, side), None, self._uniform(0.7, 1.25))
        return canvas, targets.reshape(-1, 5)

    def _paste(self, canvas: Tensor, area: Tuple[int, int, int, int], corner, zoom: float) -> Tensor:
        """Scales a random picture, pastes what fits into the area, returns its boxes clipped to it."""
        number = int(self.which[int(torch.randint(len(self.which), (1,), generator=self.random))])
        width, height = (int(v) for v in self.sizes[number])
        picture = self.images[number, :height, :width].permute(2, 0, 1)[None].float() / 255
        boxes = self.boxes[number].clone()
        side = canvas.shape[1]
        scale = zoom * side / self.images.shape[1]
        stretch = self._uniform(0.85, 1.18)
        w, h = max(8, int(width * scale * stretch)), max(8, int(height * scale))
        picture = F.interpolate(picture, (h, w), mode="bilinear", antialias=False, align_corners=False)[0]
        boxes[:, 1:] *= torch.tensor([w / width, h / height] * 2, device=self.device)
        if self._uniform(0, 1) < 0.5:
            picture = picture.flip(2)
            boxes[:, 1] = torch.where(boxes[:, 3] > 0, w - boxes[:, 1], boxes[:, 1])
        x0, y0, x1, y1 = area
        if corner is None:
            dx, dy = (int(self._uniform(0.3, 0.7) * (room - size)) for room, size in ((x1 - x0, w), (y1 - y0, h)))
        else:
            dx, dy = (x1 - x0 - w if corner[0] else 0), (y1 - y0 - h if corner[1] else 0)
        return _blit(canvas, picture, boxes, (x0, y0, x1, y1), (x0 + dx, y0 + dy))

    def _colour(self, images: Tensor) -> Tensor:
        """Hue, saturation, brightness and contrast, each image its own: one 3x3 matrix and one shift per image."""
        count = len(images)
        hue, colour, light, contrast = (
            amount * (2 * torch.rand((count, 1, 1), generator=self.random) - 1) for amount in (0.15, 0.6, 0.4, 0.2)
        )
        grey = torch.full((3, 3), 1 / 3)
        swirl = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / 3**0.5  # turns about grey
        turn = grey + hue.cos() * (torch.eye(3) - grey) + hue.sin() * swirl
        matrix = (1 + contrast) * (1 + light) * (grey + (1 + colour) * (turn - grey))
        shift = (-0.45 * contrast).expand(count, 3, 1)
        flat = torch.baddbmm(shift.to(self.device), matrix.to(self.device), images.flatten(2))
        return flat.view_as(images).clamp_(0, 1)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.random))


def _blit(
    canvas: Tensor, picture: Tensor, boxes: Tensor, area: Tuple[int, int, int, int], at: Tuple[int, int]
) -> Tensor:
    x0, y0, x1, y1 = area
    left, top = max(x0, at[0]), max(y0, at[1])
    right, bottom = min(x1, at[0] + picture.shape[2]), min(y1, at[1] + picture.shape[1])
    if right <= left or bottom <= top:
        return torch.zeros_like(boxes)
    canvas[:, top:bottom, left:right] = picture[:, top - at[1] : bottom - at[1], left - at[0] : right - at[0]]
    low = torch.stack([boxes[:, 1] - boxes[:, 3] / 2 + at[0], boxes[:, 2] - boxes[:, 4] / 2 + at[1]], 1)
    high = low + boxes[:, 3:5]
    area_before = boxes[:, 3] * boxes[:, 4]
    limit_low, limit_high = (
        torch.tensor(v, device=boxes.device, dtype=boxes.dtype) for v in ((left, top), (right, bottom))
    )
    low, high = low.maximum(limit_low), high.minimum(limit_high)
    size = (high - low).clamp(min=0)
    seen = (size[:, 0] * size[:, 1] > 0.25 * area_before) & (size.min(1).values > 3) & (area_before > 0)
    clipped = torch.cat([boxes[:, :1], (low + high) / 2, size], 1)
    return torch.where(seen[:, None], clipped, torch.zeros_like(clipped))
