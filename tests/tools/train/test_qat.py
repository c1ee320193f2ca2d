"""Quantisation-aware training: it computes as its file does, learns to be right, and makes an INT8 file of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import onnx
import onnxruntime
import pytest
import toy_detector

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]'")

import qat  # noqa: E402
from before import apart  # noqa: E402
from fake import Activation, Weight  # noqa: E402

from edge_runtime.backends import BackendOptions  # noqa: E402
from edge_runtime.build import load_input  # noqa: E402
from edge_runtime.calibrate import calibration, forms  # noqa: E402
from edge_runtime.calibrate.ranges.table import RangeTable  # noqa: E402
from edge_runtime.detect.detector import Detector  # noqa: E402
from edge_runtime.errors import EdgeError  # noqa: E402
from edge_runtime.graph.network import Network  # noqa: E402
from edge_runtime.graph.prepare import state  # noqa: E402
from edge_runtime.graph.stored_ranges import stored_ranges  # noqa: E402
from edge_runtime.model.spec import RANGES_KEY, ModelSpec  # noqa: E402
from edge_runtime.zoo.export import to_onnx  # noqa: E402

Make = Callable[..., qat.Aware]


def calibrate(path: Path, folder: Path, spec: ModelSpec, keep: List[str]) -> Path:
    images = sorted(map(str, (folder / "images").glob("*.png")))
    target = path.with_name("int8.onnx")
    target.write_bytes(calibration.calibrate(str(path), spec, images, "minmax", keep).model.SerializeToString())
    return target


@pytest.fixture
def aware(flags, folder, tmp_path, whole) -> Make:
    """A training of the toy after edge-calibrate."""

    def make(*more: Any, keep: Any = (), out: str = "run") -> qat.Aware:
        int8 = calibrate(whole, folder, toy_detector.build().spec, list(keep))
        fixed = flags("--out", tmp_path / out, "--init", whole, "--int8", int8, "--before", whole, "--lr", 1e-3)
        return qat.Aware(qat.parser().parse_args([*fixed, *map(str, more)]))

    return make


def outputs(model: Any, images: Any) -> List[Any]:
    """What the file gives, every node computed as it is written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(value) for value in session.run(None, {"images": images.numpy()})]


def noise(one: Any, other: Any) -> float:
    """Power of the difference by that of the signal, all outputs together."""
    pairs = list(zip(one, other))
    return sum(float((a - b).square().mean()) for a, b in pairs) / sum(float(a.var()) for a, _ in pairs)


def picture(folder: Path) -> Any:
    import cv2

    image = cv2.resize(cv2.imread(str(folder / "images" / "1.png")), (64, 64))
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize(
    ("more", "keep"),
    [([], []), (["--bits", "4"], []), ([], ["same.depthwise.linear", "same.project"])],
    ids=["8", "4", "kept"],
)
def test_the_file_computes_what_was_trained(aware, folder, whole, more, keep):
    run, image = aware("--steps", 3, *more, keep=keep), picture(folder)
    run.train()
    with torch.no_grad():
        trained = run.ema(image)
    found = outputs(onnx.load(run.args.out / "model.onnx"), image)
    apart_from_float = noise(trained, outputs(onnx.load(run.args.out / "float.onnx"), image))
    # a value between two steps may go to the other one, and of 16 steps each is large
    assert noise(trained, found) < (0.3 * apart_from_float if "4" in more else 1e-4) < apart_from_float


def test_roundings_and_ranges_are_those_of_the_calibrated_file(aware, whole):
    run = aware("--steps", 1, "--scales", "fixed")
    wanted = stored_ranges(Network(onnx.load(run.args.int8)))
    run.train()
    made = stored_ranges(Network(onnx.load(run.args.out / "model.onnx")))
    assert set(made) == set(wanted) > {"images", "same.add", "sixteenth.linear", "last", "joined.up"}
    for name, limits in wanted.items():
        np.testing.assert_allclose(made[name], limits, rtol=1e-4, atol=1e-6, err_msg=name)
    assert made["joined.up"] == made["sixteenth"], "what only moves values keeps the scale"


def test_scales_are_learned_and_written(aware):
    run = aware("--steps", 4)
    before = run.ema.limits()
    run.train()
    table = RangeTable.from_json(
        next(e.value for e in onnx.load(run.args.out / "model.onnx").metadata_props if e.key == RANGES_KEY)
    )
    changed = [name for name, limits in before.items() if not np.allclose(table.ranges[name], limits, rtol=1e-6)]
    assert len(changed) > len(before) / 2 and table.origin.method == "qat"


def test_training_gives_back_what_rounding_took(aware):
    run = aware("--steps", 40, "--bits", 4)
    drawn = run._draw(64)

    def distance() -> float:
        with torch.no_grad():
            return float(apart(run.net(drawn.images), drawn.wanted, run.architecture.spec))

    with torch.no_grad():
        floor = float(apart(drawn.wanted, drawn.wanted, run.architecture.spec))
    lost = distance() - floor
    run.args.before_weight = 100.0
    for _ in range(40):
        run._backward(run.net, *drawn)
        run.optimizer.step()
    assert 0 < distance() - floor < 0.5 * lost


def test_backends_and_builder_take_the_file(aware, folder):
    run = aware("--steps", 1)
    run.train()
    path = str(run.args.out / "model.onnx")
    file = onnx.load(path)
    assert state(file) == "quantised" and "keeps its own ranges" in calibration.int8_already(path)
    made = calibration.calibrate(path, run.architecture.spec, [])
    assert made.given and made.table.ranges.keys() >= run.ema.limits().keys()
    kinds = {node.op_type for node in forms.tensorrt_form(file).graph.node}
    assert "QuantizeLinear" in kinds
    assert load_input(path, run.architecture.spec) is not None
    for backend in ("onnxruntime", "openvino"):
        if backend == "openvino":
            pytest.importorskip("openvino", reason="needs OpenVINO")
        with Detector.open(path, options=BackendOptions(backend=backend)) as detector:
            detector(str(folder / "images" / "0.png"))
            assert all(np.isfinite(output).all() for output in detector.backend.outputs(0))


def test_a_killed_run_goes_on_with_its_scales(aware, monkeypatch):
    quiet, killed = aware("--steps", 4, "--validate-every", 0, out="quiet"), None
    quiet.train()
    killed = aware("--steps", 4, "--validate-every", 0, out="killed")
    step = killed._step

    def dying(forward: Any) -> Any:
        if killed.state["steps"] == 2:
            raise KeyboardInterrupt
        return step(forward)

    monkeypatch.setattr(killed, "_step", dying)
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    again = aware("--steps", 4, "--validate-every", 0, out="killed")
    assert again.state["steps"] == 2
    again.train()
    states: List[Dict[str, Any]] = [{**run.net.state_dict(), **run.ema.limits()} for run in (quiet, again)]
    for name, value in states[0].items():
        assert np.array_equal(value, states[1][name]), name


def test_files_that_do_not_belong_together_are_refused(aware, folder, flags, tmp_path, whole):
    run = aware("--steps", 1)
    other = tmp_path / "other.onnx"
    architecture = toy_detector.build()
    other.write_bytes(to_onnx(architecture, toy_detector.weights(architecture, 7)).SerializeToString())
    fixed = flags("--out", tmp_path / "no", "--steps", 1)
    for more, fact in (
        (["--init", str(other), "--int8", run.args.int8], "another network"),
        (["--int8", run.args.int8], "another network"),
        (["--init", str(whole), "--int8", str(whole)], "no range table"),
        (["--init", str(whole), "--int8", run.args.int8, "--teacher", "x.onnx"], "--teacher"),
    ):
        with pytest.raises(EdgeError, match=fact):
            qat.Aware(qat.parser().parse_args([*fixed, *more]))


def test_a_rounding_that_the_table_does_not_have_is_refused(aware, monkeypatch):
    monkeypatch.setattr(qat, "stored_ranges", lambda network: {"images": (0.0, 1.0), "stranger": (0.0, 1.0)})
    with pytest.raises(EdgeError, match="stranger"):
        aware("--steps", 1)


def test_rounding_is_that_of_the_operator_and_its_gradient_passes():
    rounding = Activation((-1.0, 3.0), bits=4, learnt=True)
    step = 4 / 15
    x = torch.tensor([-9.0, -0.9, 0.1, 0.5 * step, 1.5 * step, 2.6, 9.0], requires_grad=True)
    y = rounding(x)
    wanted = np.clip(np.round(x.detach().numpy() / np.float32(step)), -4, 11) * step
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-6)
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]
    inside = (np.round(x.detach().numpy() / step) - x.detach().numpy() / step)[1:-1].sum()
    slope = (inside - 4 + 11) * step / (len(x) * 15) ** 0.5  # of the growth: that of the step, times the step
    assert float(rounding.growth.grad) == pytest.approx(slope, rel=1e-4)
    weight = torch.tensor([[[[1.27, -0.004, 0.016]]], [[[0.0, 0.0, 0.0]]]])
    torch.testing.assert_close(Weight()(weight)[0], torch.tensor([[[1.27, 0.0, 0.02]]]))
    assert not Weight()(weight)[1].any()
