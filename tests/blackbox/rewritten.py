"""Recordings with other content: what somebody else may have written."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Optional

Change = Callable[[bytes], Optional[bytes]]


def rewrite(
    path: Path, changes: Dict[str, Change], manifest: Optional[Callable[[Dict[str, Any]], None]] = None
) -> Path:
    """Writes it anew beside the old one, with right hashes. A part that becomes None is left out."""
    with zipfile.ZipFile(path) as archive:
        parts: Dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    for name, change in changes.items():
        parts[name] = change(parts[name])
    parts = {name: content for name, content in parts.items() if content is not None}
    about = json.loads(parts["manifest.json"])
    about["parts"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in parts.items() if name != "manifest.json"
    }  # fmt: skip
    if manifest:
        manifest(about)
    parts["manifest.json"] = json.dumps(about).encode()
    new = path.with_name("changed.edge")
    with zipfile.ZipFile(new, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return new
