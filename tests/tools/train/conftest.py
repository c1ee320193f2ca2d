"""The trainings of tools/train, a toy detector for them, and four pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
import toy_detector

from edge_runtime import zoo
from edge_runtime.model.labels import VOC
from edge_runtime.zoo.export import to_onnx

TOOLS = Path(__file__).resolve().parents[3] / "tools" / "train"
sys.path.insert(0, str(TOOLS))
Flags = Callable[..., List[str]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_detector.write_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A toy in the zoo, no pictures of curves, and one thread, so that sums have one order."""
    import run
    import torch

    real = zoo.build

    def build(name: str, *args: Any, **more: Any) -> Any:
        return (toy_detector.build if name == "toy" else real)(name, *args, **more)

    monkeypatch.setattr(zoo, "build", build)
    monkeypatch.setattr(run, "plot", lambda log, picture: None)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def flags(toy: None, folder: Path, tmp_path: Path) -> Flags:
    """Returns the flags of a training of the toy, with further ones."""

    def given(*more: Any) -> List[str]:
        fixed = ["--data", folder, "--cache", tmp_path / "cache", "--arch", "toy", "--imgsz", 64, "--limit", 4]
        return list(map(str, [*fixed, "--batch", 4, "--no-compile", "--float32", *more]))

    return given


@pytest.fixture
def compared(toy: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], List[str]]:
    """Returns the flags of a comparison of trainings with so many steps; the toy stands in for every network."""
    monkeypatch.setattr(zoo, "build", lambda name, labels=VOC, imgsz=64: toy_detector.build(imgsz=imgsz))
    path, architecture = tmp_path / "whole.onnx", toy_detector.build(imgsz=320)
    path.write_bytes(to_onnx(architecture, toy_detector.weights(architecture)).SerializeToString())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train").symlink_to(folder)
    (tmp_path / "out").mkdir()
    given = ["--data", tmp_path / "data", "--out", tmp_path / "out", "--model", path, "--batch", 2, "--limit", 4,
             "--no-compile", "--cache", tmp_path / "cache", "--steps"]  # fmt: skip
    return lambda steps: list(map(str, [*given, steps]))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The toy as an exported file."""
    path, architecture = tmp_path / "whole.onnx", toy_detector.build()
    path.write_bytes(to_onnx(architecture, toy_detector.weights(architecture)).SerializeToString())
    return path
