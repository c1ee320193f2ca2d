"""The words for an output that nobody knows: what may have been meant."""

from __future__ import annotations

import os
import re
from typing import Dict, Tuple

from edge_runtime.errors import UsageError

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PATH = re.compile(r"(https?://[^/?#]*)[/?#].+", re.IGNORECASE | re.DOTALL)
KINDS = (
    "out.mp4, out.jsonl, events:out.jsonl, clips:clips, mqtt://…, webhook+https://…, prometheus://, out.csv, "
    "out.coco.json, drawn/ (pictures), yolo:labels/, http://127.0.0.1:8080, rtsp://127.0.0.1:8554, window, -"
)
NEAR: Dict[Tuple[str, ...], str] = {  # words that users type, and what they may mean
    (".json",): "out.coco.json for COCO, out.jsonl for a line per frame",
    (".txt",): "yolo:labels/ for a text file per picture, out.csv for one table",
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"): "a folder with / at the end, for a picture per frame",
    (".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".gif"): "out.mp4, out.mkv or out.avi",
    (".tsv", ".xls", ".xlsx", ".parquet"): "out.csv",
}


def unknown(target: str) -> UsageError:
    """The error for a target that no member handles, with the word that was meant."""
    shown = _PATH.sub(r"\1/…", target)  # a webhook without its word: who knows the path may post there
    return UsageError(f"no output is written as {shown!r}", hint=_near(target))


def _near(target: str) -> str:
    if os.path.isdir(target):
        return f"did you mean {target}/ for a picture per frame, or yolo:{target}/ for a text file per picture?"
    if target.lower().startswith("https://"):
        return "did you mean webhook+https://HOST/PATH, to post events there?"
    word = target.lower().partition(":")[0].rpartition("/")[2]  # in a configuration it is a path by now
    alike = [kind for kind in KINDS.split(", ") if ":" in kind and re.split(r"[:+]", kind)[0] == word]
    meant = next((hint for endings, hint in NEAR.items() if target.lower().endswith(endings)), "")
    return f"did you mean {meant}?" if meant else f"expected one like {alike[0] if alike else KINDS}"
