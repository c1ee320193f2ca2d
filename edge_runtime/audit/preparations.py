"""How a picture becomes the network's input, and the usual ways to do it otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterator, List, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audit.likeness import Floats
from edge_runtime.identify.candidates import SCALES
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.model import geometry
from edge_runtime.model.geometry import RESIZE_MODES
from edge_runtime.model.spec import COLORS, ModelSpec
from edge_runtime.native import ops

Image = NDArray[np.uint8]
PADS = (0, 114, 127, 255)
INTERPOLATIONS = {"nearest": 0, "cubic": 2, "area": 3}  # numbers of OpenCV
GAINS = {2.0: "twice as large", 0.5: "half as large", 1 / 255.0: "divided by 255 once more"}


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the input: model_px = image_px * scale + pad.

    Attributes:
        scale, pad: (x, y).
        image_wh: (width, height) of the picture, pixels.
    """

    scale: Tuple[float, float]
    pad: Tuple[float, float]
    image_wh: Tuple[int, int]

    def back(self, rows: Floats) -> Floats:
        """Rows (n, 6) `[x1, y1, x2, y2, …]` from model pixels to pixels of the picture, not clipped."""
        moved = rows.copy()
        moved[:, :4] = (rows[:, :4] - np.array(self.pad * 2)) / np.array(self.scale * 2)
        return moved


@dataclass(frozen=True)
class Preparation:
    """One way to prepare pictures.

    Attributes:
        spec: size, resize, padding, channel order, mean and std.
        crop: whether the middle of the picture fills the input, and the rest is cut off.
        interpolation: one of INTERPOLATIONS; "" for the bilinear one of this program.
        gain: the tensor is multiplied by it.
    """

    spec: ModelSpec
    crop: bool = False
    interpolation: str = ""
    gain: float = 1.0

    def placed(self, image: Image) -> Placement:
        """Where the picture lies."""
        image_wh, model_wh = (image.shape[1], image.shape[0]), self.spec.input_wh
        if self.crop:
            (wide, high), (x, y) = _middle(image_wh, model_wh)
            return Placement((wide / image_wh[0], high / image_wh[1]), (float(-x), float(-y)), image_wh)
        box = geometry.fit(image_wh, model_wh, self.spec.resize)
        return Placement((box.scale_x, box.scale_y), (box.pad_x, box.pad_y), image_wh)

    def tensor(self, image: Image) -> Floats:
        """The input (3, H, W) float32 of an image (H, W, 3) uint8 BGR."""
        spec, image_wh = self.spec, (image.shape[1], image.shape[0])
        size, at = spec.input_wh, (0, 0)
        if self.crop:
            size, at = _middle(image_wh, spec.input_wh)
            spec = replace(spec, input_wh=size, resize="stretch")
        if self.interpolation:
            box = geometry.fit(image_wh, size, spec.resize)
            number = INTERPOLATIONS[self.interpolation]
            image = load_cv2().resize(image, (box.width, box.height), interpolation=number)
        out = np.zeros((3, size[1], size[0]), np.float32)
        ops.prepare_image(image, spec, out)
        width, height = self.spec.input_wh
        out = np.ascontiguousarray(out[:, at[1] : at[1] + height, at[0] : at[0] + width])
        return out if self.gain == 1 else out * np.float32(self.gain)


def _middle(image_wh: Tuple[int, int], model_wh: Tuple[int, int]) -> Tuple[Tuple[int, int], Tuple[int, int]]:
    """Size of the whole picture that fills the input with its shorter side, and the corner of its middle in it."""
    scale = max(model_wh[0] / image_wh[0], model_wh[1] / image_wh[1])
    wide, high = (max(model, round(side * scale)) for side, model in zip(image_wh, model_wh))
    return (wide, high), ((wide - model_wh[0]) // 2, (high - model_wh[1]) // 2)


@dataclass(frozen=True)
class Prepared:
    """A preparation that differs from the known one, and the difference in words, to follow "it has"."""

    preparation: Preparation
    words: str


def others(known: Preparation) -> List[Prepared]:
    """Every usual preparation that differs from the known one in one thing."""
    found: List[Prepared] = []
    seen = [known]
    for each in (*_colors(known), *_fits(known), *_scales(known), *_gains(known), *_interpolations(known)):
        if each.preparation not in seen:
            seen.append(each.preparation)
            found.append(each)
    return found


def _colors(known: Preparation) -> Iterator[Prepared]:
    spec = known.spec
    color = next(name for name in COLORS if name != spec.color)
    words = f"channels in the order {color}, not {spec.color}"
    yield Prepared(replace(known, spec=replace(spec, color=color)), words)
    turned = replace(spec, color=color, mean=spec.mean[::-1], std=spec.std[::-1])
    yield Prepared(replace(known, spec=turned), f"{words}, mean and std with them")


def _fits(known: Preparation) -> Iterator[Prepared]:
    spec = known.spec
    for mode in RESIZE_MODES:
        if mode != spec.resize or known.crop:
            new = replace(known, crop=False, spec=replace(spec, resize=mode))
            yield Prepared(new, f"pictures fitted by {mode}, not by {'crop' if known.crop else spec.resize}")
    if not known.crop:
        yield Prepared(replace(known, crop=True), f"pictures cut to their middle, not fitted by {spec.resize}")
    if spec.resize != "stretch" and not known.crop:
        for pad in PADS:
            words = f"padding of {pad}, not {spec.pad_value}"
            yield Prepared(replace(known, spec=replace(spec, pad_value=pad)), words)


def _scales(known: Preparation) -> Iterator[Prepared]:
    spec = known.spec
    own = f"not {_triple(spec.mean)} and {_triple(spec.std)}"
    plain = [((0.0,) * 3, (1.0,) * 3), ((0.0,) * 3, spec.std), (spec.mean, (1.0,) * 3)]
    for mean, std in [*plain, *(scale.ordered(spec.color) for scale in SCALES)]:
        new = replace(known, spec=replace(spec, mean=mean, std=std))
        yield Prepared(new, f"mean {_triple(mean)} and std {_triple(std)}, {own}")


def _gains(known: Preparation) -> Iterator[Prepared]:
    for gain, words in GAINS.items():
        yield Prepared(replace(known, gain=known.gain * gain), f"input values {words}")


def _interpolations(known: Preparation) -> Iterator[Prepared]:
    for name in INTERPOLATIONS:
        yield Prepared(replace(known, interpolation=name), f"pictures resized by {name} interpolation, not bilinear")


def _triple(values: Tuple[float, ...]) -> str:
    shown = [f"{value:g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else ",".join(shown)
