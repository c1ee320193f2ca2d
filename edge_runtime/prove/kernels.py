"""Compares the kernels on this GPU with the host's code.

Letterbox and suppression must give the same bits. Decoding may differ by rounding.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DeviceError
from edge_runtime.gpu.slot import DeviceSlot
from edge_runtime.model.decode import DecodeSpec
from edge_runtime.model.spec import ModelSpec
from edge_runtime.native import ops
from edge_runtime.native.pictures import LUMA, shapes
from edge_runtime.prove.compiler import own_cache
from edge_runtime.prove.lab import LIMITS, Lab
from edge_runtime.prove.scenes import Floats, scene
from edge_runtime.prove.steps import Task
from edge_runtime.types import Images, Pixels

Row = Dict[str, Any]
SIZES = ((1280, 720), (640, 480), (333, 517), (64, 64), (1, 1), (1920, 1080))
SCENES: Tuple[Tuple[str, str, str, Optional[str], Dict[str, Any]], ...] = (
    # box kind, layout of the tensors, activation of classes and of objectness, and the rest
    ("cxcywh", "planar", "sigmoid", None, {}),
    ("xyxy", "rows", "none", None, {}),
    ("yxyx", "separate", "none", None, {}),
    ("anchor_exp", "planar", "softmax", "sigmoid", {"box_activation": "sigmoid"}),
    ("anchor_square", "anchors_inner", "sigmoid", "sigmoid", {"box_activation": "sigmoid"}),
    ("anchor_tanh", "planar", "softmax", "sigmoid", {}),
    ("distance", "planar", "sigmoid", None, {}),
    ("distance", "rows", "sigmoid", None, {"bins": 16}),
    ("prior", "rows", "softmax", None, {"first_class": 1}),
    ("prior_yx", "separate", "sigmoid", None, {}),
    ("prior_offset", "rows", "sigmoid", None, {}),
)
GRIDS = ((40, 40), (20, 20))
CROWDS = ((10, 10), (60, 40), (160, 120))  # two boxes a cell: one tile, several, more than are looked at
PIXELS, SCORE = 1e-3, 1e-5  # exp of the GPU and of the host may differ in the last bit
WRONG = "do not detect with this GPU: send the proof back"


def prove(task: Task) -> str:
    """Returns what was compared.

    Raises:
        DeviceError: a kernel and the host give different results.
    """
    own_cache(task)
    lab = Lab()
    try:
        found = [
            line for check in (letterbox, pixels, decoding, suppression, graph, device_loop) for line in check(lab)
        ]
    finally:
        lab.close()
    task.figures.update({line["what"]: line["figure"] for line in found})
    bad = [f"{line['what']}: {line['figure']}, expected {line['wanted']}" for line in found if line["good"] is False]
    if bad:
        raise DeviceError("; ".join(bad[:3]), hint=WRONG)
    return f"{len(found)} comparisons with the host: letterbox and suppression equal to the bit, decoding to rounding"


def row(what: str, figure: Any, wanted: str, good: Optional[bool]) -> Row:
    """One line of a table. `good` is None if nothing is required."""
    return {"what": what, "figure": figure, "wanted": wanted, "good": good}


def letterbox(lab: Lab) -> Iterator[Row]:
    """Compares the input that the kernel writes with the host's."""
    spec = ModelSpec("yolo_v8", (640, 640), tuple("abc"), mean=(1.0, 2.0, 3.0), std=(58.4, 57.1, 57.4))
    for kind, bits in ((np.float32, np.uint32), (np.float16, np.uint16)):
        slot = lab.slot(spec, None, [np.zeros((1, 4), np.float32)], half=kind is np.float16)
        got, different = lab.device.pinned((1, 3, 640, 640), kind), 0
        for width, height in SIZES:
            image = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
            lab.run(slot, [image])
            lab.device.copy_out(got, slot.address("images"), lab.stream)
            lab.device.finish(lab.stream)
            expected = np.zeros((3, 640, 640), np.float32)
            ops.prepare_image(image, spec, expected)
            different += int((got[0].view(bits) != expected.astype(kind).view(bits)).sum())
        yield row(f"letterbox {kind.__name__}: values that differ", different, "0", different == 0)


def pixels(lab: Lab) -> Iterator[Row]:
    """Compares the input that the kernel makes of each pixel format with the host's."""
    spec = ModelSpec("yolo_v8", (640, 640), tuple("abc"), std=(58.4, 57.1, 57.4))
    slot = lab.slot(spec, None, [np.zeros((1, 4), np.float32)])
    got, random = lab.device.pinned((1, 3, 640, 640), np.float32), np.random.default_rng(3)
    expected = np.zeros((3, 640, 640), np.float32)
    for format, planes in shapes(333, 517).items():
        different = 0
        for matrix, full in product(LUMA, (False, True)):
            arrays = tuple(random.integers(0, 256, shape, np.uint8) for shape in planes)
            picture = Pixels(format, arrays, 333, 517, matrix, full)
            lab.run(slot, [picture])
            lab.device.copy_out(got, slot.address("images"), lab.stream)
            lab.device.finish(lab.stream)
            ops.prepare_image(picture, spec, expected)
            different += int((got[0].view(np.uint32) != expected.view(np.uint32)).sum())
        yield row(f"letterbox of {format}: values that differ", different, "0", different == 0)


def decoding(lab: Lab) -> Iterator[Row]:
    """Compares boxes of every kind with those of the host's decoder."""
    for seed, (kind, layout, activation, objectness, more) in enumerate(SCENES):
        decode, tensors = scene(kind, layout, activation, objectness, seed=seed, grids=GRIDS, **more)
        expected, counts, slot = _both(lab, decode, tensors)
        extra = int(np.abs(counts - slot.counts).sum())
        least = np.minimum(counts, slot.counts)
        gaps = [np.abs(expected[k, :n] - slot.boxes[k, :n]) for k, n in enumerate(least)]
        pixels = max(float(gap[:, :4].max(initial=0)) for gap in gaps)
        score = max(float(gap[:, 4].max(initial=0)) for gap in gaps)
        name = f"{kind}, {more['bins']} bins" if "bins" in more else kind
        yield row(f"decoding {name}: boxes more or fewer", extra, "0", extra == 0)
        yield row(f"decoding {name}: largest difference of a corner, px", pixels, f"{PIXELS:g}", pixels <= PIXELS)
        yield row(f"decoding {name}: largest difference of a score", score, f"{SCORE:g}", score <= SCORE)


def suppression(lab: Lab) -> Iterator[Row]:
    """Compares suppression alone. Its boxes need no other arithmetic, so the bits must be equal."""
    for grid in CROWDS:
        decode, tensors = scene("xyxy", "rows", "none", seed=77, classes=3, grids=(grid,), ties=True)
        tensors = [(np.round(tensor * 4) / 4).astype(np.float32) for tensor in tensors]
        expected, counts, slot = _both(lab, decode, tensors)
        same = np.array_equal(counts, slot.counts) and all(
            np.array_equal(expected[k, :n].view(np.uint32), slot.boxes[k, :n].view(np.uint32))
            for k, n in enumerate(counts)
        )
        boxes = len(tensors[0][0]) * tensors[0].shape[2]
        yield row(f"suppression of {boxes} boxes: rows are equal to the bit", bool(same), "True", bool(same))


def graph(lab: Lab) -> Iterator[Row]:
    """Compares the same calls as a graph and one by one."""
    decode, tensors = scene("cxcywh", "planar", "sigmoid", seed=5, grids=((40, 40),), batch=1)
    spec = _spec(decode)
    slots = lab.slot(spec, decode, tensors), lab.slot(spec, decode, tensors)
    image = [np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)]
    lab.run(slots[1], image)
    captured = slots[1].capture()
    for slot in slots:
        lab.run(slot, image)
    same = np.array_equal(slots[0].boxes, slots[1].boxes) and np.array_equal(slots[0].counts, slots[1].counts)
    yield row("graph of the kernels alone: captured", captured, "", None)
    yield row("graph: same boxes as call by call", bool(same), "True", bool(same))


def device_loop(lab: Lab) -> Iterator[Row]:
    """Compares the core's loop with the same calls from Python: pictures that are copied, read in place, and lent."""
    decode, tensors = scene("cxcywh", "planar", "sigmoid", seed=5, grids=((40, 40),), batch=2)
    slots = {mapped: lab.slot(_spec(decode), decode, tensors, mapped=mapped) for mapped in (False, True)}
    random, kept = np.random.default_rng(4), lab.slot(_spec(decode), decode, tensors)
    for mapped, slot in slots.items():
        lab.run(slot, [np.zeros((96, 128, 3), np.uint8)])
        slot.capture()
        different = 0
        for format, planes in shapes(133, 217).items():
            picture = Pixels(format, tuple(random.integers(0, 256, shape, np.uint8) for shape in planes), 133, 217)
            lent = lab.device.gpu.lend((96, 128, 3), mapped)
            lent[:] = random.integers(0, 256, lent.shape, np.uint8)
            both: List[Images] = [[picture, lent], [lent]]
            for images in both:
                lab.run(slot, images)
                lab.run_by_python(kept, images)
                different += not all(np.array_equal(one, other) for one, other in _results(lab, slot, kept))
        how = "read in place" if mapped else "copied"
        yield row(f"loop of the core, pictures {how}: other results than Python's", different, "0", different == 0)


def _results(lab: Lab, one: DeviceSlot, other: DeviceSlot) -> Iterator[Tuple[NDArray[Any], NDArray[Any]]]:
    """The networks' inputs as bits, the boxes and the counts of two slots."""
    given = [lab.device.pinned((2, 3, 48, 64), np.uint32) for _ in range(2)]
    for target, slot in zip(given, (one, other)):
        lab.device.copy_out(target, slot.address("images"), lab.stream)
    lab.device.finish(lab.stream)
    yield given[0], given[1]
    yield one.boxes, other.boxes
    yield one.counts, other.counts


def _both(lab: Lab, decode: DecodeSpec, tensors: List[Floats]) -> Tuple[NDArray[Any], NDArray[Any], DeviceSlot]:
    """Boxes and counts of the host, and a slot that holds those of the GPU."""
    batch = len(tensors[0])
    slot = lab.slot(_spec(decode), decode, tensors)
    lab.run(slot, [np.zeros((96, 128, 3), np.uint8)] * batch)
    boxes, counts = np.zeros_like(slot.boxes), np.zeros(batch, np.int32)
    host = ops.Decoder(decode, [tensor.shape for tensor in tensors])
    host(tensors, np.array(slot.frames), LIMITS, host.class_mask(range(decode.num_classes)), boxes, counts)
    return boxes, counts, slot


def _spec(decode: DecodeSpec) -> ModelSpec:
    return ModelSpec("yolo_v8", (64, 48), tuple(str(k) for k in range(decode.num_classes)), resize="stretch")
