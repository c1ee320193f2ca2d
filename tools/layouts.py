"""Opens files with the output layouts of exporters, each holding one known object, and tells what was taken for what.

    python tools/layouts.py FOLDER [--backend onnxruntime] [--write]

FOLDER holds `make_layouts.py OUTDIR`, which writes the files, and `expected.tsv`: name, exporter, what is right. A
layout is right if its object is found, or if it is refused and that is allowed. `--write` keeps the table.

Two backends are the device's, with stand-ins for TensorRT and the GPU (`tests/standins/board.py`): `standin` runs plans
of edge-build, `standin-trtexec` plans without a passport. ONNX Runtime computes the network. Everything else is ours.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
from bench import report

from edge_runtime import Detections, Detector
from edge_runtime.errors import EdgeError
from edge_runtime.gpu import passport

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("onnxruntime", "openvino", "standin", "standin-trtexec")
TITLES = {
    "standin": "TensorRT's stand-in, plans of edge-build",
    "standin-trtexec": "TensorRT's stand-in, plans of trtexec",
}
TARGET = ROOT / "tools" / "reference" / "layouts.json"
BOX = (100.0, 150.0, 300.0, 400.0)
FRACTIONS = (0.2, 0.3, 0.6, 0.8)
NEAR = 4.0  # pixels; one file has 0.99 of a side where the box ends outside the picture


def main(argv: Sequence[str]) -> int:
    """Prints the table and returns 1 if a layout is read wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="default: all")
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.relative_to(ROOT)} and .md")
    args = parser.parse_args(argv)
    lines = (args.folder / "expected.tsv").read_text(encoding="utf-8").splitlines()[1:]
    tables = []
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, str(args.folder / "make_layouts.py"), made], check=True, capture_output=True)
        for backend in args.backend or BACKENDS:
            tables.append(table(Path(made), [line.split("\t") for line in lines], backend))
            print(tables[-1].markdown())
    if args.write:
        report.save(TARGET, "Layouts of exporters", report.machine(), tables)
    return int(any(row["verdict"] == "WRONG" for one in tables for row in one.data))


def table(folder: Path, expected: Sequence[Sequence[str]], backend: str) -> report.Table:
    """One row for each layout."""
    columns = ("layout", "exporter", "verdict", "taken for", "why, or why not")
    found = report.Table(TITLES.get(backend, backend), columns)
    for name, exporter, right in expected:
        verdict, taken, why = judged(folder / f"{name}.onnx", right, backend)
        found.rows.append((name, exporter.split(":")[0], verdict, taken, why))
        found.data.append({"head_layout": name, "verdict": verdict, "taken": taken, "why": why})
    counts = {word: sum(row["verdict"] == word for row in found.data) for word in ("RIGHT", "refused", "WRONG")}
    found.notes.append(", ".join(f"{count} {word}" for word, count in counts.items()))
    found.notes.append("refused: not read, and said so; expected is that it is read.")
    return found


def judged(path: Path, right: str, backend: str) -> Tuple[str, str, str]:
    """The verdict, the family that was taken, and the reason."""
    allowed = "refused" in right
    try:
        with ExitStack() as stack:
            detector, said = opened(path, backend, stack)
            spec = detector.model.spec
            words = f" {','.join(spec.head_layout)}" if spec.head_layout else ""
            notes = [note for note in said if "preprocessing" not in note and "class names" not in note]
            image = np.zeros((*reversed(spec.input_wh), 3), np.uint8)
            found = detector(image)
            hit = not len(found) if "no box" in right else _hit(found, spec.input_wh, name_of(right))
        silent = "never in silence" in right and not notes
        verdict = "RIGHT" if (hit or "note" in right) and not silent and right != "refused" else "WRONG"
        return verdict, f"{spec.family}{words}", "; ".join(notes)[:200]
    except EdgeError as error:
        return ("RIGHT" if allowed else "refused"), "", str(error).replace(f"{path.parent}/", "")[:200]
    except Exception as error:
        return "WRONG", "", f"{type(error).__name__}: {error}"[:200]


def opened(path: Path, backend: str, stack: ExitStack) -> Tuple[Detector, Sequence[str]]:
    """The detector, and what the user is told on the way to it."""
    said: Sequence[str] = ()
    if backend in TITLES:
        path, said = built(path, backend, stack)
    which = None if backend in TITLES else backend
    detector = stack.enter_context(Detector.open(path, backend=which, conf=0.3, threads=1))
    return detector, (*said, *detector.model.notes)


def built(path: Path, backend: str, stack: ExitStack) -> Tuple[Path, Sequence[str]]:
    """A plan of the file, and the notes of edge-build."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from pytest import MonkeyPatch

    from tests.standins.board import Board

    board, plan = Board(stack.enter_context(MonkeyPatch.context())), path.with_suffix(".plan")
    if backend == "standin":
        return plan, board.build(path, plan)
    passport.passport_path(plan).unlink(missing_ok=True)
    board.build_elsewhere(path, plan)
    return plan, ()


def name_of(right: str) -> str:
    """The class of the object."""
    return "person" if right.startswith("person") else "dog"


def _hit(found: Detections, wh: Tuple[int, int], label: str) -> bool:
    boxes: List[np.ndarray] = [
        np.clip(np.array(box), 0, np.array(wh * 2)) for box in (BOX, np.multiply(FRACTIONS, wh * 2))
    ]
    names = {label, "16"}  # one file names its classes by numbers
    near: Optional[bool] = any(
        one.label in names and np.abs(np.array(one.xyxy) - box).max() < NEAR for one in found for box in boxes
    )
    return bool(near)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
