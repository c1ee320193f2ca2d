"""A run becomes a shipped model: figures, metadata and recipe say the same."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import ship

from edge_runtime import zoo
from edge_runtime.detect.detector import Detector
from edge_runtime.model import recipe
from edge_runtime.model.labels import VOC
from edge_runtime.model.spec import METADATA_KEY, ModelSpec
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx


def labelled(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "voc.names").write_text("\n".join(VOC), encoding="utf-8")
    for number in range(2):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.full((64, 64, 3), 90, np.uint8))
        (folder / "labels" / f"{number}.txt").write_text("14 0.5 0.5 0.4 0.4\n", encoding="utf-8")


def test_everything_is_written_and_agrees(tmp_path, capsys):
    labelled(tmp_path / "data")
    run, root = tmp_path / "run", tmp_path / "root"
    for folder in (run, root / "engines", root / "tools" / "reference"):
        folder.mkdir(parents=True)
    architecture = zoo.build("yolo_nano", VOC, 64)
    training = {"arch": "yolo_nano", "images_seen": 1000, "sides": None, "batch": 16}
    model = to_onnx(architecture, weights.random(architecture, 3), metadata={"training": json.dumps(training)})
    onnx.save(model, str(run / "model.onnx"))
    (run / "log.jsonl").write_text("{}\n", encoding="utf-8")
    (run / "plot.png").write_bytes(b"png")
    said = ["--run", str(run), "--name", "nano", "--data", str(tmp_path / "data"), "--imgsz", "96", "--root", str(root)]
    assert ship.main(said) == 0
    printed = json.loads(capsys.readouterr().out)
    shipped = onnx.load(str(root / "engines" / "nano.onnx"))
    metadata = {entry.key: entry.value for entry in shipped.metadata_props}
    assert json.loads(metadata["training"])["images_seen"] == 1000 and "hardware" in json.loads(metadata["training"])
    assert json.loads(metadata["measured"])["voc07_11pt"] == printed["voc07_11pt"] and "Apache" in metadata["license"]
    figures = json.loads((root / "tools" / "reference" / "nano_eval.json").read_text(encoding="utf-8"))
    assert figures["images"] == 2 and figures["voc07_11pt"] == printed["voc07_11pt"] and "fps" not in figures
    assert (root / "tools" / "reference" / "nano_train.jsonl").exists()
    spec, said_again = (
        ModelSpec.from_json(metadata[METADATA_KEY]),
        recipe.load_recipe(str(root / "engines" / "nano.toml")),
    )
    assert spec.input_wh == said_again.imgsz == (96, 96) and said_again.labels == "voc"
    for key in ("family", "resize", "anchors", "strides", "scale_xy", "mean", "std", "color", "pad_value"):
        assert tuple(np.ravel(getattr(spec, key))) == tuple(np.ravel(getattr(said_again, key))), key
    with Detector.open(str(root / "engines" / "nano.onnx")) as detector:
        assert detector.model.spec == spec and not detector.model.notes
