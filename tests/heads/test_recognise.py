"""Families from shapes alone: the models of the field, and the shapes that two families share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_runtime import heads
from edge_runtime.errors import ModelError
from edge_runtime.model.labels import COCO
from edge_runtime.model.outputs import settled
from edge_runtime.model.spec import ModelIO, ModelSpec


def io(input_wh, *shapes) -> ModelIO:
    return ModelIO("images", (1, 3, *input_wh[::-1]), {f"out{i}": shape for i, shape in enumerate(shapes)})


def square(side, *shapes) -> ModelIO:
    return io((side, side), *shapes)


MODELS = {  # family, classes, outputs
    "yolov5n 640": ("yolo_v5", 80, square(640, (1, 25200, 85))),
    "yolov5, one class": ("yolo_v5", 1, square(640, (1, 25200, 6))),
    "darknet two levels, decoded": ("yolo_v5", 20, square(320, (1, 1500, 25))),
    "yolov5 raw": ("yolo_v5", 80, square(640, (1, 3, 80, 80, 85), (1, 3, 40, 40, 85), (1, 3, 20, 20, 85))),
    "yolov8n 640": ("yolo_v8", 80, square(640, (1, 84, 8400))),
    "yolov8, one class": ("yolo_v8", 1, square(640, (1, 5, 8400))),
    "yolo11n 320": ("yolo_v8", 80, square(320, (1, 84, 2100))),
    "yolov8 128, 84 is a number of cells too": ("yolo_v8", 80, square(128, (1, 84, 336))),
    "yolov8 rectangular": ("yolo_v8", 80, io((640, 384), (1, 84, 5040))),
    "yolov8 p6": ("yolo_v8", 80, square(1280, (1, 84, 34000))),
    "yolov3-tinyu": ("yolo_v8", 80, square(640, (1, 84, 2000))),
    "yolov8 raw": ("yolo_v8", 80, square(640, (1, 144, 80, 80), (1, 144, 40, 40), (1, 144, 20, 20))),
    "yolox nano 416": ("yolox", 80, square(416, (1, 3549, 85))),
    "yolox, one class": ("yolox", 1, square(640, (1, 8400, 6))),
    "yolov3 416 voc": ("yolo_v3", 20, square(416, (1, 75, 13, 13), (1, 75, 26, 26), (1, 75, 52, 52))),
    "yolov3 416 coco": ("yolo_v3", 80, square(416, (1, 255, 52, 52), (1, 255, 26, 26), (1, 255, 13, 13))),
    "yolov3 tiny": ("yolo_v3", 80, square(416, (1, 255, 13, 13), (1, 255, 26, 26))),
    "yolov3 from keras": ("yolo_v3", 80, square(416, (1, 13, 13, 255), (1, 26, 26, 255), (1, 52, 52, 255))),
    "yolov2 tiny voc": ("yolo_v2", 20, square(416, (1, 125, 13, 13))),
    "yolov2 coco": ("yolo_v2", 80, square(416, (1, 425, 13, 13))),
    "fastestdet": ("fastestdet", 80, square(352, (1, 85, 22, 22))),
    "yolo-fastestv2": ("yolo_fastestv2", 80, square(352, (1, 22, 22, 95), (1, 11, 11, 95))),
    "nanodet m": (
        "nanodet",
        80,
        square(416, (1, 2704, 80), (1, 676, 80), (1, 169, 80), (1, 2704, 32), (1, 676, 32), (1, 169, 32)),
    ),
    "picodet s": (
        "nanodet",
        80,
        square(416, *[(1, n, k) for k in (80, 32) for n in (2704, 676, 169, 49)]),
    ),
    "ultraface 320": ("ssd", 1, io((320, 240), (1, 4420, 2), (1, 4420, 4))),
    "ultraface 640": ("ssd", 1, io((640, 480), (1, 17640, 2), (1, 17640, 4))),
    "ssdlite320": ("ssd", 90, square(320, (1, 3234, 4), (1, 3234, 91))),
    "ssd mobilenet 300": ("ssd", 90, square(300, (1, 1917, 1, 4), (1, 1917, 91))),
    "efficientdet d0": ("efficientdet", 90, square(512, (1, 49104, 90), (1, 49104, 4))),
    "efficientdet d0 maps": (
        "efficientdet",
        90,
        square(512, *[(1, k, s, s) for k in (810, 36) for s in (64, 32, 16, 8, 4)]),
    ),
    "scrfd 10g, from a file without a batch axis": (
        "scrfd",
        1,
        square(640, *[(rows, columns) for columns in (1, 4, 10) for rows in (12800, 3200, 800)]),
    ),
    "scrfd 500m, no landmarks": (
        "scrfd",
        1,
        square(640, *[(1, rows, columns) for columns in (1, 4) for rows in (12800, 3200, 800)]),
    ),
    "scrfd maps": (
        "scrfd",
        1,
        io((640, 384), *[(1, k, h, 5 * h // 3) for k in (2, 8, 20) for h in (48, 24, 12)]),
    ),
    "yunet": (
        "yunet",
        1,
        square(640, *[(1, rows, columns) for columns in (1, 1, 4, 10) for rows in (6400, 1600, 400)]),
    ),
    "retinaface": ("retinaface", 1, square(640, (1, 16800, 4), (1, 16800, 2), (1, 16800, 10))),
    "retinaface, no landmarks": ("retinaface", 1, square(640, (1, 16800, 2), (1, 16800, 4))),
    "retinaface of masks": ("retinaface", 2, square(840, (1, 29126, 4), (1, 29126, 3), (1, 29126, 10))),
    "slim with landmarks": ("retinaface", 1, io((320, 240), (1, 4420, 4), (1, 4420, 2), (1, 4420, 10))),
    "blazeface front": ("blazeface", 1, square(128, (1, 896, 16), (1, 896, 1))),
    "blazeface back": ("blazeface", 1, square(256, (1, 512, 1), (1, 384, 1), (1, 512, 16), (1, 384, 16))),
    "blazeface full range": ("blazeface", 1, square(192, (1, 2304, 16), (1, 2304, 1))),
    "yolo-fastestv2, three maps": (
        "yolo_fastestv2",
        80,
        square(352, *[(1, k, s, s) for s in (22, 11) for k in (12, 3, 80)]),
    ),
    "yolo-fastestv2, planar": ("yolo_fastestv2", 80, square(352, (1, 95, 22, 22), (1, 95, 11, 11))),
    "yolo-fastestv2, planar, one class": ("yolo_fastestv2", 1, square(352, (1, 16, 22, 22), (1, 16, 11, 11))),
    "efficientdet lite0": ("efficientdet", 90, square(320, (1, 19206, 90), (1, 19206, 4))),
}


@pytest.mark.parametrize("family, classes, model", MODELS.values(), ids=MODELS.keys())
def test_a_model_is_known_by_its_shapes(family, classes, model):
    model = settled(model)
    assert heads.fitting(model)[0] == family, "without knowing the number of classes"
    assert heads.load_head(family).classes(model) == classes
    assert heads.fitting(model, classes)[0] == family


def test_finished_boxes_are_known_but_not_their_classes():
    model = square(640, (1, 300, 6))
    assert heads.fitting(model)[0] == heads.fitting(model, 80)[0] == "yolo_v10"
    head = heads.load_head("yolo_v10")
    assert head.classes(model) == 80 and "how many classes" in head.doubt(
        model, ModelSpec("yolo_v10", (640, 640), COCO)
    )
    assert head.doubt(model, ModelSpec("yolo_v10", (640, 640), ("a", "b"))) == ""


SHARED = {  # what the shapes alone are taken for; the number of classes that makes them another family
    "144 planar": (square(416, *[(1, 144, s, s) for s in (52, 26, 13)]), "yolo_v8", 43, "yolo_v3"),
    "75 planar": (square(416, *[(1, 75, s, s) for s in (52, 26, 13)]), "yolo_v3", 11, "yolo_v8"),
    "75 channels last": (square(416, (1, 26, 26, 75), (1, 13, 13, 75)), "yolo_v3", 60, "yolo_fastestv2"),
    "16 columns, three rows per cell": (square(640, (1, 25200, 16)), "yolo_v5", 1, "yolo_v5_face"),
    "maps of 16 channels, three anchors": (
        square(640, *[(1, 3, s, s, 16) for s in (80, 40, 20)]),
        "yolo_v5",
        1,
        "yolo_v5_face",
    ),
    "95 planar": (square(352, (1, 95, 22, 22), (1, 95, 11, 11)), "yolo_fastestv2", 31, "yolo_v8"),
    "85 columns, a row per cell": (square(640, (1, 8400, 85)), "yolox", 81, "yolo_v8"),
}


@pytest.mark.parametrize("model, alone, classes, told", SHARED.values(), ids=SHARED.keys())
def test_shared_shapes_are_settled_by_the_number_of_classes(model, alone, classes, told):
    assert heads.fitting(model)[0] == alone
    assert heads.fitting(model, classes)[0] == told


UNKNOWN = {
    "a classifier": square(224, (1, 1000)),
    "a segmenter": square(512, (1, 21, 512, 512)),
    "open sizes": io((-1, -1), (1, -1, 85)),
    "open rows": square(640, (1, 84, -1)),
    "nothing": square(640),
    "boxes and scores of four columns both": square(320, (1, 3234, 4), (1, 3234, 4)),
    "yunet of 2022": square(640, (1, 23500, 14), (1, 23500, 2), (1, 23500, 1)),
    "retinaface of another size": square(320, (1, 16800, 4), (1, 16800, 2), (1, 16800, 10)),
    "a level without boxes": square(640, (1, 12800, 1), (1, 3200, 1), (1, 800, 1), (1, 12800, 4), (1, 3200, 4)),
    "landmarks alone": square(640, (1, 12800, 10), (1, 3200, 10), (1, 800, 10)),
    "rows of no grid": square(640, (1, 25201, 85)),
    "two levels of different classes": square(416, (1, 75, 13, 13), (1, 255, 26, 26)),
    "the same level twice": square(416, (1, 75, 13, 13), (1, 75, 13, 13)),
}


@pytest.mark.parametrize("model", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_no_detector_is_an_error_that_lists_what_was_seen(model):
    with pytest.raises(ModelError) as caught:
        heads.fitting(model)[0]
    assert caught.value.hint and all(str(list(shape)) in str(caught.value) for shape in model.shapes)


def test_every_shared_model_is_recognised(shared):
    from edge_runtime.model.onnx_file import read_io

    lines = [line.split("\t") for line in (shared / "models" / "AP.tsv").read_text(encoding="utf-8").splitlines()]
    told = {line[0]: line[4].split() for line in lines if len(line) > 4 and line[0].endswith(".onnx")}
    for file, flags in told.items():
        family = flags[flags.index("--family") + 1]
        assert heads.fitting(read_io(str(shared / "models" / file)))[0] == family, file
    assert len(told) >= 16


@pytest.mark.parametrize(
    ("strides", "taken", "color"), [((8, 16, 32), "NanoDet", "bgr"), ((8, 16, 32, 64), "PicoDet", "rgb")]
)
def test_picodet_is_known_by_its_fourth_level(strides, taken, color):
    head = heads.load_head("nanodet")
    model = square(416, *[(1, (-(-416 // s)) ** 2, c) for c in (80, 32) for s in strides])
    usual = head.defaults(model)
    assert usual["color"] == color
    spec = ModelSpec("nanodet", (416, 416), COCO, **usual)
    assert f"taken for {taken}" in head.doubt(model, spec)
    assert head.doubt(model, replace(spec, std=(255.0,) * 3)) == "", "the user has said it"
