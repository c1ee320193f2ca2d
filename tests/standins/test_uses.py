"""The inference behind `test_names.py`: guards of every form are seen, and what is wrong is found."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import pytest

from tests.standins.names.members import parameters
from tests.standins.names.source import Source
from tests.standins.names.uses import Use

Members = Dict[str, Dict[str, Any]]


def method(*arguments: Tuple[str, bool], returns: str = "None") -> Dict[str, Any]:
    return {"kind": "method", "calls": [[list(argument) for argument in arguments]], "returns": [returns]}


def library(*more: str) -> Members:
    """A small binding module; `more` are names that only some versions of it have."""
    engine = {
        "old": method(("index", True)),
        "size": {"kind": "property", "calls": [], "returns": ["int"]},
        "limit": {"kind": "setting", "calls": [], "returns": ["int"]},
    }
    runtime = {"load": method(("plan", True), ("path", False), returns="IEngine")}
    module = {"Runtime": {**method(("logger", True), returns="Runtime"), "kind": "class"}}
    return {"": module, "Runtime": runtime, "Engine": {**engine, **{name: method(("name", True)) for name in more}}}


def read(code: str, members: Optional[Members] = None, **others: str) -> Source:
    """The uses in a file that gets its engine as `engine`."""
    given = "from edge_runtime.gpu import trt\nlib = trt.library()\nengine = lib.Runtime(None).load(b'')\n"
    files = {f"edge_runtime/{name}.py": text for name, text in {"code": given + code, **others}.items()}
    return Source(files, members or library("new"), ["trt.library"], {})


def faults(used: Source, members: Members) -> List[str]:
    return [fault for fault in (use.fault(members) for use in used.uses if use.reached(members)) if fault]


GUARDED = {
    "if": "if hasattr(engine, 'new'):\n    engine.new('x')\nelse:\n    engine.old(0)",
    "not": "if not hasattr(engine, 'new'):\n    engine.old(0)\nelse:\n    engine.new('x')",
    "expression": "value = engine.new('x') if hasattr(engine, 'new') else engine.old(0)",
    "and": "value = hasattr(engine, 'new') and engine.new('x')",
    "or": "value = not hasattr(engine, 'new') or engine.new('x')",
    "variable": "fresh = hasattr(engine, 'new')\nif fresh:\n    engine.new('x')",
    "return": "def f(engine):\n    if not hasattr(engine, 'new'):\n        return\n    engine.new('x')\nf(engine)",
    "none": "e = engine if hasattr(engine, 'new') else None\nif e:\n    e.new('x')",
    "list": "m = 1 if hasattr(engine, 'new') else 0\ngiven = [engine.new('x')] if m else []",
    "getattr": "value = getattr(engine, 'new', None)",
    "comprehension": "values = [getattr(engine, name) for name in ('new', 'old') if hasattr(engine, name)]",
    "names": "NAMES = {'new': 1}\nv = [getattr(engine, n) for n, _ in NAMES.items() if hasattr(engine, n)]",
    "function": "def fresh(engine):\n    return hasattr(engine, 'new')\nif fresh(engine):\n    engine.new('x')",
    "only call": "def f(engine):\n    engine.new('x')\nif hasattr(engine, 'new'):\n    f(engine)",
    "only class": "class A:\n    def __init__(self, engine):\n        self.engine = engine\n"
    "    def f(self):\n        self.engine.new('x')\na = A(engine) if hasattr(engine, 'new') else None",
    "adapter": "class Old:\n    def new(self, name):\n        pass\ndef adapted(engine):\n"
    "    return engine if hasattr(engine, 'new') else Old()\nadapted(engine).new('x')",
}


@pytest.mark.parametrize("form", GUARDED)
def test_a_guarded_use_is_seen_and_may_be_absent(form: str) -> None:
    used = read(GUARDED[form])
    assert any((use.owner, use.name) == ("Engine", "new") for use in used.uses)
    assert not faults(used, library()) and not faults(used, library("new"))
    assert not used.unknown and not used.strangers


@pytest.mark.parametrize(
    "code",
    [
        "engine.new('x')",
        "if hasattr(engine, 'old'):\n    engine.new('x')",
        "if hasattr(engine, 'new'):\n    pass\nengine.new('x')",
        "def f(engine):\n    engine.new('x')\nif hasattr(engine, 'new'):\n    f(engine)\nf(engine)",
        "class A:\n    def __init__(self):\n        self.e, b = engine, 1\n    def f(self):\n        self.e.new('x')",
        "for name in ('old', 'new'):\n    getattr(engine, name)",
        "for one in [lib.Runtime(None).load(b'') for k in range(3)]:\n    one.new('x')",
        "class Sub(lib.Engine):\n    def new(self, name):\n        pass",
    ],
)
def test_an_unguarded_use_is_a_fault_where_the_name_is_absent(code: str) -> None:
    members = library("new")
    members[""]["Engine"] = {"kind": "class", "calls": [], "returns": ["Engine"]}
    used = read(code, members)
    assert not faults(used, members)
    del members["Engine"]["new"]
    assert ["Engine.new is not there" in fault for fault in faults(used, members)] == [True]


def test_guards_hold_across_files() -> None:
    code = "from edge_runtime.other import f\nif hasattr(engine, 'new'):\n    f(engine)"
    assert not faults(read(code, other="def f(engine):\n    engine.new('x')"), library())


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("engine.old(0)", False), ("engine.old(index=0)", False), ("engine.old()", True), ("engine.old(0, 1)", True),
        ("engine.old(place=0)", True), ("lib.Runtime(None).load(b'', 'x')", False), ("engine.limit = 3", False),
        ("lib.Runtime(None).load(b'', file='x')", True), ("engine.size = 3", True), ("lib.Runtime()", True),
    ],
)  # fmt: skip
def test_arguments_and_settings_are_compared(code: str, wrong: bool) -> None:
    assert bool(faults(read(code), library("new"))) == wrong


def test_what_cannot_be_derived_is_told() -> None:
    assert read("def f(name):\n    return getattr(engine, name)").unknown == {"edge_runtime/code.py:5"}
    members = library("get_binding_name")
    assert read("def f(thing):\n    thing.get_binding_name(0)", members).strangers
    assert not read(
        "def get_binding_name():\n    pass\ndef f(thing):\n    thing.get_binding_name(0)", members
    ).strangers


def test_signatures_are_read_as_the_bindings_write_them() -> None:
    pybind = "2. f(self: t.A, strategy: t.S = <S.STATIC: 0>, sizes: Tuple[int, int] = (1, 2)) -> t.B"
    assert parameters(pybind) == [("self", True), ("strategy", False), ("sizes", False)]
    boost = "f( (object)arg1, (str)name [, (object)order='C' [, (int)flags]]) -> Module :"
    assert parameters(boost) == [("arg1", True), ("name", True), ("order", False), ("flags", False)]
    assert parameters("init([  (int)flags=0]) -> None :") == [("flags", False)]
    assert parameters("get() -> int") == []
    assert parameters("f(*args, **kwargs) -> int") is None and parameters("Some text (a note) -> more") is None


def test_an_override_takes_what_it_is_given() -> None:
    use = Use("Engine", "new", "override", (2, ()), frozenset(), "x:1")
    assert "takes" in use.fault(library("new"))
