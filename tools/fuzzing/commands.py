"""Every command with odd arguments and damaged files, in children that have all imports already."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from fuzzing import children, readers
from fuzzing.mutate import mutated

# How each command does a short piece of work; the words after it are drawn at random.
COMMANDS: Dict[str, List[List[str]]] = {
    "detect": [["--engine", "a.onnx", "--images", "images", "--max-frames", "3", "--idle", "0"]],
    "bench": [
        ["--engine", "a.onnx", "--seconds", "0.2", "--warmup", "0", "--repeats", "1", "--idle", "0"],
        ["compare", "bench.json", "bench.json"],
        ["merge", "bench.json", "bench.json", "-o", "out.csv"],
    ],
    "eval": [["--engine", "a.onnx", "--data", "yolo"], ["--engine", "a.onnx", "--data", "instances.json"]],
    "calibrate": [
        ["a.onnx", "--images", "images", "-o", "out.onnx", "--no-verdict"],
        ["a.onnx", "--images", "set.toml", "-o", "out.onnx", "--no-verdict", "--ranges", "t.json"],
    ],
    "identify": [["a.onnx", "--images", "images", "--budget", "1"], ["a.onnx", "--data", "yolo", "--budget", "1"]],
    "audit": [
        ["a.onnx", "theirs.npz", "--images", "images"],
        ["a.onnx", "theirs.jsonl", "--images", "images", "--report", "out.html"],
        ["a.onnx", "theirs.json", "--images", "images", "--json"],
    ],
    "build": [["a.onnx", "-o", "out.plan"]],
    "power": [
        ["--sysroot", "board.json"],
        ["--meter", "replay:t.csv"],
        ["set", "15W", "--dry-run", "--sysroot", "board.json"],
    ],
    "zoo": [["list"], ["list", "--json"], ["get", "no_such_name"]],
    "doctor": [["--quick"], ["--read", "board.json"], ["--quick", "--sysroot", "board.json"]],
}
# Minutes long, no work, needs a display, tracebacks wanted.
SKIPPED = {"--prove", "-h", "--help", "--show", "-v", "--verbose"}
WORDS = (
    *"-1 0 1 2 nan inf 1e999 640 64x64 0x0 99999999 a,b , voc coco ² a.onnx b.onnx a.plan images a.jpg nowhere".split(),
    *"out.jsonl out/ out.mp4 out.csv out.json out.html m.toml t.json t.csv t.jsonl board.json bench.json".split(),
    *"names.txt data.yaml yolo instances.json - . /dev/null /dev/zero demo synthetic://64x64@30 replay:t.csv".split(),
    *"replay:t.txt replay:nowhere yolo_v8 yolox letterbox cpu cuda onnxruntime openvino 15W MAXN [red]x[/]".split(),
    *("", "\udcff", "a" * 300, "x\ny", "$\\frac{a$"),
)
FILES = (
    "recipe",
    "range table",
    "trace, CSV",
    "trace, JSON lines",
    "trace, tegrastats",
    "board's record",
    "labels",
    "ONNX",
    "manifest",
    "COCO",
    "YOLO, description",
    "YOLO, labels",
    "benchmark",
    "picture",
    "passport",
    "outputs of others",
    "boxes of others, JSON lines",
    "boxes of others, COCO",
)
BAD = ("fault of edge-runtime", "Traceback (most recent call last)")


def run_all(
    name: str, count: int, seed: int, keep: Optional[Path] = None
) -> Tuple[Dict[str, int], List[children.Fault]]:
    """Tries one command; outcomes by exit code, and faults. The files of a fault are copied into a folder of `keep`."""
    module = import_module(f"edge_runtime.cli.{name}")
    _import_all()

    def work(number: int) -> str:
        folder = tempfile.mkdtemp(prefix="fuzz-")
        try:
            words = _prepared(Path(folder), name, random.Random(f"{name} {seed} {number}"))
            code, said = _run(module, words)
            bad = next((text for text in BAD if text in said), "")
            if bad or code not in (0, 1, 2):
                if keep:
                    shutil.copytree(folder, keep / f"{name}_{number}", symlinks=True)
                return f"FAULT exit {code} of {words}\n{said[-2500:]}"
            return f"exit {code}"
        finally:
            os.chdir("/")
            shutil.rmtree(folder, ignore_errors=True)

    return children.tried(count, work)


def _import_all() -> None:
    """What a command imports late is imported here, once: a child would do it again for each input."""
    for late in (
        "onnx",
        "onnxruntime",
        "openvino",
        "cv2",
        "yaml",
        "matplotlib",
        "rich.table",
        "edge_runtime.reports.page",
    ):
        with contextlib.suppress(ImportError):
            import_module(late)


def _prepared(folder: Path, name: str, chance: random.Random) -> List[str]:
    """The folder with its files, some of them damaged, and the words of the command."""
    readers.prepare(folder)
    damaged = set(chance.sample(FILES, chance.choice((0, 1, 1, 2, 4))))
    for kind in FILES:
        reader = readers.READERS[kind]
        good = chance.choice(reader.good())
        path = folder / reader.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(good, chance) if kind in damaged else good)
    (folder / "a.plan").write_bytes(b"engine")
    (folder / "images/b.jpg").write_bytes((folder / "a.jpg").read_bytes())
    words = list(chance.choice(COMMANDS[name]))
    flags = _flags(name)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
        how = chance.random()
        if how < 0.7:
            flag, takes, fitting = chance.choice(flags)
            word = chance.choice(fitting if fitting and chance.random() < 0.7 else WORDS)
            words += [f"{flag}={word}"] if takes else [flag]
        elif how < 0.85:
            words.insert(chance.randrange(len(words) + 1), chance.choice(WORDS))
        elif words:
            del words[chance.randrange(len(words))]
    return words


def _flags(name: str) -> List[Tuple[str, bool, List[str]]]:
    """Flags of a command, whether each takes a value, and values that may fit."""
    parser = import_module(f"edge_runtime.cli.{name}")._parser()
    return [
        (flag, action.nargs != 0, list(action.choices or (["1", "2", "0.5", "64"] if action.type else [])))
        for action in parser._actions
        for flag in action.option_strings
        if flag not in SKIPPED
    ]


def _run(module: Any, words: List[str]) -> Tuple[int, str]:
    """Exit code, and what was printed on both streams."""
    out = os.open("said.txt", os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        code = module.main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    with os.fdopen(os.dup(out), "rb") as file:
        file.seek(0)
        return int(code or 0), file.read(1 << 20).decode("utf-8", "replace")
