"""Files of exporters, each with one known object: it is found at its place by both libraries, and no flag is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np
import pytest

from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError, SpecError
from tests.heads import exporters as made
from tests.tiny import write_onnx

pytest.importorskip("onnxruntime")


class Case(NamedTuple):
    outputs: Callable[[], made.Outputs]
    family: str
    wh: Tuple[int, int] = (640, 640)
    box: Tuple[float, ...] = made.BOX
    layout: Tuple[str, ...] = ()
    label: str = "face"


READ = {
    "SCRFD": Case(made.scrfd, "scrfd"),
    "SCRFD without landmarks": Case(lambda: made.scrfd(landmarks=False), "scrfd"),
    "SCRFD without a batch axis": Case(lambda: made.without_batch(made.scrfd()), "scrfd"),
    "SCRFD at 640 x 640 of five levels": Case(lambda: made.scrfd(strides=(8, 16, 32, 64, 128), anchors=1), "scrfd"),
    "SCRFD as maps": Case(lambda: made.as_maps(made.scrfd()), "scrfd"),
    "SCRFD as maps, scores not activated": Case(
        lambda: made.as_maps(made.scrfd(), raw=True), "scrfd", layout=("sigmoid",)
    ),
    "YuNet": Case(made.yunet, "yunet"),
    "YuNet without landmarks": Case(lambda: made.yunet(landmarks=False), "yunet"),
    "RetinaFace": Case(made.retinaface, "retinaface"),
    "RetinaFace, scores not activated": Case(
        lambda: made.retinaface(softmaxed=False), "retinaface", layout=("softmax",)
    ),
    "RetinaFace of a size that no stride divides": Case(lambda: made.retinaface(500), "retinaface", (500, 500)),
    "RetinaFace without landmarks": Case(lambda: made.retinaface(landmarks=False), "retinaface"),
    "Slim with landmarks": Case(made.slim, "retinaface", (320, 320), made.SMALL),
    "UltraFace without post-processing": Case(made.ultraface, "ultraface_raw", (320, 240), made.SMALL),
    "UltraFace, scores not activated": Case(
        lambda: made.ultraface(False), "ultraface_raw", (320, 240), made.SMALL, ("softmax",)
    ),
    "BlazeFace": Case(made.blazeface, "blazeface", (128, 128), made.SMALL),
    "BlazeFace in two parts": Case(lambda: made.blazeface(parts=True), "blazeface", (128, 128), made.SMALL),
    "BlazeFace of the back camera": Case(lambda: made.blazeface(256), "blazeface", (256, 256), made.SMALL),
    "BlazeFace of the full range": Case(made.full_range, "blazeface", (192, 192), made.SMALL),
    "YOLOv5-face": Case(made.yolo_v5_face, "yolo_v5_face"),
    "Yolo-FastestV2, three maps": Case(made.fastest_v2, "yolo_fastestv2", (352, 352), made.LOW, label="toothbrush"),
    "Yolo-FastestV2, one planar map": Case(
        lambda: made.fastest_v2(joined=True, activated=True), "yolo_fastestv2", (352, 352), made.LOW, label="toothbrush"
    ),
    "Yolo-FastestV2, one planar map, not activated": Case(
        lambda: made.fastest_v2(joined=True), "yolo_fastestv2", (352, 352), made.LOW, ("softmax",), label="toothbrush"
    ),
    "Yolo-FastestV2 of one class": Case(
        lambda: made.fastest_v2(joined=True, activated=True, classes=1),
        "yolo_fastestv2",
        (352, 352),
        made.LOW,
        label="0",
    ),
}


def written(folder: Path, outputs: made.Outputs, wh: Tuple[int, int]) -> str:
    return write_onnx(folder / "m.onnx", outputs, (1, 3, *reversed(wh)))


@pytest.mark.parametrize("case", READ.values(), ids=READ.keys())
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_object_of_an_exporters_file_is_found(case: Case, backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    path = written(tmp_path, case.outputs(), case.wh)
    with Detector.open(path, conf=0.5, backend=backend, threads=1) as detector:
        spec, notes = detector.model.spec, detector.model.notes
        assert (spec.family, spec.head_layout) == (case.family, case.layout)
        (face,) = detector(np.zeros((*reversed(case.wh), 3), np.uint8))
    assert face.label == case.label and face.confidence == pytest.approx(made.SCORE, abs=0.01)
    assert face.xyxy == pytest.approx(case.box, abs=2)
    points = any(len(array.shape) > 1 and array.shape[-1] in (10, 16) for array in case.outputs().values())
    points |= any(array.shape[1:2] == (20,) for array in case.outputs().values())
    assert any("landmarks" in note for note in notes) == points, "what is left out is said"
    assert (case.label != "face") == all("taken as face" not in note for note in notes)


def test_finished_boxes_of_ultraface_must_lie_near_their_priors(tmp_path: Path) -> None:
    outputs, box = made.ultraface_like_corners()
    with Detector.open(written(tmp_path, outputs, (320, 240)), conf=0.5, threads=1) as detector:
        (face,) = detector(np.zeros((240, 320, 3), np.uint8))
        assert detector.model.spec.family == "ultraface_raw" and face.xyxy == pytest.approx(box, abs=0.1)
        assert any("far from their places" in note for note in detector.model.notes)


def test_the_trained_ultraface_is_finished_and_finds_faces(shared: Path) -> None:
    with Detector.open(shared / "models" / "ultraface" / "version-RFB-320.onnx", conf=0.7, threads=1) as detector:
        assert detector.model.spec.family == "ssd" and detector.model.spec.labels == ("face",)


@pytest.mark.parametrize("how", [{"family": "yolo_v5_face"}, {"labels": "face"}])
def test_raw_maps_of_yolov5_face_need_a_word(how: dict, tmp_path: Path) -> None:
    path = written(tmp_path, made.yolo_v5_face_raw(), (640, 640))
    with Detector.open(path, conf=0.5, threads=1, **how) as detector:
        (face,) = detector(np.zeros((640, 640, 3), np.uint8))
    assert face.label == "face" and face.xyxy == pytest.approx(made.BOX, abs=2)
    with Detector.open(path, threads=1) as detector:
        assert any("--family yolo_v5_face" in note for note in detector.model.notes), "never in silence"


def changed(outputs: made.Outputs, start: str, values: Callable[[np.ndarray], np.ndarray]) -> made.Outputs:
    return {name: values(array) if name.startswith(start) else array for name, array in outputs.items()}


REFUSED = {
    "SCRFD, scores that are none": (
        lambda: changed(made.scrfd(), "score", lambda a: a * 1000), (640, 640), "scores would be"),
    "SCRFD, every place full": (
        lambda: changed(made.scrfd(), "score", lambda a: a * 0 + np.linspace(0.4, 0.9, a.size).reshape(a.shape)),
        (640, 640), "half of all places"),
    "SCRFD, boxes inside out": (
        lambda: changed(made.scrfd(), "bbox", lambda a: -a), (640, 640), "no area"),
    "YuNet, logits": (lambda: changed(made.yunet(), "cls", lambda a: a - 8), (640, 640), "scores would be"),
    "YuNet, logits of objectness": (
        lambda: changed(made.yunet(), "obj", lambda a: a - 8), (640, 640), "objectness would be"),
    "RetinaFace, decoded by the network": (
        lambda: made.decoded(made.retinaface()), (640, 640), "decoded a second time"),
    "RetinaFace, scores of other kinds": (
        lambda: changed(made.retinaface(), "outputt", lambda a: a * np.random.default_rng(3).normal(0, 9, a.shape)),
        (640, 640), "contradict it"),
    "UltraFace, boxes everywhere": (
        lambda: changed(made.ultraface(), "boxes", lambda a: a * 40), (320, 240), "contradict it"),
    "BlazeFace, scores activated": (
        lambda: changed(made.blazeface(), "class", lambda a: 1 / (1 + np.exp(-a))), (128, 128), "a second time"),
    "YOLOv5-face with the class first": (
        lambda: {"output": np.roll(made.yolo_v5_face()["output"], 1, axis=2)}, (640, 640), "scores would be"),
    "Yolo-FastestV2, three maps, activated": (
        lambda: made.fastest_v2(activated=True), (352, 352), "activated a second time"),
}  # fmt: skip


@pytest.mark.parametrize(("outputs", "wh", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_values_that_contradict_the_family_are_refused(outputs, wh, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        Detector.open(written(tmp_path, outputs(), wh), backend="onnxruntime", threads=1)


@pytest.mark.parametrize("name", READ)
def test_a_wrong_number_of_names_is_refused(name: str, tmp_path: Path) -> None:
    case = READ[name]
    with pytest.raises(SpecError, match="classes"):
        Detector.open(written(tmp_path, case.outputs(), case.wh), labels="a,b", family=case.family, threads=1)


def cut(
    source: Path,
    target: Path,
    outputs: Tuple[str, ...],
    joins: Tuple[Tuple[str, ...], ...] = (),
    shapes: Optional[Dict[str, Tuple[int, ...]]] = None,
) -> str:
    """Writes the trained network up to the tensors of these names; each of `joins` is concatenated into one output."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(source))
    for number, parts in enumerate(joins):
        model.graph.node.append(onnx.helper.make_node("Concat", parts, [f"joined{number}"], axis=1))
    del model.graph.output[:]
    for name in (*outputs, *(f"joined{number}" for number in range(len(joins)))):
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (shapes or {}).get(name))
        )
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    onnx.save(inferred, str(target))
    return str(target)


def same_boxes(whole: Path, part: str, pictures: Tuple[Path, ...], **flags: object) -> str:
    """Asserts that both find the same boxes in the pictures, at least one. Returns the family of the part."""
    count = 0
    with Detector.open(whole, conf=0.4, threads=1) as one, Detector.open(part, conf=0.4, threads=1, **flags) as other:
        for picture in pictures:
            want, got = one(picture), other(picture)
            assert len(want) == len(got)
            np.testing.assert_allclose(got.xyxy, want.xyxy, atol=0.1)
            np.testing.assert_allclose(got.confidence, want.confidence, atol=1e-3)
            np.testing.assert_array_equal(got.class_id, want.class_id)
            count += len(want)
        assert count > 0
        return other.model.spec.family


@pytest.mark.parametrize("scores", ["scores", "459"], ids=["softmaxed", "as they are"])
def test_the_trained_ultraface_cut_before_its_tail_finds_what_the_whole_finds(scores, shared, tmp_path: Path) -> None:
    whole = shared / "models" / "ultraface" / "version-RFB-320.onnx"
    pictures = tuple(shared / "images" / name for name in ("bus.jpg", "voc07test_000001.jpg"))
    shapes = {"460": (1, 4420, 4), scores: (1, 4420, 2)}
    part = cut(whole, tmp_path / "cut.onnx", tuple(shapes), shapes=shapes)
    assert same_boxes(whole, part, pictures) == "ultraface_raw"


FASTEST_V2 = {
    "three maps": (("777", "778", "779", "780", "781", "782"), ()),
    "three maps, in another order": (("782", "781", "780", "779", "778", "777"), ()),
    "one planar map": (("793", "795"), ()),
    "one planar map, not activated": ((), (("777", "778", "779"), ("780", "781", "782"))),
}


@pytest.mark.parametrize(("outputs", "joins"), FASTEST_V2.values(), ids=FASTEST_V2.keys())
def test_the_trained_yolo_fastestv2_cut_before_its_tail_finds_what_the_whole_finds(
    outputs, joins, shared, tmp_path: Path
) -> None:
    whole = shared / "models" / "yolofastestv2" / "yolo_fastestv2_2out.onnx"
    pictures = tuple(shared / "images" / name for name in ("bus.jpg", "dog.jpg", "horses.jpg"))
    assert same_boxes(whole, cut(whole, tmp_path / "cut.onnx", outputs, joins), pictures) == "yolo_fastestv2"
