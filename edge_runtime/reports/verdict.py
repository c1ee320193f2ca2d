"""The report of a calibration: one page, and the same data as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

from edge_runtime.files import atomic
from edge_runtime.reports import page, pictures


def write_verdict_page(path: Path, title: str, content: Dict[str, Any]) -> None:
    """Writes the page, and its data as a file beside it with the suffix .json.

    Args:
        content: results of the verdict; see `cli/_calibrate_verdict.py`.

    Raises:
        UsageError: a file cannot be written.
        BackendUnavailable: matplotlib is not installed.
    """
    accuracy = _accuracy(content) if content["comparison"]["boxes"] else []
    parts = [page.note(content["recommendation"]), *accuracy, *_cost(content), *_images(content["images"])]
    with atomic.said_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    atomic.replace_file(path, page.page(title, *parts).encode())
    atomic.replace_file(path.with_suffix(".json"), (json.dumps(content, indent=1) + "\n").encode())


def _accuracy(content: Dict[str, Any]) -> List[str]:
    found = content["comparison"]
    low, high = found["interval"]
    rows = [
        (found["metric"], f"{found['before']:.4f}", f"{found['after']:.4f}"),
        ("points lost", "", f"{found['drop']:+.2f}"),
        ("points lost in 95 % of samples of the images", "", f"{low:+.2f} to {high:+.2f}"),
        ("points lost that so many boxes leave possible, 95 %", "", "{:+.2f} to {:+.2f}".format(*found["possible"])),
        *((f"AP of {row['label']} objects", f"{row['before']:.4f}", f"{row['after']:.4f}") for row in found["sizes"]),
        ("boxes that agree at IoU 0.5", "", f"{found['agreement_50']:.1%}"),
        ("boxes that agree, mean over IoU 0.5 to 0.95", "", f"{found['agreement']:.1%}"),
        ("mean change of a score", "", f"{found['score_drift']:.3f} ({found['score_shift']:+.3f} on average)"),
    ]
    parts = [
        page.heading(f"Accuracy on {found['images']} images with {found['boxes']} boxes that it was not calibrated on"),
        page.table(("", "fp32", "int8"), rows),
    ]
    if low <= 0 <= high:
        parts.append(page.note("The interval includes zero: with so few images the change may be chance."))
    if len(content["tried"]) > 1:
        tried = [(step["in_float"], f"{step['drop']:+.2f}") for step in content["tried"]]
        parts += [page.heading("Mixed precision tried"), page.table(("activations in float", "points lost"), tried)]
    if found["classes"]:
        labels, before, after = zip(*((row["label"], row["before"], row["after"]) for row in found["classes"]))
        parts += [page.heading("Classes"), page.picture(pictures.pairs(labels, before, after), "AP per class")]
    return parts


def _cost(content: Dict[str, Any]) -> List[str]:
    times, sizes = content["milliseconds"], content["bytes"]
    rows = [
        (name, f"{times[name]:.2f}", f"{times['fp32'] / times[name]:.2f}", f"{sizes[name] / 1e6:.2f}") for name in times
    ]
    worst = [(row["name"], f"{row['sqnr_db']:.1f}", f"{row['without_db']:+.2f}", "float" if row["in_float"] else "int8")
             for row in content["worst"]]  # fmt: skip
    return [
        page.heading(f"Speed and size: {content['backend']}"),
        page.table(("", "ms", "speed against fp32", "MB"), rows),
        page.heading("Activations that are hardest to round"),
        page.table(("tensor", "signal to noise alone, dB", "gain if all others are rounded, dB", "now"), worst),
    ]


def _images(seen: Dict[str, Any]) -> List[str]:
    if not seen:
        return []
    sizes = ", ".join(f"{width}x{height} ({count})" for width, height, count in seen["sizes"][:5])
    rows = [("images", seen["images"]), ("sizes", sizes), ("look alike", f"{len(seen['alike'])} pairs"),
            *((name, len(seen[name])) for name in ("dark", "blurred", "unreadable"))]  # fmt: skip
    return [page.heading("Images"), page.table(("", ""), rows), *(page.note(text) for text in seen["warnings"])]
