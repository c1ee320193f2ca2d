"""What a measurement leaves behind: tables as aligned Markdown (on the terminal and in a file) and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Sequence

from edge_runtime.machine import cpu_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "opencv-python-headless", "opencv-python", "onnxruntime", "openvino", "pycocotools", "av")


@dataclass
class Table:
    """One section's result.

    Attributes:
        title: heading.
        columns: names; figures are already formatted in `rows`.
        notes: conditions and explanations, a sentence each.
        data: the figures, for JSON.
    """

    title: str
    columns: Sequence[str]
    rows: List[Sequence[str]] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    data: List[Dict[str, Any]] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        lines.insert(1, ["-" * width for width in widths])
        text = "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines)
        return f"## {self.title}\n\n{text}\n" + "".join(f"\n* {note}" for note in self.notes) + "\n"


def figures(title: str, values: Dict[str, Any], *notes: str) -> Table:
    """A table of figures with their names, one a row."""
    rows: List[Sequence[str]] = [(name, str(value)) for name, value in values.items()]
    return Table(title, ("", ""), rows, list(notes), [values])


def machine(extra: Sequence[str] = ()) -> Dict[str, Any]:
    """The conditions of every figure; `extra` names more packages worth a version."""
    versions = {name: version for name in (*PACKAGES, *extra) for version in [_version(name)] if version}
    return {
        "commit": commit(ROOT),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "load": load(),
    }


def commit(checkout: Path) -> str:
    """Name of the commit that is checked out, with `-dirty` if files of it are changed; "" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=checkout, capture_output=True, encoding="utf-8", check=False).stdout.strip()


def load() -> List[float]:
    """Load averages over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def save(path: Path, heading: str, conditions: Dict[str, Any], tables: Sequence[Table]) -> None:
    """Writes `path` (JSON) and the same beside it as Markdown. Files are named from the checkout."""
    sections = {table.title: {"notes": table.notes, "rows": table.data} for table in tables}
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps({"machine": conditions, "sections": sections}, indent=1) + "\n"
    text = f"# {heading}\n\n{describe(conditions)}\n\n" + "\n".join(table.markdown() for table in tables)
    for target, content in ((path, data), (path.with_suffix(".md"), text)):
        named = content.replace(f"{ROOT}{os.sep}", "").replace(f"{ROOT.parent}{os.sep}", "../")
        target.write_text(named, encoding="utf-8")


def describe(conditions: Dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in conditions["versions"].items())
    commit = f"Commit {conditions['commit']}; " if conditions.get("commit") else ""
    return f"{commit}{conditions['cpu']}, {conditions['cores']} cores; Python {conditions['python']}, {versions}."


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
