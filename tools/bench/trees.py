"""Recorded boards, laid out as files that can stand for `/`."""

from __future__ import annotations

import json
from pathlib import Path


def lay(recorded: Path, root: Path, load: bool = False) -> Path:
    """Writes a recorded board below `root`, which it returns.

    Args:
        load: as it was under load; else idle.
    """
    tree = json.loads(recorded.read_text(encoding="utf-8"))
    for name, text in {**tree["files"], **(tree["overlay_load"] if load else {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for name, target in tree["links"].items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    return root
