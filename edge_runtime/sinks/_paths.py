"""The file that a target names."""

from __future__ import annotations

from typing import Optional

SOURCE = "{source}"  # stands for the name of a source
SCHEMES = ("yolo:", "yolo-conf:", "coco:")  # in front of a path


def written_path(target: str) -> Optional[str]:
    """The file or folder that a target names, without its scheme; None for a window and standard output."""
    if target in ("window", "-"):
        return None
    scheme = next((scheme for scheme in SCHEMES if target.lower().startswith(scheme)), "")
    return target[len(scheme) :]
