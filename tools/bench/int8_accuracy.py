"""What INT8 costs in AP: the default command on every model, through both backends, and other people's tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import Any, Dict, List, Sequence

from bench.int8_models import PEERS, Subject, by_peer, int8_macs, ours, subjects
from bench.report import Table

BACKENDS = ("onnxruntime", "openvino")
MOST_DROP, AIM, LEAST_MACS, MOST_SIZE = 1.0, 0.5, 0.9, 0.35


def measure(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    columns = ("model", "AP fp32", *(f"INT8 {name}" for name in BACKENDS), "int8 MACs", "on ORT", "size", "")
    table = Table("AP points, INT8 minus fp32", columns)
    for subject in subjects(args.shared, args.only):
        table.data.append(_one(subject, folder))
        table.rows.append(_text(table.data[-1]))
        print(*table.rows[-1], flush=True)
    table.notes.append(
        f"wanted: at most {MOST_DROP} points lost (aim {AIM}), {LEAST_MACS} of the multiplications in int8, size"
        f" at most {MOST_SIZE} of fp32. Default command, its own held-out images; AP as in accuracy.md. On ORT: ONNX"
        " Runtime computes a Conv in float if its result is not rounded, as in the last layers; OpenVINO does not."
    )
    for name in BACKENDS:
        table.notes.append(f"{name}: mean {mean(row[name] for row in table.data):+.2f} over {len(table.data)} models.")
    return [table]


def measure_peers(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    table = Table("AP points of other tools' INT8 minus fp32, ONNX Runtime", ("model", "ours", *PEERS))
    for subject in subjects(args.shared, args.only):
        row = _one(subject, folder)
        table.data.append({"model": subject.name, "ours": row[BACKENDS[0]], **_peers(subject, row["fp32"], folder)})
        table.rows.append([subject.name, *(_points(table.data[-1][name]) for name in ("ours", *PEERS))])
        print(*table.rows[-1], flush=True)
    table.notes.append(
        "the same images for all. For quantize_static opsets are raised to 13, decoding is excluded, and entropy is fed"
        " eight images at a time."
    )
    for name in ("ours", *PEERS):
        known = [row[name] for row in table.data if isinstance(row[name], float)]
        table.notes.append(f"{name}: mean {mean(known):+.2f} over {len(known)} models." if known else f"{name}: none.")
    return [table]


def _one(subject: Subject, folder: Path) -> Dict[str, Any]:
    target = ours(subject, folder / f"{subject.name}_int8.onnx")
    before = subject.average_precision(subject.path, BACKENDS[0])
    drops = {name: 100 * (subject.average_precision(target, name) - before) for name in BACKENDS}
    size = target.stat().st_size / subject.path.stat().st_size
    return {"model": subject.name, "fp32": before, **drops, "int8_macs": int8_macs(target),
            "int8_macs_ort": int8_macs(target, again=True), "size": size}  # fmt: skip


def _text(row: Dict[str, Any]) -> List[str]:
    missed = [name for name, bad in (
        ("AP", min(row[name] for name in BACKENDS) < -MOST_DROP), ("MACs", row["int8_macs"] < LEAST_MACS),
        ("size", row["size"] > MOST_SIZE)) if bad]  # fmt: skip
    return [
        row["model"],
        f"{100 * row['fp32']:.2f}",
        *(f"{row[name]:+.2f}" for name in BACKENDS),
        *(f"{row[name]:.3f}" for name in ("int8_macs", "int8_macs_ort", "size")),
        " ".join(["MISSED", *missed]) if missed else "ok",
    ]


def _peers(subject: Subject, before: float, folder: Path) -> Dict[str, Any]:
    results: Dict[str, Any] = {}
    for name in PEERS:
        try:
            path = by_peer(name, subject, folder / "peer.onnx")
            results[name] = 100 * (subject.average_precision(path, BACKENDS[0]) - before)
        except Exception as error:  # other people's tools fail in their own ways: that is a result
            results[name] = f"failed: {type(error).__name__}: {str(error)[:80]}"
    return results


def _points(value: Any) -> str:
    return f"{value:+.2f}" if isinstance(value, float) else str(value)
