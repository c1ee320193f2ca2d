"""Quantises random networks one after the other, in children, and sums up what was found."""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from fuzzing import children
from fuzzing.graphs import draw, judge, shrink

METHODS = ("minmax", "auto")
ROOM = 16 << 30  # each thread of a runtime takes addresses, though little memory


def run_all(method: str, count: int, seed: int, keep: Optional[Path] = None) -> Tuple[Dict[str, Any], List[Any]]:
    """Tries one method of calibration; outcomes and figures, and faults. Networks that fail are kept in a folder."""
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", suffix=".jsonl") as notes:

        def work(number: int) -> str:
            found = _judged(draw.draw(number, seed), method)
            with open(notes.name, "a", encoding="utf-8") as file:
                file.write(json.dumps({"said": found.said, **found.figures}) + "\n")
            return found.said if found.said.startswith("FAULT") else found.said.split(":")[0]

        outcomes, faults = children.tried(count, work, ROOM)
        rows = [json.loads(line) for line in Path(notes.name).read_text(encoding="utf-8").splitlines()]
    if keep:
        numbers = [number for number, _ in faults]
        children.tried(len(numbers), lambda place: _keep(method, numbers[place], seed, keep), ROOM)  # type: ignore[arg-type]
    return {**outcomes, **_figures(rows), "reasons": _reasons(rows)}, faults


def _judged(drawn: draw.Drawn, method: str) -> judge.Judged:
    try:
        return judge.judge(drawn, method)
    except Exception as error:  # only an EdgeError is an answer
        return judge.Judged(f"FAULT {type(error).__name__}: {traceback.format_exc()[-2000:]}")


def _keep(method: str, number: int, seed: int, folder: Path) -> str:
    """Writes a network that fails, then the shortest beginning of it that fails in the same way."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, path = draw.draw(number, seed), folder / f"{method}_{seed}_{number}.onnx"
    drawn.save(path)
    kind = _judged(drawn, method).said.split(":")[0]
    shrink.shrunk(drawn, lambda shorter: _judged(shorter, method).said.split(":")[0] == kind).save(path)
    return "kept"


def _figures(rows: List[Dict[str, Any]]) -> Dict[str, Any]:
    done = [row for row in rows if row["said"].startswith(("quantised", "wrong in OpenVINO"))]
    if len(done) < 2:
        return {}
    right = [row for row in done if row["said"] == "quantised"]
    ratios = [row["ratio"] for row in done]

    def largest(name: str) -> float:
        return round(max((row[name] for row in done if name in row), default=0), 2)

    return {
        "error over the reference's, median": round(statistics.median(ratios), 2), "largest": largest("ratio"),
        "kernels against Q/DQ, largest": largest("kernels"), "TensorRT's form, largest": largest("tensorrt"),
        "OpenVINO, networks": sum("openvino" in row for row in done),
        "OpenVINO, largest": round(max((row["openvino"] for row in right if "openvino" in row), default=0), 2),
        "error over the output, median": round(statistics.median(row["error"] for row in done), 4),
        "reference's, median": round(statistics.median(row["reference"] for row in done), 4),
        "layers with weights": sum(row["weighted"] for row in done),
        "of them named as float": sum(row["named"] for row in done),
    }  # fmt: skip


def _reasons(rows: List[Dict[str, Any]]) -> Dict[str, int]:
    """How often each reason for a refusal, or fault of OpenVINO, was given, without names and numbers."""
    said = (row["said"] for row in rows if row["said"].startswith(("refused", "wrong in OpenVINO")))
    plain = (re.sub(r"'[^']*'|\b[\d.]+", "…", " ".join(text.split()))[:160] for text in said)
    return dict(Counter(plain).most_common())
