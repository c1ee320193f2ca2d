"""Lists what a binding module has, as JSON on stdout: a child process, for a module over stub libraries may crash.

    python members.py tensorrt_bindings

{"Builder": {"create_network": {"kind": "method", "calls": [[["flags", false]]], "returns": ["INetworkDefinition"]}}}:
classes by name ("" is the module), members, and for what can be called each signature without self: (argument, whether
it must be given). Standard library alone: it runs under whatever Python a wheel is for.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

Parameters = List[Tuple[str, bool]]
STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
OPENING, CLOSING = "([{<", ")]}>"


def listed(module: Any) -> Dict[str, Dict[str, Any]]:
    """All classes of a module, those in classes too, and the module's own names."""
    found: Dict[str, Dict[str, Any]] = {}

    def add(owner: str, thing: Any) -> None:
        found[owner] = {}
        for name in dir(thing):
            if name.startswith("__") and name not in ("__init__", "__version__", "__int__"):
                continue
            member = getattr(thing, name)
            inner = f"{owner}.{name}".lstrip(".")
            if inspect.isclass(member) and inner not in found and owner.split(".")[-1:] != [name]:
                add(inner, member)
            found[owner][name] = described(member, bound(thing, name))

    add("", module)
    return found


def bound(thing: Any, name: str) -> bool:
    """Whether a member's first argument is the object it is called on."""
    return inspect.isclass(thing) and not isinstance(inspect.getattr_static(thing, name), staticmethod)


def described(member: Any, of_object: bool) -> Dict[str, Any]:
    """Kind, signatures and result of one member."""
    if inspect.isclass(member):
        return {"kind": "class", "calls": signatures(member.__init__, True), "returns": [member.__name__]}
    if isinstance(member, property):
        kind = "setting" if member.fset else "property"  # what can be set, and what can only be read
        return {"kind": kind, "calls": [], "returns": results(member.fget)}
    if callable(member):
        return {"kind": "method", "calls": signatures(member, of_object), "returns": results(member)}
    return {"kind": "member", "calls": [], "returns": [type(member).__name__]}


def signatures(function: Any, of_object: bool) -> List[Parameters]:
    """Of a function written in Python, or from the text that pybind11 and Boost.Python keep for theirs."""
    if inspect.isfunction(function):
        given = inspect.signature(function).parameters.values()
        found = [[(str(p) if p.kind in STARRED else p.name, p.default is p.empty) for p in given]]
    else:
        lines = (function.__doc__ or "").splitlines()
        found = [made for made in map(parameters, lines) if made is not None]
    return [made[1:] if of_object else made for made in found]


def parameters(line: str) -> Optional[Parameters]:
    """Of a line like `1. f(self: T, flags: int = 0) -> R` or `f( (T)arg1, (object)x [, (object)y=None]) -> R :`."""
    if not re.match(r"(\d+\. )?\w+\(.*\) -> ", line) or "(*args, **kwargs)" in line:
        return None
    inside = line[line.index("(") + 1 : line.rindex(") -> ")]
    if inside.startswith((" ", "[")):  # Boost.Python
        head, _, tail = inside.partition("[")
        parts = [(part, True) for part in head.split(",")] + [(part, False) for part in tail.split(",")]
    else:
        parts = [(part, "=" not in part) for part in divided(inside)]
    plain = [(re.sub(r"^\(\w+\)", "", part.strip(" []")), must) for part, must in parts]
    return [(re.split("[:=]", name)[0].strip(), must) for name, must in plain if name]


def divided(text: str) -> Iterator[str]:
    """At the commas that are in no bracket."""
    depth, start = 0, 0
    for place, sign in enumerate(text):
        depth += (sign in OPENING) - (sign in CLOSING and text[place - 1] != "-")
        if sign == "," and not depth:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def results(function: Any) -> List[str]:
    """The types that a function gives, without their module."""
    found = re.findall(r"\) -> ([^\n]+)", getattr(function, "__doc__", None) or "")
    return [re.split(r"\.|::", text.rstrip(" :"))[-1] for text in found]


if __name__ == "__main__":
    json.dump(listed(importlib.import_module(sys.argv[1])), sys.stdout)
