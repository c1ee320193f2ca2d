"""`tools/trt_names.py`: what a row says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import FrozenSet

import pytest

from tests.standins.names.bindings import Unavailable, members
from tests.standins.names.uses import Condition, Use

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import trt_names

PRESENT = frozenset({Condition("OnnxParser", "parse", True)})


def use(how: str = "read", given: object = None, needs: FrozenSet[Condition] = frozenset()) -> Use:
    return Use("OnnxParser", "parse", how, given, needs, "x.py:1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "version", "in_8_6", "said"),
    [
        ("TensorIOMode", "8.4", True, "-"), ("TensorIOMode", "8.5", True, "yes"),
        ("MemoryPoolType", "8.4", True, "yes"), ("MemoryPoolType", "8.2", True, "-"),
        ("ICudaEngine.num_bindings", "8.0", True, "yes"), ("OnnxParser.parse", "8.0", True, "(yes)"),
        ("OnnxParser.parse", "8.5", True, "yes"), ("IProgressMonitor", "8.5", False, "-"),
    ],
)  # fmt: skip
def test_what_is_known_of_the_oldest_versions(name: str, version: str, in_8_6: bool, said: str) -> None:
    assert trt_names.cell(name, version, in_8_6) == said


def test_how_a_name_is_used_and_guarded() -> None:
    uses = [use("call", (2, ("mem_flags",)), PRESENT), use("set", None, PRESENT), use("call", (0, ("path",)), PRESENT)]
    assert trt_names.how(uses) == "call(2, mem_flags=), call(path=), set"
    assert trt_names.guards(uses) == "`OnnxParser.parse`"
    assert trt_names.guards([*uses, use()]) == ""  # one of them is not
    assert trt_names.guards([use(needs=frozenset({Condition("", "X", False)}))]) == "no `X`"


def test_the_table_is_written(tmp_path: Path) -> None:
    try:
        [members(version) for version in trt_names.VERSIONS]
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert trt_names.main(["-o", str(tmp_path / "names.md")]) == 0
    row = next(
        line for line in (tmp_path / "names.md").read_text(encoding="utf-8").splitlines() if "BuilderFlag.FP16`" in line
    )
    assert [cell.strip() for cell in row.split("|")][-4:-1] == [
        "-",
        "-",
        "no `NetworkDefinitionCreationFlag.STRONGLY_TYPED`",
    ]
