"""The models of the INT8 benchmark, and how to make their INT8 files: ours and other people's."""

from __future__ import annotations

import shlex
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import onnx
from accuracy import load_data, open_detector, read_table

from edge_runtime import datasets
from edge_runtime.accuracy import coco, evaluate
from edge_runtime.calibrate import runs
from edge_runtime.cli import calibrate
from edge_runtime.graph.network import Network
from edge_runtime.graph.onnx_stats import onnx_layers
from edge_runtime.graph.prepare import prepare
from edge_runtime.model.spec import ModelSpec

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Subject:
    """A float model, where its accuracy is measured, and what a user says about it."""

    path: Path
    data: str
    flags: str
    shared: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def pictures(self) -> List[str]:
        """Arguments of edge-calibrate: COCO models on coco128, VOC models on the 100 calib images."""
        if "voc" in self.data:
            return ["--images", str(self.shared / "data" / "voc2007"), "--split", "calib"]
        return ["--images", str(self.shared / "data" / "coco128")]

    def paths(self) -> Sequence[str]:
        """The same pictures."""
        found = self.pictures
        return datasets.open(found[1], found[3] if len(found) > 2 else None).paths

    def spec(self) -> ModelSpec:
        with open_detector(self.path, self.flags, "onnxruntime", 0) as detector:
            return detector.model.spec

    def average_precision(self, path: Path, backend: str) -> float:
        """Of any file of this model."""
        data = load_data(self.data, self.shared)
        with open_detector(path, self.flags, backend, 0) as detector:
            found = evaluate.detect(detector, data)
        return coco.average_precision(found.rows, found.truths, len(found.labels))[0]["AP"]


def subjects(shared: Path, only: str = "") -> List[Subject]:
    """Every float model of AP.tsv, and YOLO Nano."""
    rows = [row for row in read_table(shared / "models" / "AP.tsv") if "int8" not in row["file"]]
    found = [Subject(shared / "models" / row["file"], row["data"], row["flags"], shared) for row in rows]
    found.append(Subject(ROOT / "engines" / "yolo_nano_voc.onnx", "voc2007 eval", "", shared))
    return [subject for subject in found if only in subject.name]


def ours(subject: Subject, target: Path, *more: str) -> Path:
    """The default command."""
    said = [str(subject.path), "-o", str(target), *subject.pictures, *shlex.split(subject.flags), *more]
    if calibrate.main(said):
        raise SystemExit(f"edge-calibrate {' '.join(said)} failed")
    return target


def int8_macs(path: Path, again: bool = False) -> float:
    """Part of the multiplications whose two sides are both dequantised from 8 bits.

    Args:
        again: only those whose result is quantised too, without which ONNX Runtime computes a Conv in float.
    """
    model = onnx.load(path)
    network = Network(model)
    counted = {stats.name: stats.conv_macs for stats in onnx_layers(model)}
    quantised = 0
    for node in network.nodes:
        makers = [network.producer(name) for name in node.input[:2]]
        both = all(maker is not None and maker.op_type == "DequantizeLinear" for maker in makers)
        if both and (node.op_type == "Gemm" or (node.op_type == "Conv" and (not again or _rounded(network, node)))):
            quantised += counted.get(node.name or node.output[0], 0)
    return quantised / max(1, sum(counted.values()))


def _rounded(network: Network, node: onnx.NodeProto) -> bool:
    """Whether a node's result is quantised, perhaps behind a Relu or Clip."""
    readers = network.consumers(node.output[0])
    if len(readers) == 1 and readers[0].op_type in ("Relu", "Clip"):
        readers = network.consumers(readers[0].output[0])
    return any(reader.op_type == "QuantizeLinear" for reader in readers)


def tensors(subject: Subject, spec: ModelSpec, most: int = 0) -> np.ndarray:
    """(n, 3, H, W) float32: the pictures as edge-calibrate prepares them, for tools that want arrays."""
    paths = subject.paths()[: most or None]
    with ThreadPoolExecutor(4) as pool:
        return np.concatenate([tensor for _, tensor in runs.prepared(paths, spec, pool)])


class _Reader:
    """onnxruntime.quantization's CalibrationDataReader."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self._feeds = iter([{name: image[None]} for image in images])

    def get_next(self) -> Any:
        return next(self._feeds, None)


def _in_parts() -> None:
    """Lets its histogram calibration work in constant memory: it would keep all activations of all images at once."""
    from onnxruntime.quantization.calibrate import HistogramCalibrater

    whole = HistogramCalibrater.collect_data
    if whole.__name__ == "collect_data":

        def by_eight(self: Any, reader: _Reader) -> None:
            feeds = list(reader._feeds)
            for first in range(0, len(feeds), 8):
                part = _Reader("", np.zeros((0,)))
                part._feeds = iter(feeds[first : first + 8])
                whole(self, part)

        HistogramCalibrater.collect_data = by_eight


def quantize_static(source: Path, images: np.ndarray, target: Path, method: str) -> Path:
    """ONNX Runtime's tool as its documentation has it: pre-processed, QDQ, u8 activations, s8 weights per channel.

    Two things are done for it: opsets below 13, which have no scales per channel, are raised, and what only decodes is
    excluded, as most decoded outputs come to nothing in 8 bits.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    _in_parts()
    raised, prepared = target.with_suffix(".raised.onnx"), target.with_suffix(".prepared.onnx")
    onnx.save(prepare(onnx.load(source)).model, raised)
    quant_pre_process(str(raised), str(prepared), skip_symbolic_shape=True)
    network = Network(onnx.load(prepared))
    body = network.leading_to_weights()
    for node in network.nodes:
        node.name = node.name or node.output[0]
    onnx.save(network.model, prepared)
    quantization.quantize_static(
        str(prepared), str(target), _Reader(network.inputs[0], images), quant_format=quantization.QuantFormat.QDQ,
        per_channel=True, activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        nodes_to_exclude=[node.name for node in network.nodes if node.output[0] not in body],
        calibrate_method={"minmax": quantization.CalibrationMethod.MinMax,
                          "entropy": quantization.CalibrationMethod.Entropy}[method],
    )  # fmt: skip
    return target


def modelopt(source: Path, images: np.ndarray, target: Path) -> Path:
    """NVIDIA Model Optimizer's ONNX PTQ on the CPU."""
    from modelopt.onnx.quantization import quantize

    feed = Network(onnx.load(source)).inputs[0]
    copy = Path(shutil.copyfile(source, target.with_name(source.name)))  # it writes into its input
    quantize(str(copy), quantize_mode="int8", calibration_data={feed: images}, calibration_method="entropy",
             calibration_eps=["cpu"], output_path=str(target), high_precision_dtype="fp32")  # fmt: skip
    return target


def nncf(source: Path, images: np.ndarray) -> Any:
    """An OpenVINO model quantised by NNCF's default preset."""
    import nncf as tool
    import openvino

    model = openvino.Core().read_model(source)
    if model.input(0).partial_shape.is_dynamic:
        model.reshape([1, *images.shape[1:]])
    return tool.quantize(model, tool.Dataset([image[None] for image in images]))


PEERS: Dict[str, Any] = {
    "quantize_static minmax": lambda source, images, target: quantize_static(source, images, target, "minmax"),
    "quantize_static entropy": lambda source, images, target: quantize_static(source, images, target, "entropy"),
    "modelopt": modelopt,
}


def by_peer(name: str, subject: Subject, target: Path) -> Path:
    """Somebody else's INT8 file of the same images, made in a process of its own: modelopt changes ONNX Runtime's tool.

    Raises:
        Exception: whatever the tool raised.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_by_peer, name, subject, target).result()


def _by_peer(name: str, subject: Subject, target: Path) -> Path:
    images = tensors(subject, subject.spec())
    made: Path = PEERS[name](subject.path, images, target)
    return made
