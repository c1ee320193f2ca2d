"""The model for the proof: the shipped one, or a tiny network with random weights if it is not here. Its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

import numpy as np
from numpy.typing import NDArray

from edge_runtime import calibrate, zoo
from edge_runtime.detect.understand import understand
from edge_runtime.imaging import image_file
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.model import onnx_file
from edge_runtime.model.labels import VOC
from edge_runtime.sources.demo import PHOTOS
from edge_runtime.zoo import weights
from edge_runtime.zoo.export import to_onnx

ENGINES = Path(__file__).resolve().parents[2] / "engines"
NAME, TINY = "yolo_nano_voc", "tiny_yolo_v3"
TINY_SIDE = 96


@dataclass(frozen=True)
class Shipped:
    """A model in two files.

    Attributes:
        name: for people.
        path, int8: files of the float model, and of the model with ranges for INT8.
        random: whether its weights are random.
    """

    name: str
    path: str
    int8: str
    random: bool = False


def find_models(folder: Path, engines: Optional[Path] = None) -> Shipped:
    """The shipped model, or a network of the zoo, written into the folder."""
    engines = engines or ENGINES
    files = [engines / f"{NAME}.onnx", engines / f"{NAME}_int8.onnx"]
    if all(path.is_file() for path in files):
        return Shipped(NAME, str(files[0]), str(files[1]))
    return _tiny(folder)


def pictures() -> List[NDArray[np.uint8]]:
    """The photographs of the demo, joined, mirrored, darkened or small. Each is (H, W, 3) uint8 BGR, C-contiguous.

    They need bars on both axes, are made smaller or larger, and hold one to four objects of which any detector is sure.
    """
    person, cat = (image_file.read_image(str(PHOTOS / name)) for name in ("astronaut.jpg", "chelsea.jpg"))
    height, width = cat.shape[:2]
    four = np.vstack([np.hstack([person[:height], cat[:, ::-1]]), np.hstack([cat, person[:height, ::-1]])])
    made = [four, np.vstack([person[:, :width], cat]), person[::4, ::4], cat[:, ::-1] // 2]
    return [np.ascontiguousarray(picture) for picture in made]


def _tiny(folder: Path) -> Shipped:
    path, int8 = folder / f"{TINY}.onnx", folder / f"{TINY}_int8.onnx"
    if not int8.is_file():
        architecture = zoo.build(TINY, VOC, TINY_SIDE)
        path.write_bytes(to_onnx(architecture, weights.random(architecture, 0)).SerializeToString())
        files = []
        for number, image in enumerate(pictures()):
            files.append(str(folder / f"{number}.png"))
            load_cv2().imwrite(files[-1], image)
        spec = understand(str(path), onnx_file.read_io(str(path))).spec
        int8.write_bytes(calibrate.calibrate(str(path), spec, files, "minmax").model.SerializeToString())
    return Shipped(f"{TINY} with random weights, as {NAME} is not here", str(path), str(int8), True)
