"""The training set as one uint8 array, and batches of mosaics cut from it on the device that trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor

from edge_runtime.errors import DatasetError
from edge_runtime.imaging import image_file

GREY = 114
MOSAIC = 0.9  # part of the images of a training that are mosaics
MOST_BOXES = 64  # per image; VOC's fullest has 42
VALIDATION = 208
SPLIT_SEED = 7


def prepare(folder: Path, side: int, cache: Path) -> Tuple[np.ndarray, np.ndarray, np.ndarray, List[str]]:
    """Decodes and letterboxes (top left) every image once, into a memory-mapped file that later runs reuse.

    Returns:
        images (N, side, side, 3) uint8 RGB, boxes (N, MOST_BOXES, 5) float32 `[class, cx, cy, w, h]` in pixels (w = 0
        for none), sizes (N, 2) int32 (width, height) of the picture inside the square, file names.
    """
    listing = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
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


def split(count: int, limit: Optional[int] = None) -> Tuple[np.ndarray, np.ndarray]:
    """Numbers of the images to validate on and to train on, (n,) each in order.

    Args:
        count: number of all images.
        limit: both are the same few images.

    Raises:
        DatasetError: no image is left to train on.
    """
    order = np.random.RandomState(SPLIT_SEED).permutation(count)
    held, used = (order[:VALIDATION], order[VALIDATION:]) if not limit else (order[:limit],) * 2
    if not len(used):
        hint = f"{VALIDATION} are for validation: give more, or --limit N to train and validate on the same few"
        raise DatasetError(f"the folder has {count} images, none is left to train on", hint=hint)
    return np.sort(held), np.sort(used)


def _pixels(folder: Path, names: List[str], side: int, cache: Path) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    cache.mkdir(parents=True, exist_ok=True)
    path, about = cache / f"images{side}.npy", cache / f"images{side}.npz"
    if not about.exists():
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (len(names), side, side, 3))
        pixels[:] = GREY
        sizes, scales = np.zeros((len(names), 2), np.int32), np.zeros(len(names), np.float32)
        for number, name in enumerate(names):
            image = cv2.cvtColor(image_file.read_image(str(folder / "images" / name)), cv2.COLOR_BGR2RGB)
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


class Pasted(NamedTuple):
    """Pictures in the parts of a canvas: number, size and top left corner (x, y) in pixels, mirrored or not."""

    number: Tensor
    size: Tensor
    corner: Tensor
    flipped: Tensor


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
        self.boxes, self.sizes = torch.from_numpy(boxes), torch.from_numpy(sizes)
        self.device, self.which, self.mosaic, self.augment = device, which, 1.0, True
        self.random = torch.Generator(device="cpu").manual_seed(seed)

    def draw(self, batch: int, side: int) -> Tuple[Tensor, Tensor]:
        """(batch, 3, side, side) float32 in 0..1, and boxes (batch, 4 * MOST_BOXES, 5) as in `prepare`."""
        if not self.augment:
            return self._as_they_are(batch)
        areas = self._areas(batch, side)
        pasted = self._paste(areas, side)
        return self._colour(self._pixels(areas, pasted, side)), self._targets(areas, pasted).flatten(1, 2)

    def pick(self, sides: Sequence[int]) -> int:
        """One of the sides, by the same random numbers as everything else."""
        return sides[int(torch.randint(len(sides), (1,), generator=self.random))]

    def _as_they_are(self, batch: int) -> Tuple[Tensor, Tensor]:
        chosen = self.which[torch.randint(len(self.which), (batch,), generator=self.random).numpy()]
        return self.images[chosen].permute(0, 3, 1, 2).float() / 255, self.boxes[chosen].to(self.device)

    def _areas(self, batch: int, side: int) -> Tensor:
        """(batch, 4, 4) x0, y0, x1, y1 of the parts: four around a centre, or the first alone takes the whole."""
        centre = (self._uniform(0.3, 0.7, batch, 2) * side).floor()
        centre[self._uniform(0, 1, batch) >= self.mosaic] = side
        (cx, cy), zero, end = centre.unbind(1), torch.zeros(batch), torch.full((batch,), float(side))
        parts = (zero, zero, cx, cy), (cx, zero, end, cy), (zero, cy, cx, end), (cx, cy, end, end)
        return torch.stack([torch.stack(part, 1) for part in parts], 1)

    def _paste(self, areas: Tensor, side: int) -> Pasted:
        """Draws a picture for every part: a mosaic's touch the centre, one that is alone lies about the middle."""
        shape = tuple(areas.shape[:2])
        number = torch.from_numpy(self.which)[torch.randint(len(self.which), shape, generator=self.random)]
        alone = (areas[:, :1, 2:] == side).all(2)
        zoom = torch.where(alone, self._uniform(0.7, 1.25, *shape), self._uniform(0.45, 1.1, *shape))
        scale = zoom * side / self.images.shape[1]
        stretched = torch.stack([scale * self._uniform(0.85, 1.18, *shape), scale], 2)
        size = (self.sizes[number] * stretched).floor().clamp(min=8)
        low, high = areas[..., :2], areas[..., 2:]
        touching = torch.where(low == 0, high - size, low)
        about = (self._uniform(0.3, 0.7, *shape, 2) * (side - size)).trunc()
        return Pasted(number, size, torch.where(alone[..., None], about, touching), self._uniform(0, 1, *shape) < 0.5)

    def _pixels(self, areas: Tensor, pasted: Pasted, side: int) -> Tensor:
        """Every pixel is read from the picture of its part, bilinearly; grey where that does not reach."""
        line = torch.arange(side, device=self.device)
        cx, cy = areas[:, 0, 2:].to(self.device).unbind(1)
        part = (line >= cx[:, None])[:, None, :] + 2 * (line >= cy[:, None])[:, :, None].long()
        batch = torch.arange(len(areas), device=self.device)[:, None, None]
        here = Pasted(*(value.to(self.device)[batch, part] for value in pasted))
        true = self.sizes.to(self.device)[here.number]
        at = torch.stack([line.expand(side, side), line[:, None].expand(side, side)], 2) + 0.5 - here.corner
        inside = ((at > 0) & (at < here.size)).all(3, keepdim=True)
        at[..., 0] = torch.where(here.flipped, here.size[..., 0] - at[..., 0], at[..., 0])
        at = (at * true / here.size - 0.5).clamp(min=0).minimum(true - 1.0)
        first = at.floor()
        second, (fx, fy) = (first + 1).minimum(true - 1.0), (at - first)[..., None, :].unbind(4)
        flat, width = self.images.view(-1, 3), self.images.shape[1]

        def row(y: Tensor) -> Tensor:
            start = (here.number * width + y.long()) * width
            left, right = (flat[start + x[..., 0].long()].float() for x in (first, second))
            return left + (right - left) * fx

        top, bottom = row(first[..., 1]), row(second[..., 1])
        pixels = torch.where(inside, top + (bottom - top) * fy, float(GREY))
        return pixels.permute(0, 3, 1, 2) / 255

    def _targets(self, areas: Tensor, pasted: Pasted) -> Tensor:
        """(batch, 4, MOST_BOXES, 5), clipped to what is seen; a box of which too little is left is dropped."""
        boxes = self.boxes[pasted.number]
        boxes[..., 1:] *= (pasted.size / self.sizes[pasted.number]).repeat(1, 1, 2)[:, :, None]
        x = boxes[..., 1]
        boxes[..., 1] = torch.where(pasted.flipped[..., None], pasted.size[..., :1] - x, x)
        centre, half = boxes[..., 1:3] + pasted.corner[:, :, None], boxes[..., 3:] / 2
        low = (centre - half).maximum(areas[..., :2].maximum(pasted.corner)[:, :, None])
        high = (centre + half).minimum(areas[..., 2:].minimum(pasted.corner + pasted.size)[:, :, None])
        size = (high - low).clamp(min=0)
        before = 4 * half.prod(3)
        seen = (size.prod(3) > 0.25 * before) & (size.min(3).values > 3) & (before > 0)
        clipped = torch.cat([boxes[..., :1], (low + high) / 2, size], 3)
        return torch.where(seen[..., None], clipped, 0.0).to(self.device)

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

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self.random)
