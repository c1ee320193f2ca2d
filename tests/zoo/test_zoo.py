"""Every architecture: a sound table, a valid ONNX file that a Detector opens, weights that survive the round trip."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge_runtime import heads, plugins, zoo
from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError, SpecError, UsageError
from edge_runtime.model.labels import VOC
from edge_runtime.model.spec import ModelIO
from edge_runtime.zoo import stats, weights
from edge_runtime.zoo.__main__ import main
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import IMAGE, Layer, Table

PRESETS = {name: plugins.load_member("zoo", name).PRESETS for name in zoo.names()}
SMALL = ("yolo_nano", "tiny_yolo_v3", "leyolo", "ssdlite")  # the others have large weights, or blocks of these
LIGHT = ("leyolo", "leneck", "ssdlite")  # each preset has a trunk of its own
TRIED = [(name, preset) for name in PRESETS for preset in (PRESETS[name] if name in LIGHT else PRESETS[name][:1])]
ort = pytest.importorskip("onnxruntime")


def run(model: onnx.ModelProto, image: np.ndarray) -> list:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {IMAGE: image})


def lively(architecture) -> dict:
    """Random weights whose normalisation is no identity."""
    values, random = weights.random(architecture, seed=1), np.random.RandomState(2)
    for name, value in values.items():
        if ".bn." in name or name.endswith(".bias"):
            value += random.uniform(0.0, 0.2, value.shape).astype(np.float32)
    return values


@pytest.mark.parametrize("name", zoo.names())
def test_the_head_reads_what_the_table_says(name):
    for preset in PRESETS[name]:
        architecture = zoo.build(name, VOC, 416, preset)
        sizes = architecture.sizes()
        io = ModelIO(IMAGE, (1, 3, 416, 416), {output: (1, *sizes[output]) for output in architecture.outputs})
        decode = heads.load_head(architecture.spec.family).describe(io, architecture.spec)
        assert decode is not None and decode.num_classes == 20
        assert len(decode.levels) == (len(architecture.spec.strides) or 1), "all levels of ssd stand in one table"


@pytest.mark.parametrize("name", SMALL)
def test_folding_changes_nothing(name):
    architecture = zoo.build(name, VOC[:4], 64)
    values = lively(architecture)
    image = np.random.RandomState(0).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)
    folded, kept = (run(to_onnx(architecture, values, keep_bn=keep), image) for keep in (False, True))
    for one, other in zip(folded, kept):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("keep_bn", [False, True])
@pytest.mark.parametrize("name, preset", [("yolo_nano", "salvi"), ("leyolo", "medium"), ("ssdlite", None)])
def test_weights_come_back_from_a_file(name, preset, keep_bn):
    architecture = zoo.build(name, VOC, 64, preset)
    model = to_onnx(architecture, lively(architecture), keep_bn=keep_bn)
    again = to_onnx(architecture, weights.from_onnx(model, architecture), keep_bn=keep_bn)
    image = np.random.RandomState(0).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)
    for one, other in zip(run(model, image), run(again, image)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())
    with pytest.raises(ModelError):
        weights.from_onnx(model, zoo.build("tiny_yolo_v3", VOC, 64))


def test_a_detector_opens_an_exported_file_without_flags(tmp_path):
    path = tmp_path / "nano.onnx"
    assert main(["yolo_nano", "-o", str(path), "--imgsz", "96", "--classes", "voc"]) == 0
    with Detector.open(str(path), options=BackendOptions(backend="onnxruntime", threads=1)) as detector:
        assert detector.model.notes == () and detector.model.spec.labels == VOC
        detector(np.zeros((50, 70, 3), np.uint8))


def test_the_command_lists_and_refuses(capsys):
    assert main(["--list"]) == 0 and "paper_budget" in capsys.readouterr().out
    flags = ["yolo_nano", "-o", "x.onnx"]
    for wrong in (["yolo_mega", *flags[1:]], ["yolo_nano"], [*flags, "--imgsz", "100"], [*flags, "--preset", "x"],
                  [*flags, "--weights", "none.npz"], ["layers", "--list"]):  # fmt: skip
        assert main(wrong) == 1
        assert "hint: " in capsys.readouterr().err


def test_names_of_files_are_escaped_in_errors(tmp_path, capsys):
    odd = str(tmp_path / "\x1b[31m")
    flags = ["yolo_nano", "-o", str(tmp_path / "x.onnx"), "--weights", f"{odd}.npz"]
    assert (main(flags), stats.main([f"{odd}.onnx"])) == (1, 1)
    said = capsys.readouterr().err
    assert "\x1b" not in said and said.count("\\u001b[31m") >= 2


def test_outputs_that_nobody_could_tell_apart_are_not_made(tmp_path, capsys):
    assert main(["ssdlite", "-o", str(tmp_path / "x.onnx"), "--classes", "3"]) == 1
    assert "fourth class" in capsys.readouterr().err and not (tmp_path / "x.onnx").exists()


def test_the_language_refuses_nonsense():
    table = Table()
    with pytest.raises(SpecError):
        table.conv("a", "nowhere", 8)
    table.conv("a", IMAGE, 8)
    with pytest.raises(SpecError):
        table.conv("a", IMAGE, 8)
    with pytest.raises(SpecError):
        Layer("b", "transformer", ("a",), 8)
    with pytest.raises(UsageError):
        zoo.build("yolo_nano", VOC, 100)


@pytest.mark.parametrize("name, preset", TRIED)
def test_torch_and_onnx_agree(name, preset):
    torch = pytest.importorskip("torch")
    from tools.train.torch_net import TorchNet

    architecture = zoo.build(name, VOC, 64, preset)
    values = lively(architecture)
    net = TorchNet(architecture).eval()
    net.load_table(values)
    image = np.random.RandomState(0).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)
    with torch.no_grad():
        outputs = [output.numpy() for output in net(torch.from_numpy(image))]
    for ours, theirs in zip(run(to_onnx(architecture, net.table_weights()), image), outputs):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(theirs).max())))
