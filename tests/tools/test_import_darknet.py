"""Darknet networks: every section against plain loops, real files against their ONNX twins, misfits refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from edge_runtime.backends import BackendOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import ModelError
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.zoo.export import to_onnx

PATH = Path(__file__).resolve().parents[2] / "tools" / "import_darknet.py"
_loader = importlib.util.spec_from_file_location("import_darknet", PATH)
darknet = importlib.util.module_from_spec(_loader)
_loader.loader.exec_module(darknet)

CFG = """
[net]
width=64
height=32
# each kind of section once, and what is peculiar to Darknet: padding of pools, counting of layers
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish
[maxpool]
size=2
stride=2
[convolutional]
filters=8
size=3
groups=4
pad=1
activation=swish
[dropout]
probability=.2
[shortcut]
from=-3
activation=relu
[route]
layers=-1
groups=2
group_id=1
[maxpool]
size=3
stride=1
[route]
layers=-1,-3
[avgpool]
[convolutional]
filters=12
activation=logistic
[scale_channels]
from=-3
[maxpool]
size=2
stride=1
[upsample]
stride=2
[route]
layers=-1,0
[convolutional]
size=1
filters=14
activation=linear
[yolo]
mask=1,2
anchors=1,2, 3,4, 5,6
classes=2
scale_x_y=1.05
"""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACT = {
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "swish": lambda x: x * sigmoid(x),
    "logistic": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
}


class Plain:
    """Darknet's arithmetic in plain numpy loops, straight from its definitions."""

    def __init__(self, weights: np.ndarray) -> None:
        self._weights, self._used = weights, 0

    def take(self, *shape: int) -> np.ndarray:
        count = int(np.prod(shape))
        self._used += count
        return self._weights[self._used - count : self._used].reshape(shape)

    def conv(self, x, filters, kernel, stride, groups, normalise, act):
        shift = self.take(filters)
        scale, mean, var = (self.take(filters), self.take(filters), self.take(filters)) if normalise else (1, 0, None)
        weight = self.take(filters, len(x) // groups, kernel, kernel)
        pad = kernel // 2
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        height, width = ((side - kernel) // stride + 1 for side in x.shape[1:])
        out = np.zeros((filters, height, width))
        each = len(x) // groups
        for f in range(filters):
            own = x[f // (filters // groups) * each :][:each]
            for i in range(height):
                for j in range(width):
                    window = own[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                    out[f, i, j] = (window * weight[f]).sum()
        if var is not None:
            out = (out - mean[:, None, None]) / np.sqrt(var[:, None, None] + 1e-5) * scale[:, None, None]
        return ACT[act](out + shift[:, None, None])

    @staticmethod
    def pool(x, size, stride):
        """Windows start at -padding / 2; what lies outside is never the largest."""
        padding = size - 1
        height, width = ((side + padding - size) // stride + 1 for side in x.shape[1:])
        out = np.full((len(x), height, width), -np.inf)
        for i in range(height):
            for j in range(width):
                top, left = i * stride - padding // 2, j * stride - padding // 2
                window = x[:, max(top, 0) : top + size, max(left, 0) : left + size]
                out[:, i, j] = window.max((1, 2))
        return out


def plain_cfg(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """CFG, written out by hand."""
    net = Plain(weights)
    first = net.conv(image, 8, 3, 2, 1, True, "mish")
    pooled = net.pool(first, 2, 2)
    added = ACT["relu"](net.conv(pooled, 8, 3, 1, 4, False, "swish") + pooled)
    half = added[4:]
    joined = np.concatenate([net.pool(half, 3, 1), added])
    gate = net.conv(joined.mean((1, 2), keepdims=True), 12, 1, 1, 1, False, "logistic")
    scaled = net.pool(joined * gate, 2, 1)
    up = scaled.repeat(2, 1).repeat(2, 2)
    return net.conv(np.concatenate([up, first]), 14, 1, 1, 1, False, "linear")


COUNT = 4 * 8 + 8 * 27 + 8 + 8 * 2 * 9 + 12 + 12 * 12 + 14 + 14 * 20


def weights_file(values: np.ndarray, version=(0, 2)) -> bytes:
    seen = np.zeros(1, np.int64 if version >= (0, 2) else np.int32)
    return np.array([*version, 0], np.int32).tobytes() + seen.tobytes() + values.astype(np.float32).tobytes()


@pytest.mark.parametrize("version", [(0, 2), (0, 1)])
def test_every_section_against_plain_loops(version):
    generator = np.random.default_rng(1)
    values = generator.uniform(0.1, 0.9, COUNT).astype(np.float32) - np.repeat([0, 0.5], [32, COUNT - 32])
    architecture = darknet.read_cfg(CFG, "all", "a,b")
    model = to_onnx(architecture, darknet.read_weights(weights_file(values, version), architecture))
    image = generator.uniform(0, 1, (3, 32, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"images": image[None]})
    np.testing.assert_allclose(out[0], plain_cfg(image, values.astype(np.float64)), rtol=1e-3, atol=1e-4)
    spec = architecture.spec
    assert spec.anchors == (((3.0, 4.0), (5.0, 6.0)),) and spec.strides == (2,) and spec.scale_xy == (1.05,)
    assert spec.input_wh == (64, 32) and spec.labels == ("a", "b") and spec.resize == "stretch"


def test_region_anchors_are_in_cells():
    text = "[net]\nwidth=64\nheight=64\n[maxpool]\nsize=2\nstride=2\n[convolutional]\nfilters=14\nactivation=linear\n"
    spec = darknet.read_cfg(text + "[region]\nanchors=1,2, 3,4\nclasses=2\nnum=2\n", "region").spec
    assert spec.family == "yolo_v2" and spec.anchors == (((2.0, 4.0), (6.0, 8.0)),) and spec.labels == ("0", "1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[crnn]", r"section \[crnn\]"),
        ("[convolutional]\nfilters=4\nactivation=gelu", "activation gelu"),
        ("[convolutional]\nfilters=4\nsize=3\npad=0\nactivation=linear", "pads 0"),
        ("[convolutional]\nfilters=4\nsize=3\npad=1\nstride_x=2\nactivation=linear", "pads 1"),
        ("[convolutional]\nfilters=4\ndilation=2\nactivation=linear", "dilation=2"),
        ("[upsample]\nstride=4", "upsamples"),
        ("[convolutional]\nfilters=4\nactivation=linear\n[shortcut]\nfrom=-2\nactivation=linear", "different channel"),
        ("[yolo]\nclasses=3\nanchors=1,1", "2 labels for 3 classes"),
        ("nonsense", "line 'nonsense'"),
        ("", "no .yolo."),
    ],
)
def test_what_is_not_understood_is_refused(line, message):
    with pytest.raises(ModelError, match=message) as failure:
        darknet.read_cfg(f"[net]\nwidth=32\nheight=32\n{line}\n", "bad", "a,b")
    assert failure.value.hint


@pytest.mark.parametrize(("count", "message"), [(COUNT - 1, "end in layer14"), (COUNT + 5, "5 weights are left")])
def test_weights_must_fit_exactly(count, message):
    with pytest.raises(ModelError, match=message):
        darknet.read_weights(weights_file(np.zeros(count)), darknet.read_cfg(CFG, "all", "a,b"))


def test_errors_on_the_command_line(tmp_path, capsys):
    (tmp_path / "x.cfg").write_text("[net]\nwidth=32\nheight=32\n", encoding="utf-8")
    (tmp_path / "x.weights").write_bytes(weights_file(np.zeros(3)))
    assert darknet.main([str(tmp_path / "x.cfg"), str(tmp_path / "x.weights"), "-o", str(tmp_path / "x.onnx")]) == 1
    assert capsys.readouterr().err.startswith("error: the cfg has no [yolo]")
    assert darknet.main([str(tmp_path / "y.cfg"), str(tmp_path / "x.weights"), "-o", str(tmp_path / "x.onnx")]) == 1


@pytest.mark.parametrize("name", ["mbv2_yolov3_nano_voc", "yolo_fastest_1.1_xl_coco"])
def test_real_files_equal_their_twins(shared, tmp_path, name):
    folder, target = shared / "models" / "darknet", tmp_path / f"{name}.onnx"
    assert darknet.main([str(folder / f"{name}.cfg"), str(folder / f"{name}.weights"), "-o", str(target)]) == 0
    options = BackendOptions(backend="onnxruntime", threads=1)
    flags = ModelFlags(
        family="yolo_v5", resize="stretch", mean=(0, 0, 0), std=(255, 255, 255), labels=name[-4:].strip("_")
    )
    seen = 0
    with Detector.open(str(target), options=options, conf=0.1) as ours, \
            Detector.open(str(folder / f"{name}.onnx"), flags=flags, options=options, conf=0.1) as twin:  # fmt: skip
        assert ours.model.spec.labels == twin.model.spec.labels
        for picture in ("dog.jpg", "person.jpg", "horses.jpg", "bus.jpg"):
            image = cv2.imread(str(shared / "images" / picture))
            one, other = ours(image), twin(image)
            assert one.class_id.tolist() == other.class_id.tolist()
            np.testing.assert_allclose(one.xyxy, other.xyxy, atol=0.05)
            np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-4)
            seen += len(one)
    assert seen > 8
