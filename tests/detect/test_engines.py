"""Where engines are looked up: plans in a folder for each board and version of TensorRT."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.detect import engines
from edge_runtime.errors import BackendUnavailable, ModelError
from edge_runtime.gpu import trt
from edge_runtime.model import shipped


@pytest.fixture
def board(board_tree, tmp_path, monkeypatch):
    """An Orin Nano with TensorRT 10.3, in a folder without engines."""
    monkeypatch.setenv("EDGE_SYSROOT", str(board_tree("test-board")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trt, "missing", lambda: None)
    monkeypatch.setattr(trt, "version", lambda: "tensorrt 10.3.0")
    return Path(tmp_path / "test-board")


def put(folder: str, name: str = "n.plan") -> str:
    path = Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


@pytest.mark.parametrize(
    ("version", "folder"),
    [
        ("tensorrt 10.3.0", "engines/plans/orin-nano-trt10.3.0"),
        ("tensorrt 8.6.2", "engines/plans/orin-nano-trt8.6.2"),
        ("tensorrt_rtx 1.7.1.116", "engines/plans/orin-nano-rtx1.7.1.116"),
    ],
)
def test_a_folder_for_each_version(board, monkeypatch, version, folder):
    monkeypatch.setattr(trt, "version", lambda: version)
    assert str(engines.plan_folder(board)) == folder
    for name in ("engines/plans/orin-nano-trt1.0", "engines/plans/agx-orin-trt10.3.0"):
        put(name)
    with pytest.raises(ModelError, match=folder):
        engines.find_engine("n.plan")
    assert engines.find_engine(Path(put(folder)).name) == f"{folder}/n.plan"


def test_without_tensorrt_the_folder_is_the_boards(board, monkeypatch):
    monkeypatch.setattr(trt, "missing", lambda: "TensorRT is not installed")
    assert str(engines.plan_folder(board)) == "engines/plans/orin-nano"


def test_the_nearest_place_wins_and_earlier_places_are_kept(board):
    """Earlier versions named the folder by the model alone."""
    places = [
        "engines", "engines/plans/tegra234", "engines/plans/orin-nano-super", "engines/plans/orin-nano",
        "engines/plans/orin-nano-trt10.3.0", ".",
    ]  # fmt: skip
    for place in places:
        expected = put(place)
        assert engines.find_engine("n.plan") == expected


def test_a_broken_tensorrt_keeps_no_onnx_file_from_being_found(board, monkeypatch):
    def version() -> str:
        raise BackendUnavailable("tensorrt does not load", hint="edge-doctor")

    monkeypatch.setattr(trt, "version", version)
    put("engines/plans/orin-nano")
    assert engines.find_engine(Path(put("engines", "n.onnx")).name) == "engines/n.onnx"
    with pytest.raises(BackendUnavailable):
        engines.find_engine("n.plan")


def test_the_shipped_model_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(engines.find_engine(shipped.INT8)).is_file()


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """The folder of what edge-zoo has fetched, empty, and another current folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data" / "edge-runtime" / "models"


@pytest.mark.parametrize("name", ["yolox_nano", "yolox_nano.onnx"])
def test_a_fetched_detector_is_found_by_name_and_a_nearer_one_first(fetched, name):
    with pytest.raises(ModelError, match=f"no engine '{name}' in") as caught:
        engines.find_engine(name)
    assert caught.value.hint == "edge-zoo get yolox_nano"
    Path("yolox_nano").mkdir()  # as a clone of its sources would be
    for folder in (str(fetched), "engines", "."):
        expected = put(folder, "yolox_nano.onnx")
        assert engines.find_engine(name) == expected


def test_a_fetched_detector_is_not_fetched_by_its_plan(fetched):
    put(str(fetched), "yolox_nano.onnx")
    with pytest.raises(ModelError) as caught:
        engines.find_engine("yolox_nano.plan")
    assert caught.value.hint == f"edge-build {fetched}/yolox_nano.onnx makes it"


def test_a_wheel_has_it_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "package")
    assert shipped.shipped_folder() == tmp_path / "engines"
    (tmp_path / "package" / "engines").mkdir(parents=True)
    assert shipped.shipped_folder() == tmp_path / "package" / "engines"
