"""edge-audit on faults that are known: which stage does it name?

    python tools/audit_faults.py                     # all, into tools/reference/audit.{json,md}
    python tools/audit_faults.py --only crop

`tools/audit_twin.py` is another program, which makes one fault each. The right answer is the stage of that fault, or
"equal" where there is none. It takes three networks: YOLO11n and YOLOX-Nano of ../shared/models, and the one with
anchors that comes along.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, List, Optional, Sequence

import audit_edits as edits
import audit_twin as twin
from audit_twin import Twin
from bench import report
from bench.report import Table

from edge_runtime.cli import audit, calibrate
from edge_runtime.files.read import parse_toml

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "tools" / "reference" / "audit.json"
PICTURES, CALIBRATION = 8, 16
COLUMNS = ("network", "fault", "given as", "right", "named", "what it says", "s")
V8_FLAGS = "--family yolo_v8 --labels coco --resize letterbox --color rgb".split()
X_FLAGS = "--family yolox --labels coco --resize letterbox_topleft --color bgr --mean 0,0,0 --std 1,1,1".split()
Kept = Sequence[str]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        base: the network without it.
        stage: the right answer; "" if the two are equal.
        make: writes the other artefact into a folder.
    """

    name: str
    base: Twin
    flags: Sequence[str]
    stage: str
    given: str
    make: Callable[[Path, Sequence[Path]], Path]


def recorded(name: str, base: Twin, flags: Kept, stage: str, suffix: str, kept: Kept = (), **wrong: Any) -> Fault:
    """A fault of the program around the network."""

    def make(folder: Path, pictures: Sequence[Path]) -> Path:
        return twin.write(folder / f"theirs{suffix}", twin.run(base.but(**wrong), pictures), kept)

    what = {".npz": "outputs" + "".join(f", {each}" for each in kept), ".jsonl": "boxes", ".json": "COCO results"}
    return Fault(name, base, flags, stage, what[suffix], make)


def edited(name: str, base: Twin, flags: Kept, stage: str, edit: Callable[[str, Path], Path], given: str) -> Fault:
    """A fault of the network's file."""
    return Fault(name, base, flags, stage, given, lambda folder, _: edit(base.path, folder / "theirs.onnx"))


def written(name: str, base: Twin, edit: Callable[[str, Path], Path], file: str) -> Fault:
    """A fault of the network's file, of which only a result is given."""

    def make(folder: Path, pictures: Sequence[Path]) -> Path:
        other = base.but(path=str(edit(base.path, folder / "wrong.onnx")))
        return twin.write(folder / file, twin.run(other, pictures))

    return Fault(name, base, V8_FLAGS, "layers", "outputs" if file.endswith("npz") else "boxes", make)


def faults(shared: Path, folder: Path) -> List[Fault]:
    models = shared / "models"
    v8 = Twin(str(models / "yolo11" / "yolo11n_320_fp32deq.onnx"), 320, "v8")
    x = Twin(str(models / "yolox" / "yolox_nano.onnx"), 416, "yolox", "topleft", bgr=True, divisor=1.0)
    recipe = parse_toml((ROOT / "engines" / "yolo_nano_voc.toml").read_text(encoding="utf-8"))
    nano = Twin(str(ROOT / "engines" / "yolo_nano_voc.onnx"), 320, "v3", anchors=tuple(recipe["anchors"]))
    large = v8.but(path=str(edits.with_large_values(v8.path, folder / "large.onnx", 40)))
    found = [*_plain(v8, V8_FLAGS, x, X_FLAGS, nano), *_pixels(v8, x), *_layers(v8, large, x, shared, folder)]
    return [*found, *_read_otherwise(v8, x, nano, folder), *_boxes(v8, x, nano)]


def _plain(v8: Twin, v8_flags: Kept, x: Twin, x_flags: Kept, nano: Twin) -> List[Fault]:
    return [
        recorded("none", v8, v8_flags, "", ".npz", ("input", "boxes")),
        recorded("none", v8, v8_flags, "", ".npz"),
        recorded("none", v8, v8_flags, "", ".jsonl"),
        recorded("none", x, x_flags, "", ".json"),
        recorded("none", nano, (), "", ".jsonl"),
        edited("none, float16", v8, v8_flags, "", edits.in_half, "fp16 .onnx"),
    ]


def read_otherwise(name: str, base: Twin, flags: Kept, stage: str, folder: Path, **said: str) -> Fault:
    """The file itself, for which a recipe of its own says something else."""
    recipe = folder / f"{name.replace(' ', '_')}.toml"
    recipe.write_text("".join(f"{key} = {value}\n" for key, value in said.items()), encoding="utf-8")
    more = [*flags, "--recipe-b", str(recipe)]
    return Fault(name, base, more, stage, "itself, --recipe-b", lambda *_: Path(base.path))


def _read_otherwise(v8: Twin, x: Twin, nano: Twin, folder: Path) -> List[Fault]:
    anchors = "[[[10, 13], [16, 30], [33, 23]], [[30, 61], [62, 45], [59, 119]], [[116, 90], [156, 198], [373, 326]]]"
    return [
        read_otherwise("read as bgr", v8, V8_FLAGS, "pixels", folder, color='"bgr"'),
        read_otherwise("read as stretched", v8, V8_FLAGS, "pixels", folder, resize='"stretch"'),
        read_otherwise(
            "read with padding at the top left", v8, V8_FLAGS, "pixels", folder, resize='"letterbox_topleft"'
        ),
        read_otherwise("read with pixels 0 to 1", x, X_FLAGS, "pixels", folder, std="[255, 255, 255]"),
        read_otherwise("read with other anchors", nano, (), "decoding", folder, anchors=anchors),
    ]


def _pixels(v8: Twin, x: Twin) -> List[Fault]:
    return [
        recorded("padding at the top left", v8, V8_FLAGS, "pixels", ".jsonl", fit="topleft"),
        recorded("stretched", x, X_FLAGS, "pixels", ".jsonl", fit="stretch"),
        recorded("swapped colours", v8, V8_FLAGS, "pixels", ".jsonl", bgr=True),
        recorded("swapped colours", x, X_FLAGS, "pixels", ".npz", bgr=False),
        edited("first layer of swapped colours", v8, V8_FLAGS, "pixels", edits.with_swapped_channels, ".onnx"),
        recorded("centre crop", v8, V8_FLAGS, "pixels", ".jsonl", fit="crop"),
        recorded("centre crop", x, X_FLAGS, "pixels", ".npz", ("input",), fit="crop"),
        recorded("padding of 0", v8, V8_FLAGS, "pixels", ".npz", pad=0),
        recorded("padding of 0", x, X_FLAGS, "pixels", ".jsonl", pad=0),
        recorded("padding at another place", x, X_FLAGS, "pixels", ".jsonl", fit="letterbox"),
        recorded("stretched", v8, V8_FLAGS, "pixels", ".npz", fit="stretch"),
        recorded("scale by 2", v8, V8_FLAGS, "pixels", ".npz", gain=2),
        recorded("scale by 2", x, X_FLAGS, "pixels", ".jsonl", gain=2),
        recorded("std left out", v8, V8_FLAGS, "pixels", ".npz", ("input", "boxes"), divisor=1.0),
        recorded("divided by 255", x, X_FLAGS, "pixels", ".npz", divisor=255.0),
        recorded("nearest interpolation", v8, V8_FLAGS, "pixels", ".npz", interpolation=0),
        recorded("swapped colours, stretched", v8, V8_FLAGS, "pixels", ".jsonl", bgr=True, fit="stretch"),
    ]


def _layers(v8: Twin, large: Twin, x: Twin, shared: Path, folder: Path) -> List[Fault]:

    def int8() -> Path:
        return _int8(v8.path, shared, folder)

    return [
        Fault("none, INT8", v8, V8_FLAGS, "", "INT8 .onnx", lambda *_: int8()),
        edited("weights of layer 30 times 1.5", v8, V8_FLAGS, "layers",
               lambda source, target: edits.with_broken_weights(source, target, 30, 1.5), ".onnx"),
        edited("weights of layer 12 times 0.7", x, X_FLAGS, "layers",
               lambda source, target: edits.with_broken_weights(source, target, 12, 0.7), ".onnx"),
        edited("scale of layer 20 times 0.25", v8, V8_FLAGS, "layers",
               lambda _, target: edits.with_broken_scale(str(int8()), target, 20, 0.25), "INT8 .onnx"),
        edited("range of layer 20 times 8", v8, V8_FLAGS, "layers",
               lambda _, target: edits.with_broken_scale(str(int8()), target, 20, 8.0), "INT8 .onnx"),
        edited("range of layer 45 times 8", v8, V8_FLAGS, "layers",
               lambda _, target: edits.with_broken_scale(str(int8()), target, 45, 8.0), "INT8 .onnx"),
        edited("zero point of layer 30 off by 40", v8, V8_FLAGS, "layers",
               lambda _, target: edits.with_broken_zero_point(str(int8()), target, 30, 40), "INT8 .onnx"),
        edited("weights with one scale per tensor", v8, V8_FLAGS, "layers",
               lambda _, target: edits.with_weights_per_tensor(str(int8()), target), "INT8 .onnx"),
        edited("float16 overflow", large, V8_FLAGS, "layers", edits.in_half, "fp16 .onnx"),
        written("float16 overflow", large, edits.in_half, "theirs.npz"),
        written("weights of layer 30 times 1.5", v8,
                lambda source, target: edits.with_broken_weights(source, target, 30, 1.5), "theirs.jsonl"),
    ]  # fmt: skip


@lru_cache(maxsize=None)
def _int8(path: str, shared: Path, folder: Path) -> Path:
    target = folder / "int8.onnx"
    words = [path, "--images", str(shared / "data" / "coco128" / "images"), "--num", str(CALIBRATION)]
    with contextlib.redirect_stdout(io.StringIO()):
        assert calibrate.main([*words, "--method", "percentile", "--no-verdict", "-o", str(target), *V8_FLAGS]) == 0
    return target


def _boxes(v8: Twin, x: Twin, nano: Twin) -> List[Fault]:
    other = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))
    return [
        recorded("boxes not scaled back", v8, V8_FLAGS, "decoding", ".jsonl", not_scaled=1),
        recorded("boxes not scaled back", x, X_FLAGS, "decoding", ".npz", ("boxes",), not_scaled=1),
        recorded("padding not taken off", v8, V8_FLAGS, "decoding", ".jsonl", padding_left=1),
        recorded("classes off by one", v8, V8_FLAGS, "decoding", ".json", class_offset=1),
        recorded("classes one lower", v8, V8_FLAGS, "decoding", ".jsonl", class_offset=-1),
        recorded("strides of 16, 32, 64", x, X_FLAGS, "decoding", ".jsonl", strides=(16, 32, 64)),
        recorded("strides of 16, 32, 64", x, X_FLAGS, "decoding", ".npz", ("boxes",), strides=(16, 32, 64)),
        recorded("objectness left out", x, X_FLAGS, "decoding", ".jsonl", no_objectness=1),
        recorded("a second sigmoid", v8, V8_FLAGS, "decoding", ".npz", ("boxes",), sigmoid=1, conf=0.6),
        recorded("a second sigmoid", v8, V8_FLAGS, "decoding", ".jsonl", sigmoid=1, conf=0.6),
        recorded("anchors of YOLOv5", nano, (), "decoding", ".jsonl", anchors=other),
        recorded("confidence 0.5", v8, V8_FLAGS, "thresholds", ".jsonl", conf=0.5),
        recorded("confidence 0.1", x, X_FLAGS, "thresholds", ".jsonl", conf=0.1),
        recorded("at most 3 boxes", v8, V8_FLAGS, "thresholds", ".json", most=3),
        recorded("NMS at 0.8", v8, V8_FLAGS, "NMS", ".jsonl", iou=0.8),
        recorded("NMS at 0.3", v8, V8_FLAGS, "NMS", ".jsonl", iou=0.3),
        recorded("NMS at 0.7", x, X_FLAGS, "NMS", ".npz", ("boxes",), iou=0.7),
        recorded("NMS over all classes", v8, V8_FLAGS, "NMS", ".jsonl", agnostic=1),
        recorded("NMS over all classes", x, X_FLAGS, "NMS", ".jsonl", agnostic=1),
        recorded("no NMS", x, X_FLAGS, "NMS", ".jsonl", no_nms=1),
    ]  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="faults whose name or stage contains it")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="default ../shared")
    parser.add_argument("--json", type=Path, default=DEFAULT, metavar="FILE", help="where figures go")
    parser.add_argument("--pages", type=Path, metavar="DIR", help="write the page of each audit there")
    args = parser.parse_args(argv)
    pictures = sorted((args.shared / "data" / "coco128" / "images").glob("*.jpg"))[40 : 40 + PICTURES]
    table = Table("Faults", COLUMNS)
    with tempfile.TemporaryDirectory() as name:
        chosen = [fault for fault in faults(args.shared, Path(name)) if args.only in f"{fault.name} {fault.stage}"]
        for number, fault in enumerate(chosen):
            folder = Path(name) / str(number)
            folder.mkdir()
            _judge(fault, folder, pictures, table, args.pages)
    injected = [row for row in table.data if row["right"]]
    right = sum(row["right"] == row["named"] for row in injected)
    clean = [row for row in table.data if not row["right"]]
    equal = sum(not row["named"] for row in clean)
    table.notes.append(f"The right stage: {right} of {len(injected)}. Without a fault and called equal: "
                       f"{equal} of {len(clean)}. {len(pictures)} pictures.")  # fmt: skip
    print(table.markdown())
    if not args.only:
        report.save(args.json, "edge-audit on known faults", report.machine(), [table])
    return 0


def _judge(fault: Fault, folder: Path, pictures: Sequence[Path], table: Table, pages: Optional[Path]) -> None:
    other = fault.make(folder, pictures)
    words = [fault.base.path, str(other), *fault.flags, "--json", "--threads", "2"]
    words += [word for path in pictures for word in ("--images", str(path))]
    words += ["--report", str(pages / f"{len(table.rows)}.html")] if pages else []
    began, out = perf_counter(), io.StringIO()
    with contextlib.redirect_stdout(out):
        code = audit.main(words)
    seconds = perf_counter() - began
    found = json.loads(out.getvalue()) if code < 2 else {"stage": "ERROR", "sentence": out.getvalue()}
    named, network = found["stage"] or "", Path(fault.base.path).stem
    mark = "" if named == fault.stage else " WRONG"
    said = found["sentence"].split(" has ", 1)[-1] if named else found["sentence"]
    table.rows.append((network, fault.name, fault.given, fault.stage or "equal", (named or "equal") + mark, said,
                       f"{seconds:.0f}"))  # fmt: skip
    table.data.append({"network": network, "fault": fault.name, "given": fault.given, "right": fault.stage,
                       "named": named, "seconds": round(seconds, 1), "audit": _short(found)})  # fmt: skip
    print(
        f"{fault.name} ({fault.given}): {named or 'equal'}{mark}, {seconds:.0f} s: {said}", file=sys.stderr, flush=True
    )


def _short(found: Any) -> Any:
    return {name: found[name] for name in ("stage", "sentence", "stages") if name in found}


if __name__ == "__main__":
    sys.exit(main())
