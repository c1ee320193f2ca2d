"""Every reader of the user's files: good files to begin with, and the call that reads one."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import cv2
import numpy as np
from onnx import TensorProto, helper

from edge_runtime import datasets
from edge_runtime.backends import replay as replayed
from edge_runtime.benchmark import results
from edge_runtime.calibrate import images
from edge_runtime.calibrate.ranges.table import Origin, RangeTable
from edge_runtime.detect import understand
from edge_runtime.errors import SourceError
from edge_runtime.gpu import passport, plan_file
from edge_runtime.gpu.passport import Passport, Platform
from edge_runtime.imaging import image_file
from edge_runtime.jetson import layout, nvpmodel
from edge_runtime.model import labels, onnx_file, recipe
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY, ModelIO, ModelSpec
from edge_runtime.power import replay as trace
from edge_runtime.reports import benchmark as report

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


@dataclass(frozen=True)
class Reader:
    """What reads one kind of file.

    Attributes:
        rooms: files of edge_runtime that hold it.
        name: of the file in its folder.
        good: contents that are read without an error.
        read: reads the file at that path; the folder holds what it needs beside.
    """

    rooms: Tuple[str, ...]
    name: str
    good: Callable[[], List[bytes]]
    read: Callable[[Path], Any]


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


def _pictures() -> List[bytes]:
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    return [cv2.imencode(kind, picture)[1].tobytes() for kind in (".jpg", ".png", ".bmp", ".webp", ".tif")]


def _recording() -> List[bytes]:
    content = io.BytesIO()
    io_json = np.array(json.dumps(IO.__dict__))
    np.savez(content, **{"io": io_json, "0.0": np.zeros((1, 7, 84), np.float32)})
    return [content.getvalue()]


def _onnx(path: Path) -> Any:
    return understand.describe(str(path), onnx_file.read_io, ModelFlags())


def _conf(path: Path) -> Any:
    conf = nvpmodel.parse(nvpmodel.board.read_text(path))
    for mode in conf.modes:
        for setting in mode.settings:
            conf.live(path.parent, setting)
    return nvpmodel.resolve(conf, "15W")


def _manifest() -> List[bytes]:
    return [b'# about\nfolder = "."\n\n[sha256]\n"a.jpg" = "%s"\n' % images._sha256("a.jpg").encode()]


def _coco() -> List[bytes]:
    note = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 12.0, "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [note],
        "categories": [{"id": 3, "name": "cat"}],
    }
    return [json.dumps(content).encode()]


def _page(path: Path) -> Any:
    rows = results.read_rows(path)
    results.to_csv(rows)
    results.compare_rows(rows, rows)
    return [report._table(rows), report._left_out(rows), report._conditions(rows)]


VOC = (
    b"<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    b"</object></annotation>"
)
READERS: Dict[str, Reader] = {
    "recipe": Reader(
        ("model/recipe.py",),
        "m.toml",
        lambda: [
            b'family = "yolo_v3"\nlabels = "coco"\nimgsz = [416, 416]\nmean = [0, 0, 0]\nstd = [255.0, 255.0, 255.0]\n'
            b"pad_value = 114\nanchors = [[[10, 13], [16, 30]]]\nstrides = [8]\nscale_xy = [1.05]\n"
            b"[training]\nepochs = 3\n"
        ],
        lambda path: recipe.load_recipe(str(path)),
    ),
    "metadata": Reader(
        ("model/spec.py",),
        "spec.json",
        lambda: [
            SPEC.to_json().encode(),
            replace(SPEC, anchors=(((1.0, 2.0),),), strides=(8,), scale_xy=(1.0,)).to_json().encode(),
        ],
        lambda path: understand.understand(
            "a.onnx", replace(IO, metadata={METADATA_KEY: path.read_bytes().decode("utf-8", "replace")})
        ),
    ),
    "metadata of others": Reader(
        ("detect/understand.py",),
        "names.json",
        lambda: [json.dumps(dict(IO.metadata)).encode()],
        lambda path: (
            understand.input_size(replace(IO, input_shape=(1, 3, -1, -1), metadata=_texts(path)), ModelFlags())
            and understand.understand("a.onnx", replace(IO, metadata=_texts(path)))
        ),
    ),
    "range table": Reader(
        ("calibrate/ranges/table.py",), "t.json", lambda: [TABLE.to_json(1).encode()], RangeTable.load
    ),
    "passport": Reader(
        ("gpu/passport.py",),
        "a.plan.json",
        lambda: [PASSPORT.to_json().encode()],
        lambda path: passport.read_passport(path.with_suffix("")),
    ),
    "plan": Reader(
        ("gpu/plan_file.py",),
        "b.plan",
        lambda: [b"\x20\0\0\0" + b'{"names": {"0": "cat"}, "a": 1 } ' + b"engine"],
        lambda path: plan_file.load_plan(str(path)),
    ),
    "recorded outputs": Reader(
        ("backends/replay.py",), "a.replay.npz", _recording, lambda path: replayed._load(str(path))
    ),
    "trace, CSV": Reader(
        ("power/replay.py",),
        "t.csv",
        lambda: [b"time_s,VDD_IN_w,total_w\n0.0,5.1,\n1.0,5.3,\n2.5,,\n"],
        lambda path: trace.open(what=str(path)).read_w(),
    ),
    "trace, JSON lines": Reader(
        ("power/replay.py",),
        "t.jsonl",
        lambda: [b'{"time_s": 0.0, "rails_w": {"VDD_IN": 5.1}}\n{"time_s": 1.0, "rails_w": {}}\n'],
        lambda path: trace.open(what=str(path)).read_w(),
    ),
    "trace, tegrastats": Reader(
        ("power/replay.py",),
        "t.txt",
        lambda: [b"RAM 1/2MB VDD_IN 4654mW/4654mW VDD_SOC 1484mW/1484mW\n" * 3],
        lambda path: trace.open(what=str(path)).read_w(),
    ),
    "nvpmodel.conf": Reader(("jetson/nvpmodel.py", "jetson/board.py"), "nvpmodel.conf", lambda: [CONF.encode()], _conf),
    "board's record": Reader(
        ("jetson/layout.py",),
        "board.json",
        lambda: [json.dumps(RECORD).encode()],
        lambda path: layout.laid_out.__wrapped__(str(path)),
    ),
    "labels": Reader(
        ("model/labels.py",),
        "names.txt",
        lambda: [b"cat\ndog\r\nbird\n", "b\u00e4r\n".encode()],
        lambda path: labels.load_labels(str(path)),
    ),
    "picture": Reader(
        ("imaging/image_file.py", "imaging/picture_size.py"), "a.jpg", _pictures, lambda path: _picture(path)
    ),
    "ONNX": Reader(
        ("model/onnx_file.py",),
        "a.onnx",
        lambda: [tiny_onnx({METADATA_KEY: SPEC.to_json()}), tiny_onnx(dict(IO.metadata), True)],
        _onnx,
    ),
    "manifest": Reader(("calibrate/images.py",), "set.toml", _manifest, images.read_manifest),
    "COCO": Reader(("datasets/coco.py",), "instances.json", _coco, lambda path: datasets.open(str(path))),
    "YOLO, description": Reader(
        ("datasets/yolo.py",),
        "data.yaml",
        lambda: [b"path: .\nval: images\nnames:\n  0: cat\n  1: dog\n", b"val: images\nnames: [cat, dog]\n"],
        lambda path: datasets.open(str(path)),
    ),
    "YOLO, labels": Reader(
        ("datasets/yolo.py",),
        "yolo/labels/a.txt",
        lambda: [b"0 0.5 0.5 0.2 0.2\n1 0 0 0.1 0 0.1 0.1 0 0.1\n"],
        lambda path: datasets.open(str(path.parent.parent), layout="yolo"),
    ),
    "VOC": Reader(
        ("datasets/voc.py",),
        "voc/Annotations/a.xml",
        lambda: [VOC],
        lambda path: datasets.open(str(path.parent.parent), layout="voc"),
    ),
    "VOC, list": Reader(
        ("datasets/voc.py",),
        "voc2/ImageSets/Main/test.txt",
        lambda: [b"a\n"],
        lambda path: datasets.open(str(path.parent.parent.parent), layout="voc"),
    ),
    "benchmark": Reader(
        ("benchmark/results.py",),
        "bench.json",
        lambda: [results.to_json([ROW, {**ROW, "valid": False, "reasons": ["r"]}], "c").encode()],
        _page,
    ),
}


def _texts(path: Path) -> Dict[str, str]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        content = {"names": path.read_bytes().decode("utf-8", "replace"), "imgsz": "[1, 2"}
    return (
        {str(key): str(value) for key, value in content.items()}
        if isinstance(content, dict)
        else {"names": str(content)}
    )


def _picture(path: Path) -> Any:
    try:
        return image_file.read_image(str(path)).shape
    except ValueError as error:  # the reader's own word for "no picture": its callers make a sentence of it
        if type(error) is not ValueError:
            raise
        raise SourceError(f"{path} {error}", hint="another picture") from error


def prepare(folder: Path) -> None:
    """What lies beside the files that are read; the folder becomes the current one."""
    os.chdir(folder)
    picture = _pictures()[0]
    for place in ("a.jpg", "images/a.jpg", "yolo/images/a.jpg", "voc/JPEGImages/a.jpg", "voc2/JPEGImages/a.jpg"):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_bytes(picture)
    for place in ("voc/ImageSets/Main", "voc/Annotations", "voc2/Annotations", "voc2/ImageSets/Main", "yolo/labels"):
        Path(place).mkdir(parents=True, exist_ok=True)
    Path("voc/ImageSets/Main/test.txt").write_text("a\n")
    Path("voc2/Annotations/a.xml").write_bytes(VOC)


def rooms() -> Iterator[str]:
    """Files of edge_runtime that some reader covers."""
    for reader in READERS.values():
        yield from reader.rooms
