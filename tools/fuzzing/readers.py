"""Every reader of the user's files: good files to begin with, and the call that reads one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from edge_runtime import datasets
from edge_runtime.accuracy.evidence import Evidence
from edge_runtime.audit import recorded as others
from edge_runtime.backends import replay as replayed
from edge_runtime.benchmark import results
from edge_runtime.calibrate import images
from edge_runtime.calibrate.ranges.table import RangeTable
from edge_runtime.cli import _config, _study, bench, detect
from edge_runtime.detect import golden, sizes, understand
from edge_runtime.downloads import catalog, listed
from edge_runtime.errors import SourceError
from edge_runtime.gpu import passport, plan_file
from edge_runtime.imaging import image_file
from edge_runtime.jetson import layout, nvpmodel
from edge_runtime.model import labels, onnx_file, recipe
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import METADATA_KEY
from edge_runtime.planning.board import boards
from edge_runtime.planning.budget import Budget
from edge_runtime.planning.search import search
from edge_runtime.power import replay as trace
from edge_runtime.reports import benchmark as report
from edge_runtime.reports import study
from edge_runtime.tuning import cache
from fuzzing import good, recordings


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


def _onnx(path: Path) -> Any:
    return understand.describe(str(path), onnx_file.read_io, ModelFlags())


def _conf(path: Path) -> Any:
    conf = nvpmodel.parse(nvpmodel.board.read_text(path))
    for mode in conf.modes:
        for setting in mode.settings:
            conf.live(path.parent, setting)
    return nvpmodel.resolve(conf, "15W")


def _page(path: Path) -> Any:
    rows = results.read_rows(path)
    results.to_csv(rows)
    results.compare_rows(rows, rows)
    study.write_study_markdown(rows, "c")
    plan = search(boards([rows]), Budget(watts=9.0, fps=5.0, gate=0.5))
    [option.to_dict() for option in plan.options]
    return [report._table([row for row in rows if row["valid"]]), report._left_out(rows), report._conditions(rows)]


READERS: Dict[str, Reader] = {
    "configuration": Reader(
        ("cli/_config.py", "cli/_config_values.py", "cli/_config_paths.py", "files/toml_tables.py"),
        "site.toml",
        lambda: [(Path(__file__).resolve().parents[2] / "docs" / "site.toml").read_bytes()],
        lambda path: _config.load(str(path), detect._parser()),
    ),
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
    "entry of edge-zoo": Reader(
        ("downloads/catalog.py",),
        "n.toml",
        lambda: [path.read_bytes() for path in sorted(listed.ENTRIES.glob("*.toml"))],
        lambda path: catalog.read_entry.__wrapped__(path),
    ),
    "metadata": Reader(
        ("model/spec.py",),
        "spec.json",
        lambda: [
            good.SPEC.to_json().encode(),
            replace(good.SPEC, anchors=(((1.0, 2.0),),), strides=(8,), scale_xy=(1.0,)).to_json().encode(),
        ],
        lambda path: understand.understand(
            "a.onnx", replace(good.IO, metadata={METADATA_KEY: path.read_bytes().decode("utf-8", "replace")})
        ),
    ),
    "metadata of others": Reader(
        ("detect/understand.py",),
        "names.json",
        lambda: [json.dumps(dict(good.IO.metadata)).encode()],
        lambda path: (
            sizes.input_size(replace(good.IO, input_shape=(1, 3, -1, -1), metadata=_texts(path)), ModelFlags())
            and understand.understand("a.onnx", replace(good.IO, metadata=_texts(path)))
        ),
    ),
    "range table": Reader(
        ("calibrate/ranges/table.py",), "t.json", lambda: [good.TABLE.to_json(1).encode()], RangeTable.load
    ),
    "verdict": Reader(
        ("accuracy/evidence.py",),
        "v.json",
        lambda: [Evidence("AP", 0.1, -0.2, 0.5, 1275, 400).to_json().encode()],
        lambda path: Evidence.from_json(path.read_bytes().decode("utf-8", "replace")),
    ),
    "arrangement": Reader(
        ("tuning/cache.py",),
        "a.json",
        lambda: [json.dumps({"about": {"cores": 2}, "choice": good.CHOICE.to_dict()}).encode()],
        lambda path: cache.read_choice(path, {"cores": 2}),
    ),
    "passport": Reader(
        ("gpu/passport.py",),
        "a.plan.json",
        lambda: [good.PASSPORT.to_json().encode()],
        lambda path: passport.read_passport(path.with_suffix("")),
    ),
    "golden frames": Reader(
        ("detect/golden.py",),
        "golden.json",
        lambda: [good.GOLDEN, b'{"reason": "no onnxruntime"}'],
        lambda path: golden.parse("a.onnx", path.read_bytes().decode("utf-8", "replace")),
    ),
    "plan": Reader(
        ("gpu/plan_file.py",),
        "b.plan",
        lambda: [b"\x20\0\0\0" + b'{"names": {"0": "cat"}, "a": 1 } ' + b"engine"],
        lambda path: plan_file.load_plan(str(path)),
    ),
    "recorded outputs": Reader(
        ("backends/replay.py",), "a.replay.npz", good.recording, lambda path: replayed._load(str(path))
    ),
    "recording": Reader(
        ("blackbox/archive.py", "blackbox/recording.py"), "a.edge", recordings.recordings, recordings.read
    ),
    "outputs of others": Reader(
        ("audit/archive.py", "audit/recorded.py"),
        "theirs.npz",
        good.outputs,
        lambda path: others.Recorded(str(path)),
    ),
    "boxes of others, JSON lines": Reader(
        ("audit/recorded.py",), "theirs.jsonl", lambda: [good.LINES], lambda path: others.Recorded(str(path))
    ),
    "boxes of others, COCO": Reader(
        ("audit/recorded.py",), "theirs.json", lambda: [good.RESULTS], lambda path: others.Recorded(str(path))
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
    "nvpmodel.conf": Reader(
        ("jetson/nvpmodel.py", "jetson/board.py"), "nvpmodel.conf", lambda: [good.CONF.encode()], _conf
    ),
    "board's record": Reader(
        ("jetson/layout.py",),
        "board.json",
        lambda: [json.dumps(good.RECORD).encode()],
        lambda path: layout.laid_out.__wrapped__(str(path)),
    ),
    "labels": Reader(
        ("model/labels.py",),
        "names.txt",
        lambda: [b"cat\ndog\r\nbird\n", "b\u00e4r\n".encode()],
        lambda path: labels.load_labels(str(path)),
    ),
    "picture": Reader(
        ("imaging/image_file.py", "imaging/picture_size.py"), "a.jpg", good.pictures, lambda path: _picture(path)
    ),
    "ONNX": Reader(
        ("model/onnx_file.py",),
        "a.onnx",
        lambda: [good.tiny_onnx({METADATA_KEY: good.SPEC.to_json()}), good.tiny_onnx(dict(good.IO.metadata), True)],
        _onnx,
    ),
    "manifest": Reader(("calibrate/images.py",), "set.toml", good.manifest, images.read_manifest),
    "COCO": Reader(("datasets/coco.py",), "instances.json", good.coco, lambda path: datasets.open(str(path))),
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
        lambda: [good.VOC],
        lambda path: datasets.open(str(path.parent.parent), layout="voc"),
    ),
    "VOC, list": Reader(
        ("datasets/voc.py",),
        "voc2/ImageSets/Main/test.txt",
        lambda: [b"a\n"],
        lambda path: datasets.open(str(path.parent.parent.parent), layout="voc"),
    ),
    "study": Reader(
        ("cli/_study.py",),
        "study.toml",
        lambda: [(Path(__file__).resolve().parents[1] / "study.toml").read_bytes()],
        lambda path: _study.arguments(bench._parser(), str(path), []),
    ),
    "benchmark": Reader(
        ("benchmark/results.py",),
        "bench.json",
        lambda: [
            results.to_json([good.ROW, good.STUDIED, {**good.ROW, "valid": False, "reasons": ["r"]}], "c").encode()
        ],
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
    picture = good.pictures()[0]
    for place in ("a.jpg", "images/a.jpg", "yolo/images/a.jpg", "voc/JPEGImages/a.jpg", "voc2/JPEGImages/a.jpg"):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_bytes(picture)
    for place in ("voc/ImageSets/Main", "voc/Annotations", "voc2/Annotations", "voc2/ImageSets/Main", "yolo/labels"):
        Path(place).mkdir(parents=True, exist_ok=True)
    Path("voc/ImageSets/Main/test.txt").write_text("a\n", encoding="utf-8")
    Path("voc2/Annotations/a.xml").write_bytes(good.VOC)


def rooms() -> Iterator[str]:
    """Files of edge_runtime that some reader covers."""
    for reader in READERS.values():
        yield from reader.rooms
