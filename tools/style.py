"""The size and shape of the code beside our goals, from its syntax trees: needs nothing but Python.

python tools/style.py                    # the table
python tools/style.py --list             # and what misses a goal, by file and line
python tools/style.py --write            # tools/reference/style.md
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Dict, Iterator, List, Sequence, Set, Tuple, Union

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tools" / "reference" / "style.md"
ARRAY = re.compile(r"\bNDArray\b|\bFloats\b|\bImages\b|\bndarray\b")
SHAPE = re.compile(r"\(\s*[\w*+/ ]+,[\w*+/,. ]*\)|shape \(\)|any shape|^See `")  # (n,), (H, W, 3), (2 * HALF,)
LONG_FILE, LONG_FUNCTION = 250, 30
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


@dataclass
class Miss:
    """Something that misses a goal."""

    goal: str
    where: str
    what: str


@dataclass
class Row:
    """One line of the table."""

    point: str
    value: str
    goal: str
    misses: List[Miss] = field(default_factory=list)


class Module:
    """A file of the package.

    Attributes:
        name: dotted, "edge_runtime.loop.ring".
        functions: every function and method, with whether it is public: no part of its name begins with "_".
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        parts = path.relative_to(root).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.lines = len(self.text.splitlines())
        private = any(part.startswith("_") and part != "__init__" for part in parts)
        self.functions: List[Tuple[Function, bool]] = []
        self.classes: List[Tuple[ast.ClassDef, bool]] = []
        self._collect(self.tree, not private)

    def where(self, node: ast.AST) -> str:
        """File and line."""
        return f"{self.name.replace('.', '/')}:{getattr(node, 'lineno', 1)}"

    def imports(self) -> Iterator[Tuple[ast.AST, str]]:
        """Each import, with the dotted name that it may mean: `from a.b import c` is a.b and a.b.c."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node, node.module
                yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)

    def _collect(self, node: ast.AST, public: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.append((child, public and not child.name.startswith("_")))
                self._collect(child, False)
            elif isinstance(child, ast.ClassDef):
                shown = public and not child.name.startswith("_")
                self.classes.append((child, shown))
                self._collect(child, shown)
            elif isinstance(child, (ast.If, ast.Try, ast.With)):
                self._collect(child, public)


def main(argv: Sequence[str] = ()) -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="also what misses a goal")
    parser.add_argument("--write", action="store_true", help=f"write {REFERENCE.relative_to(ROOT)}")
    args = parser.parse_args(argv or None)
    rows = table(ROOT)
    text = "\n".join(
        ["| point | here | goal |", "|---|---|---|", *(f"| {r.point} | {r.value} | {r.goal} |" for r in rows)]
    )
    print(text)
    for miss in (miss for row in rows for miss in row.misses) if args.list else ():
        print(f"{miss.where}: {miss.goal}: {miss.what}")
    if args.write:
        head = "# The code in figures\n\nMade by `python tools/style.py --write`; what is counted, that file says.\n\n"
        REFERENCE.write_text(f"{head}{text}\n", encoding="utf-8")
    return 0


def table(root: Path) -> List[Row]:
    """The figures of a checkout."""
    modules = [Module(path, root) for path in sorted((root / "edge_runtime").rglob("*.py"))]
    return [*_sizes(modules), *_imports(modules, root), *_contracts(root), *_words(modules), _tests(root, modules)]


def _sizes(modules: Sequence[Module]) -> List[Row]:
    files = [module.lines for module in modules]
    lengths = sorted(_length(f) for module in modules for f, _ in module.functions)
    long_files = [Miss(f"over {LONG_FILE} lines", m.name, str(m.lines)) for m in modules if m.lines > LONG_FILE]
    long_ones = [
        Miss(f"over {LONG_FUNCTION} lines", m.where(f), f"{f.name} has {_length(f)}")
        for m in modules
        for f, _ in m.functions
        if _length(f) > LONG_FUNCTION
    ]
    p90 = lengths[int(0.9 * len(lengths))]
    return [
        Row("file, lines, median / most", f"{median(files):.0f} / {max(files)}", f"< 80 / {LONG_FILE}", long_files),
        Row("function, lines, median / 90 %", f"{median(lengths):.0f} / {p90}", f"<= 10 / {LONG_FUNCTION}", long_ones),
    ]


def _length(function: Function) -> int:
    """Lines of its body, docstring and decorators not counted."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return int(body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _imports(modules: Sequence[Module], root: Path) -> List[Row]:
    known = {module.name for module in modules}
    graph: Dict[str, Set[str]] = {}
    inside: List[Miss] = []
    for module in modules:
        hidden = {n for f, _ in module.functions for n in ast.walk(f)}
        guarded = {n for i in ast.walk(module.tree) if isinstance(i, ast.If) and _is_typing(i) for n in ast.walk(i)}
        targets = [(node, name) for node, name in module.imports() if name in known]
        graph[module.name] = {name for node, name in targets if node not in hidden | guarded} - {module.name}
        inside += [Miss("import in a function", module.where(n), t) for n, t in targets if n in hidden]
    cycles = [Miss("in an import cycle", name, "") for name in _circular(graph)]
    floors = next(
        node.value
        for node in ast.walk(ast.parse((root / "tests" / "test_layers.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "FLOORS"
    )
    return [
        Row("modules in import cycles", str(len(cycles)), "0", cycles),
        Row("imports of our own inside functions", str(len(inside)), "0", inside),
        Row("floors", str(len(getattr(floors, "elts", ()))), "about 10"),
        Row("loose files at the root", str(len(list((root / "edge_runtime").glob("*.py")))), "6"),
    ]


def _is_typing(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _circular(graph: Dict[str, Set[str]]) -> List[str]:
    """Modules that import each other; a package and its own parts are not counted against each other."""
    left = {name: {t for t in targets if not name.startswith(f"{t}.")} for name, targets in graph.items()}
    while left:
        leaves = {name for name, targets in left.items() if not targets & left.keys()}
        if not leaves:
            return sorted(left)
        left = {name: targets for name, targets in left.items() if name not in leaves}
    return []


def _contracts(root: Path) -> List[Row]:
    package = root / "edge_runtime"
    families = ("backends", "datasets", "heads", "power", "sinks", "sources")
    sizes = {name: _lines(package / name / "__init__.py") for name in families}
    long_ones = [Miss("contract over 80 lines", name, str(size)) for name, size in sizes.items() if size > 80]
    doors = [path for path in package.rglob("*.py") if re.search(r"import _core\b", path.read_text(encoding="utf-8"))]
    bindings = _lines(package / "native" / "csrc" / "bindings.cpp")
    return [
        Row("contract of a family, lines, most", str(max(sizes.values())), "80", long_ones),
        Row("Python files that import the C++ core / lines of its bindings", f"{len(doors)} / {bindings}", "2 / 150"),
    ]


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _words(modules: Sequence[Module]) -> List[Row]:
    public = [(m, f) for m in modules for f, shown in m.functions if shown]
    everything = [(m, f) for m in modules for f, _ in m.functions]
    undocumented = list(_undocumented(modules))
    arrays = [(m, n, d) for m in modules for n, d in _with_arrays(m)]
    shapeless = [Miss("no shape in its docstring", m.where(n), n.name) for m, n, d in arrays if not SHAPE.search(d)]
    bare = [Miss("no return annotation", m.where(f), f.name) for m, f in everything if f.returns is None]
    raised = [(m, call) for m in modules for call in _raised(m)]
    hintless = [
        Miss("no hint", m.where(c), ast.dump(c.func)) for m, c in raised if "hint" not in {k.arg for k in c.keywords}
    ]
    return [
        Row("public functions with docstrings", _share(len(public), undocumented), "100 %", undocumented),
        Row("docstrings with arrays that state shapes", _share(len(arrays), shapeless), "100 %", shapeless),
        Row("functions with a return annotation", _share(len(everything), bare), "100 %", bare),
        Row("raised errors with a hint", _share(len(raised), hintless), "100 %", hintless),
    ]


def _share(total: int, misses: Sequence[Miss]) -> str:
    return f"{100 * (total - len(misses)) / max(total, 1):.1f} % of {total}"


def _undocumented(modules: Sequence[Module]) -> Iterator[Miss]:
    """Public functions without a docstring, whose contract has none either.

    The contract of a method is the class's own docstring, or a method of the same name in another class. That of a
    member's function is the docstring of its family.
    """
    known = {f.name for m in modules for c, _ in m.classes for f in c.body if isinstance(f, FUNCTIONS) and _said(f)}
    families = {m.name: _said(m.tree) for m in modules}
    for module in modules:
        owners = {f: _said(c) for c, _ in module.classes for f in c.body}
        for function in (f for f, shown in module.functions if shown and not _said(f)):
            contract = owners.get(function, families.get(module.name.rpartition(".")[0], ""))
            method = function in owners and function.name in known
            if not method and not re.search(rf"\b{function.name}\b", contract):
                yield Miss("no docstring", module.where(function), function.name)


def _said(node: Union[Function, ast.ClassDef, ast.Module]) -> str:
    return ast.get_docstring(node) or ""


def _with_arrays(module: Module) -> Iterator[Tuple[Union[Function, ast.ClassDef], str]]:
    """Public functions and classes with a docstring whose annotations name arrays."""
    for function, shown in module.functions:
        text = ast.get_docstring(function)
        written = [function.returns, *(a.annotation for a in [*function.args.args, *function.args.kwonlyargs])]
        if shown and text and any(ARRAY.search(ast.dump(node)) for node in written if node):
            yield function, text
    for item, shown in module.classes:
        text = ast.get_docstring(item)
        fields = [node.annotation for node in item.body if isinstance(node, ast.AnnAssign)]
        if shown and text and any(ARRAY.search(ast.dump(node)) for node in fields):
            yield item, text


def _raised(module: Module) -> Iterator[ast.Call]:
    kinds = {"UsageError", "ModelError", "SpecError", "SourceError", "SinkError", "DatasetError", "DeviceError",
             "BoardError", "BackendUnavailable", "EdgeError"}  # fmt: skip
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") in kinds:
            yield node.exc


def _tests(root: Path, modules: Sequence[Module]) -> Row:
    tests = sum(_lines(path) for path in (root / "tests").rglob("*.py"))
    return Row("lines of tests : lines of the package", f"{tests / sum(m.lines for m in modules):.2f}", ">= 0.8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
