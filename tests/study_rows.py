"""Rows of a study as edge-bench writes them."""

from __future__ import annotations

from typing import Any, Dict


def row(name: str, ap: float, macs: int, fps: float = 50.0, **more: Any) -> Dict[str, Any]:
    figure = [ap, ap - 0.02, ap + 0.02]
    seen = {"value": ap, "samples": sorted(figure), "boxes": 40, "pictures": 12, "data": "d" * 64, "ap50": ap + 0.1,
            "objects": 30, "name": "voc2007 eval", "figures": dict.fromkeys(("AP", "AP50", "APs"), figure)}  # fmt: skip
    counts = {"parameters": macs // 700, "conv_macs": macs, "thop_macs": macs + 9, "zeros": 0, "bytes_fp32": 400,
              "bytes_fp16": 200, "bytes_int8": 100, "bytes_file": 410, "input": "416x416", "note": ""}  # fmt: skip
    study = {"title": "T", "system": "", "form": "", "base": "", "published": []}
    return {
        "engine": f"{name}.onnx", "name": name, "batch": 1, "streams": 1, "mode": None, "board": "",
        "cpu": "AMD, cores 2", "valid": True, "reasons": [], "notes": [], "fps": fps, "fps_low": fps, "fps_high": fps,
        "engine_sha256": name, "latency_ms": {"p50": 1e3 / fps}, "accuracy": {"metric": "voc07_11pt", "value": ap},
        "ap": seen, "counts": counts, "study": study, **more,
    }  # fmt: skip
