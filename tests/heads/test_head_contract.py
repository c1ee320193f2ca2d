"""Every head, every layout: shapes are recognised, and what `describe` says natively is what `decode` does in numpy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Dict, Optional, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import heads, plugins
from edge_runtime.errors import EdgeError, SpecError
from edge_runtime.model.spec import ModelIO, ModelSpec

WH = (96, 64)


def logits(random, shape):
    return random.standard_normal(shape) * 1.5


def activated(random, shape):
    return random.uniform(0, 1, shape)


def finished(random, shape):
    """Rows of YOLOv10: corners, score, class."""
    rows = random.uniform(0, 1, shape)
    corners = np.sort(rows[..., :4].reshape(*shape[:-1], 2, 2), axis=-2).reshape(*shape[:-1], 4)
    return np.concatenate([corners * (*WH, *WH), rows[..., 4:5], np.floor(rows[..., 5:6] * 3), rows[..., 6:]], axis=-1)


def listed(random, shape):
    """Boxes, scores or class numbers of a list of objects, or their count."""
    if shape == (1, 1):
        return np.full(shape, 150.0)
    if shape[-1] == 4:
        return finished(random, (*shape[:-1], 6))[..., :4]
    return random.uniform(0, 1, shape)


def listed_in_fractions(random, shape):
    values = listed(random, shape)
    return values / (*WH, *WH) if shape[-1] == 4 else values


@dataclass(frozen=True)
class Layout:
    family: str
    shapes: Tuple[Tuple[int, ...], ...]
    numbers: Callable = logits
    classes: int = 3
    spec: Optional[Dict[str, object]] = None
    by_shape: bool = True  # recognised without being told the family
    names: Tuple[str, ...] = ()

    def model(self) -> Tuple[ModelIO, ModelSpec]:
        names = self.names or [f"out{i}" for i in range(len(self.shapes))]
        outputs = {name: (1, *shape) for name, shape in zip(names, self.shapes)}
        labels = tuple(f"class{i}" for i in range(self.classes))
        io = ModelIO("images", (1, 3, *WH[::-1]), outputs)
        return io, ModelSpec(self.family, WH, labels, **(self.spec or {}))

    def tensors(self):
        random = np.random.RandomState(7)
        return [self.numbers(random, (1, *shape)).astype(np.float32) for shape in self.shapes]


def maps(channels, strides, last=False):
    sides = [(-(-WH[1] // s), -(-WH[0] // s)) for s in strides]
    return tuple((h, w, channels) if last else (channels, h, w) for h, w in sides)


def rows(columns, strides):
    return tuple((-(-WH[1] // s) * -(-WH[0] // s), columns) for s in strides)


def pairs(columns, strides):
    """Two rows for each cell."""
    return tuple((2 * count, width) for count, width in rows(columns, strides))


TINY = (((10, 14), (23, 27)), ((81, 82), (135, 169)))
YOLO = (8, 16, 32)  # 96, 24 and 6 cells: 126 together
FIVE = (8, 16, 32, 64, 128)  # 129 cells together
EXTRA = {"head_layout": ("extra",)}
LAYOUTS = {
    "v2 planar": Layout("yolo_v2", maps(40, [32])),
    "v2 channels last": Layout("yolo_v2", maps(40, [32], last=True)),
    "v2 own anchors": Layout("yolo_v2", maps(16, [32]), spec={"anchors": (((20, 30), (50, 40)),)}, by_shape=False),
    "v3 three levels": Layout("yolo_v3", maps(24, YOLO)),
    "v3 channels last": Layout("yolo_v3", maps(24, YOLO, last=True)),
    "v3 tiny": Layout("yolo_v3", maps(24, [16, 32])),
    "v3 own anchors": Layout("yolo_v3", maps(16, [16, 32]), spec={"anchors": TINY}, by_shape=False),
    "v4 scale_xy": Layout("yolo_v3", maps(24, YOLO), spec={"scale_xy": (1.2, 1.1, 1.05)}),
    "v5 decoded": Layout("yolo_v5", ((378, 8),), activated),
    "v5 raw with an anchor axis": Layout("yolo_v5", tuple((3, h, w, 8) for _, h, w in maps(0, YOLO))),
    "v5 raw planar": Layout("yolo_v5", maps(24, YOLO), by_shape=False),
    "v8 decoded": Layout("yolo_v8", ((7, 126),), activated),
    "v8 decoded, transposed": Layout("yolo_v8", ((126, 7),), activated),
    "v8 raw": Layout("yolo_v8", maps(67, YOLO)),
    "v8 raw, channels last": Layout("yolo_v8", maps(67, YOLO, last=True), by_shape=False),
    "v8 raw, 80 classes": Layout("yolo_v8", maps(144, YOLO), classes=80),
    "v8 raw, 8 bins": Layout("yolo_v8", maps(35, YOLO)),
    "v8 raw, no bins": Layout("yolo_v8", maps(7, YOLO)),
    "v8 raw, box and class apart": Layout("yolo_v8", maps(3, YOLO) + maps(64, YOLO)),
    "v8 raw for RKNN": Layout("yolo_v8", maps(64, YOLO) + maps(3, YOLO) + maps(1, YOLO), activated),
    "v8 with extra channels": Layout("yolo_v8", ((7 + 51, 126),), activated, spec=EXTRA),
    "v8 with extra channels, transposed": Layout("yolo_v8", ((126, 7 + 51),), activated, spec=EXTRA),
    "v5 with extra channels": Layout("yolo_v5", ((378, 8 + 32),), activated, spec=EXTRA),
    "v10 with extra columns": Layout("yolo_v10", ((300, 6 + 32),), finished, spec=EXTRA),
    "v10": Layout("yolo_v10", ((300, 6),), finished),
    "v10, so many that doubles remain": Layout("yolo_v10", ((1200, 6),), finished),
    "finished": Layout("finished", ((200, 4), (200,), (200,)), listed, names=("a", "b_score", "c")),
    "finished, as EfficientNMS": Layout(
        "finished",
        ((1,), (200, 4), (200,), (200,)),
        listed,
        names=("num_dets", "det_boxes", "det_scores", "det_classes"),
    ),
    "finished, as the TensorFlow API": Layout(
        "finished",
        ((200, 4), (200,), (200,), (1,)),
        listed_in_fractions,
        spec={"head_layout": ("fraction", "yxyx")},
        names=("detection_boxes", "detection_classes", "detection_scores", "num_detections"),
    ),
    "finished, many with singleton axes, from one": Layout(
        "finished",
        ((1200, 1, 4), (1200, 1), (1200, 1)),
        listed,
        spec={"head_layout": ("cxcywh", "from_one")},
        names=("boxes", "scores", "labels"),
    ),
    "finished, as mmdeploy": Layout("finished", ((200, 5), (200,)), listed, names=("dets", "labels")),
    "finished, as YOLOv7": Layout(
        "finished", ((200, 7),), listed, spec={"head_layout": ("class_first",)}, by_shape=False
    ),
    "finished, as YOLO-NAS": Layout("finished", ((200, 7),), listed, by_shape=False),
    "finished, as Caffe": Layout(
        "finished", ((200, 7),), listed, spec={"head_layout": ("box_last", "class_first", "fraction")}, by_shape=False
    ),
    "finished, as PaddleDetection": Layout(
        "finished", ((200, 6), (1,)), listed, spec={"head_layout": ("box_last", "class_first")}
    ),
    "nanodet plus": Layout("nanodet_plus", ((128, 35),), activated),
    "dense, one table": Layout("dense", ((300, 7),), activated),
    "dense, one table as RT-DETR": Layout(
        "dense", ((300, 7),), activated, spec={"head_layout": ("cxcywh", "fraction")}
    ),
    "yolox": Layout("yolox", ((126, 8),), activated),
    "v6": Layout("yolo_v6", ((126, 8),), activated, by_shape=False),
    "v8 in fractions": Layout("yolo_v8", ((7, 126),), activated, spec={"head_layout": ("fraction",)}),
    "v5 in fractions": Layout("yolo_v5", ((378, 8),), activated, spec={"head_layout": ("fraction",)}),
    "v6 in fractions": Layout("yolo_v6", ((126, 8),), activated, spec={"head_layout": ("fraction",)}, by_shape=False),
    "dense": Layout("dense", ((200, 4), (200, 3)), activated),
    "dense, scores first": Layout("dense", ((200, 3), (200, 4)), activated),
    "dense, so many that doubles remain": Layout("dense", ((1200, 4), (1200, 3)), activated),
    "dense, as RF-DETR": Layout("dense", ((200, 4), (200, 3)), spec={"head_layout": ("cxcywh", "fraction", "sigmoid")}),
    "dense, as jetson-inference": Layout(
        "dense",
        ((200, 4), (200, 5)),
        activated,
        classes=4,
        spec={"head_layout": ("fraction", "background")},
        by_shape=False,
    ),
    "dense, as DETR": Layout(
        "dense",
        ((200, 5), (200, 4)),
        classes=4,
        spec={"head_layout": ("cxcywh", "fraction", "background", "softmax")},
        by_shape=False,
    ),
    "dense, as DETR of Hugging Face": Layout(
        "dense",
        ((200, 5), (200, 4), (200, 256)),
        classes=4,
        spec={"head_layout": ("cxcywh", "fraction", "no_object", "softmax")},
        names=("logits", "pred_boxes", "last_hidden_state"),
        by_shape=False,
    ),
    "nanodet": Layout("nanodet", rows(3, YOLO) + rows(32, YOLO), activated),
    "picodet, a stride that does not divide": Layout(
        "nanodet", rows(32, (*YOLO, 64)) + rows(3, (*YOLO, 64)), activated
    ),
    "fastestdet": Layout("fastestdet", maps(8, [16]), activated),
    "fastestv2": Layout("yolo_fastestv2", maps(18, [16, 32], last=True), activated),
    "fastestv2 planar": Layout("yolo_fastestv2", maps(18, [16, 32]), activated, by_shape=False),
    "fastestv2 planar, not activated": Layout(
        "yolo_fastestv2", maps(18, [16, 32]), spec={"head_layout": ("softmax",)}, by_shape=False
    ),
    "fastestv2, three maps": Layout(
        "yolo_fastestv2", maps(12, [16, 32]) + maps(3, [16, 32]) + maps(5, [16, 32]), classes=5
    ),
    "scrfd": Layout("scrfd", pairs(3, YOLO) + pairs(4, YOLO) + pairs(10, YOLO), activated),
    "scrfd, no landmarks": Layout("scrfd", pairs(1, YOLO) + pairs(4, YOLO), activated, classes=1),
    "scrfd, five levels": Layout("scrfd", rows(3, FIVE) + rows(4, FIVE) + rows(10, FIVE), activated),
    "scrfd, maps": Layout("scrfd", maps(2, YOLO) + maps(8, YOLO), classes=1, spec={"head_layout": ("sigmoid",)}),
    "yunet": Layout("yunet", rows(3, YOLO) + rows(1, YOLO) + rows(4, YOLO) + rows(10, YOLO), activated),
    "yunet, no landmarks": Layout("yunet", rows(3, YOLO) + rows(1, YOLO) + rows(4, YOLO), activated),
    "retinaface": Layout("retinaface", ((252, 4), (252, 5), (252, 10)), activated, classes=4),
    "retinaface, not activated": Layout(
        "retinaface", ((252, 4), (252, 2), (252, 10)), classes=1, spec={"head_layout": ("softmax",)}
    ),
    "retinaface slim": Layout("retinaface", ((354, 2), (354, 4), (354, 10)), activated, classes=1),
    "ultraface raw": Layout("ultraface_raw", ((354, 2), (354, 4)), activated, classes=1, by_shape=False),
    "blazeface": Layout("blazeface", ((336, 16), (336, 3))),
    "blazeface, two parts": Layout("blazeface", ((192, 16), (144, 16), (192, 3), (144, 3))),
    "v5 face": Layout("yolo_v5_face", ((378, 18),), activated),
    "v5 face raw": Layout("yolo_v5_face", tuple((3, h, w, 18) for _, h, w in maps(0, YOLO))),
    "v5 face raw planar": Layout("yolo_v5_face", maps(54, YOLO), by_shape=False),
    "torchvision ssdlite": Layout("ssd", ((210, 4), (210, 5)), classes=4),
    "ssd, own anchors": Layout("ssd", ((60, 5), (60, 4)), classes=4, spec={"anchors": TINY, "strides": (16, 32)}),
    "tensorflow ssd": Layout("ssd", ((138, 1, 4), (138, 5)), classes=4),
    "ultraface": Layout("ssd", ((354, 2), (354, 4)), activated, classes=1),
    "efficientdet maps": Layout("efficientdet", maps(36, FIVE) + maps(27, FIVE)),
    "efficientdet channels last": Layout("efficientdet", maps(27, FIVE, last=True) + maps(36, FIVE, last=True)),
    "efficientdet flat": Layout("efficientdet", ((1161, 3), (1161, 4))),
}
each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def test_every_member_has_a_layout_here():
    assert {layout.family for layout in LAYOUTS.values()} == set(plugins.names("heads"))


@pytest.mark.parametrize("family", plugins.names("heads"))
def test_a_member_offers_the_contract(family):
    head = heads.load_head(family)
    assert head.SUMMARY and "\n" not in head.SUMMARY
    ModelSpec(family, WH, **head.DEFAULTS)
    for words in heads.layouts(head, ModelIO("images", (1, 3, *WH[::-1]), {"out": (1, 300, 6)})):
        ModelSpec(family, WH, head_layout=words)


@each_layout
def test_native_description_is_the_numpy_decode(layout, native, plain, assert_same):
    io, spec = layout.model()
    head = heads.load_head(layout.family)
    read = heads.selected(head, io, spec.head_layout)
    io, tensors = io.of(read), [layout.tensors()[number] for number in read]
    boxes, scores = head.decode([tensor[0] for tensor in tensors], spec)
    assert boxes.dtype == scores.dtype == np.float32 and scores.shape == (len(boxes), layout.classes)
    ranked = np.sort(scores[scores > 0])[::-1]
    conf = float(ranked[: 300 + 1][-2:].mean())  # between two scores, so that rounding cannot move one across
    decode = head.describe(io, spec)
    assert decode.num_classes == layout.classes
    assert_same(native(decode, tensors, WH, conf, 1.0), plain(boxes, scores, WH, conf, 1.0))
    iou = 0.45 if decode.nms else 1.0
    assert_same(native(decode, tensors, WH, conf, 0.45), plain(boxes, scores, WH, conf, iou))


@each_layout
def test_output_order_does_not_matter(layout):
    io, spec = layout.model()
    head, tensors = heads.load_head(layout.family), [tensor[0] for tensor in layout.tensors()]
    order = np.random.RandomState(3).permutation(len(tensors))
    shuffled = io.of(order)
    read, moved = (heads.selected(head, one, spec.head_layout) for one in (io, shuffled))
    got = head.decode([tensors[order[number]] for number in moved], spec)
    for found, expected in zip(got, head.decode([tensors[number] for number in read], spec)):
        np.testing.assert_array_equal(found, expected)
    plain, again = head.describe(io.of(read), spec), head.describe(shuffled.of(moved), spec)
    levels = zip(plain.renumbered(read).levels, again.renumbered([order[number] for number in moved]).levels)
    assert all(one.box.tensor == other.box.tensor and one.score.tensor == other.score.tensor for one, other in levels)


@each_layout
def test_shapes_and_class_count_identify_the_family(layout):
    io, _ = layout.model()
    if layout.by_shape and layout.spec is None:
        assert heads.fitting(io, layout.classes)[0] == layout.family


@each_layout
def test_a_wrong_number_of_labels_is_refused(layout):
    io, spec = layout.model()
    if layout.family in ("yolo_v10", "finished") or layout.spec == EXTRA:
        return  # finished boxes carry class ids, and before `extra` channels any number of classes may be right
    with pytest.raises(SpecError) as caught:
        heads.load_head(layout.family).describe(io, replace(spec, labels=(*spec.labels, "one too many")))
    assert "--labels" in caught.value.hint


@each_layout
def test_another_layouts_outputs_are_refused_not_read(layout):
    io = ModelIO("images", (1, 3, 64, 96), {"logits": (1, 1000)})
    with pytest.raises(SpecError) as caught:
        heads.load_head(layout.family).describe(io, layout.model()[1])
    assert "1000" in str(caught.value) and "--family" in caught.value.hint


def test_v8_maps_need_channels_for_boxes():
    io, spec = Layout("yolo_v8", maps(8, YOLO), classes=8).model()
    with pytest.raises(SpecError):
        heads.load_head("yolo_v8").describe(io, spec)


sides = st.sampled_from(
    [
        -1,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        12,
        15,
        24,
        36,
        64,
        84,
        96,
        126,
        144,
        192,
        210,
        300,
        336,
        354,
        378,
        1161,
        2,
        10,
        16,
        18,
    ]
)
any_shapes = st.lists(st.lists(sides, max_size=5).map(lambda s: (1, *s)), max_size=6)


@given(any_shapes, st.sampled_from([WH, (64, 64), (-1, -1), (0, 64), (1, 1)]), st.none() | st.integers(1, 90))
def test_odd_shapes_are_recognised_or_refused_in_words(shapes, size_wh, num_classes):
    io = ModelIO("images", (1, 3, *size_wh), {f"out{i}": shape for i, shape in enumerate(shapes)})
    try:
        assert heads.fitting(io, num_classes)[0] in plugins.names("heads")
    except EdgeError as error:
        assert error.hint
