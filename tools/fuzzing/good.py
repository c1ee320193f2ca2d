"""Good files of every kind, which the fuzzer damages."""

from __future__ import annotations

import io
import json
from typing import Any, Dict, List

import cv2
import numpy as np
from onnx import TensorProto, helper

from edge_runtime.calibrate import images
from edge_runtime.calibrate.ranges.table import Origin, RangeTable
from edge_runtime.detect.golden import FRAMES
from edge_runtime.gpu.passport import Passport, Platform
from edge_runtime.jetson import nvpmodel
from edge_runtime.model.spec import ModelIO, ModelSpec
from edge_runtime.tuning.arrangements import Arrangement
from edge_runtime.tuning.choice import Choice, Measured

SPEC = ModelSpec("yolo_v8", (64, 64), ("cat", "dog", "bird"))
OTHERS = {"names": "{0: 'cat', 1: 'dog', 2: 'bird'}", "imgsz": "[64, 64]"}
IO = ModelIO("images", (1, 3, 64, 64), {"out": (1, 7, 84)}, OTHERS, {"images": "float32", "out": "float32"})
TABLE = RangeTable(
    Origin("a" * 64, "b" * 64, "c" * 64, "mse", ("x",)), {"t": (-1.0, 2.5), "u": (0.0, 6.0)}, {"n": 3}, ("u",)
)
PASSPORT = Passport(
    SPEC,
    IO,
    "int8",
    {"int8": 10},
    {"int8": 3},
    "a" * 64,
    "",
    Platform("tensorrt 10.3.0", "8.7"),
    12.5,
    "edge-build a.onnx",
)
CHOICE = Choice("throughput", "2026-11-27 06:00", 0.1, (Measured(Arrangement("openvino", 2, 2), 31.5),), ("a: why",))
ROW: Dict[str, Any] = {
    "engine": "a.onnx",
    "mode": "15W",
    "batch": 1,
    "streams": 1,
    "board": "b",
    "valid": True,
    "reasons": [],
    "notes": ["n"],
    "fps": 10.0,
    "fps_low": 9.5,
    "fps_high": 10.5,
    "fps_engine": 12.0,
    "mean_w": 9.0,
    "fps_per_watt": 1.1,
    "joules_per_frame": 0.9,
    "accuracy": {"metric": "voc07_11pt", "value": 0.5},
    "latency_ms": {"p50": 3.0},
    "rails_w": {"VDD_IN": 9.0},
    "clocks": {"gpu_mhz": 600.0},
    "trace": [{"hottest_c": 50.0, "gpu_mhz": 600.0}],
    "windows": [{"seconds": 30.0, "faults": []}],
}
STUDIED: Dict[str, Any] = {
    **ROW,
    "name": "a",
    "cpu": "AMD, cores 2",
    "idle_w": 4.0,
    "no_watts": "",
    "engine_sha256": "a",
    "ap": {
        "value": 0.5, "samples": [0.4, 0.5], "boxes": 3, "pictures": 2, "data": "d", "ap50": 0.6, "objects": 3,
        "name": "n", "figures": {"AP": [0.5, 0.4, 0.6], "APl": [-1.0, -1.0, -1.0]},
    },
    "counts": {"parameters": 9, "conv_macs": 99, "thop_macs": 100, "bytes_file": 50, "input": "8x8", "note": ""},
    "study": {"title": "t", "system": "yolo_nano", "form": "", "base": "a", "published": ["yolo_v3"],
              "left_out": ["b: c"]},
}  # fmt: skip
CONF = """< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< PARAM TYPE=CLOCK NAME=GPU >
MAX_FREQ /sys/class/devfreq/gpu/max_freq
FREQ_TABLE /sys/class/devfreq/gpu/available_frequencies
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
GPU MAX_FREQ 625000000
< POWER_MODEL ID=1 NAME=MODE_7W_2CORE >
CPU_ONLINE CORE_0 1
GPU MAX_FREQ 306000000
< PM_CONFIG DEFAULT=0 >
"""
RECORD = {
    "board": "b",
    "files": {
        nvpmodel.CONF: CONF,
        nvpmodel.STATUS: "pmode:0001",
        "sys/devices/system/cpu/cpu0/online": "1\n",
        "sys/class/devfreq/gpu/max_freq": "625000000\n",
        "sys/class/devfreq/gpu/available_frequencies": "306000000 625000000\n",
    },
    "links": {"etc/nvpmodel": "nvpmodel.conf"},
    "read_errors": {"sys/secret": "EACCES"},
    "programs": ["usr/bin/tegrastats"],
    "commands": {"tegrastats.txt": "RAM 1/2MB VDD_IN 4654mW/4654mW\n"},
}


LINES = b'{"source": "a.jpg", "detections": [{"box": [1, 2, 30, 40], "confidence": 0.9, "class_id": 1}]}\n' * 2
RESULTS = b'[{"image_id": "a", "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9}]'


def tiny_onnx(metadata: Dict[str, str], open_size: bool = False) -> bytes:
    """A network of two operators with the output of a YOLOv8 of three classes."""
    size = "n" if open_size else 64
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [1, 7, 84])
    values = helper.make_tensor("values", TensorProto.FLOAT, [588], [0.0] * 588)
    nodes = [helper.make_node("Relu", ["images"], ["seen"]), helper.make_node("Reshape", ["values", "shape"], ["out"])]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 7, 84])
    graph = helper.make_graph(nodes, "tiny", [image], [out], [shape, values])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def pictures() -> List[bytes]:
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    return [cv2.imencode(kind, picture)[1].tobytes() for kind in (".jpg", ".png", ".bmp", ".webp", ".tif")]


def recording() -> List[bytes]:
    content = io.BytesIO()
    io_json = np.array(json.dumps(IO.__dict__))
    np.savez(content, **{"io": io_json, "0.0": np.zeros((1, 7, 84), np.float32)})
    return [content.getvalue()]


def outputs() -> List[bytes]:
    """What another program wrote of a picture: input, outputs and boxes."""
    content = io.BytesIO()
    arrays = {"input": np.zeros((1, 3, 64, 64), np.float32), "out": np.ones((1, 7, 84), np.float32)}
    boxes = np.array([(1, 2, 30, 40, 0.9, 1)], np.float32)
    np.savez(content, **{f"a.jpg/{name}": array for name, array in {**arrays, "boxes": boxes}.items()})
    return [content.getvalue()]


def manifest() -> List[bytes]:
    return [b'# about\nfolder = "."\n\n[sha256]\n"a.jpg" = "%s"\n' % images._sha256("a.jpg").encode()]


def coco() -> List[bytes]:
    note = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 12.0, "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [note],
        "categories": [{"id": 3, "name": "cat"}],
    }
    return [json.dumps(content).encode()]


VOC = (
    b"<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    b"</object></annotation>"
)

GOLDEN = json.dumps(
    {"tolerance": 0.25, "frames": {name: {"total": 1.0, "rows": [[0, 1, 2, 30, 40, 0.5, 0.1]]} for name in FRAMES}}
).encode()
