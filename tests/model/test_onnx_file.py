"""ONNX files are looked at before a library gets them: how many operators, how large, of what type."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, List, Sequence

import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import ModelError
from edge_runtime.model import onnx_file
from tests.tiny import boxes_v8, write_onnx


def write(path: Path, nodes: List[Any], shape: Sequence[Any] = (1, 3, 8, 8), kind: int = TensorProto.FLOAT) -> str:
    info = [helper.make_tensor_value_info(name, kind, list(shape)) for name in ("images", "out")]
    graph = helper.make_graph(nodes, "g", info[:1], info[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return str(path)


def relu(count: int) -> List[Any]:
    return [helper.make_node("Relu", ["images"], [f"t{k}" if k else "out"]) for k in range(count)]


def test_a_network_of_too_many_operators_is_refused(tmp_path: Path) -> None:
    onnx_file.read_io(write(tmp_path / "a.onnx", relu(onnx_file.MOST_NODES)))
    with pytest.raises(ModelError, match="more than 10000 operators"):
        onnx_file.read_io(write(tmp_path / "b.onnx", relu(onnx_file.MOST_NODES + 1)))


def test_operators_of_inner_graphs_count(tmp_path: Path) -> None:
    inner = helper.make_graph(relu(onnx_file.MOST_NODES), "inner", [], [])
    node = helper.make_node("If", ["images"], ["out"], then_branch=inner, else_branch=inner)
    with pytest.raises(ModelError, match="more than 10000 operators"):
        onnx_file.read_io(write(tmp_path / "a.onnx", [node]))


def test_tensors_that_take_gigabytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes gigabytes"):
        onnx_file.read_io(write(tmp_path / "a.onnx", relu(1), (1, 3, 1 << 20, 1 << 20)))
    path = write(tmp_path / "b.onnx", relu(1), ("n", 3, 64, 64))
    assert onnx_file.read_io(path, (64, 64), 2).input_shape == (2, 3, 64, 64)
    with pytest.raises(ModelError, match="takes gigabytes"):
        onnx_file.read_io(path, (64, 64), 1 << 20)


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="of type 999"):
        onnx_file.read_io(write(tmp_path / "a.onnx", relu(1), kind=999))


def test_a_file_beyond_protobufs_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.onnx", "wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ModelError, match="larger than 2 GiB"):
        onnx_file.load_onnx(str(tmp_path / "a.onnx"))


def test_metadata_that_are_no_utf_8_are_text_all_the_same(tmp_path: Path) -> None:
    path = Path(write_onnx(tmp_path / "m.onnx", {"out": boxes_v8((32, 32, 16, 8, 0.9, 1))}, metadata={"names": "QQQQ"}))
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"a,\xff\xfe"))
    with suppress(ModelError):  # some versions of protobuf do not read it at all
        assert onnx_file.read_io(str(path)).metadata["names"] == "a,\ufffd\ufffd"
    assert onnx_file._text(b"a\xff") == "a\ufffd"
