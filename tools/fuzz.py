"""Fuzzes readers of users' files in process, commands, the reading of random outputs, the INT8 tool, and compaction.

    python tools/fuzz.py readers [--count 3000] [--only picture] [--seed 1]
    python tools/fuzz.py commands [--count 300] [--only detect]
    python tools/fuzz.py outputs [--count 10000]
    python tools/fuzz.py graphs [--count 500] [--only minmax] [--keep DIR]
    python tools/fuzz.py compact [--count 500] [--only pruned] [--keep DIR]

Each outcome must be a value or an EdgeError; a command must end with 0, 1 or 2, without a traceback and without "fault
of edge-runtime". A random network must be quantised within the error of an independent reference, or refused; see
fuzzing/graphs/judge.py. A compacted network must be equal to 1e-5 relative; see fuzzing/compacted.py. Children have 30
seconds for an input and 2 GiB beside what Python and the libraries hold already; for networks 16 GiB. The counts go
into tools/reference/fuzz.json and .md; inputs that fail are kept in --keep.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from fuzzing import children, commands, compacted, networks, outputs, readers
from fuzzing.mutate import mutated

from edge_runtime.errors import EdgeError

COUNTS = {"readers": 3000, "commands": 300, "outputs": 10_000, "graphs": 500, "compact": 500}
TARGET = Path(__file__).resolve().parent / "reference" / "fuzz.json"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Fuzzes, prints a line for each reader or command, and returns 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(COUNTS))
    parser.add_argument("--count", type=int, help=f"inputs for each; default {COUNTS}")
    parser.add_argument("--only", action="append", help="name of a reader or command")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for inputs that fail")
    args = parser.parse_args(argv)
    known, run = kinds()[args.what]
    count = args.count or COUNTS[args.what]
    keep = args.keep.absolute() if args.keep else None
    faults = 0
    for name in args.only or known:
        began = time.monotonic()
        found, bad = run(name, count, args.seed, keep)
        _note(args.what, name, {"inputs": count, "seed": args.seed, **found, "faults": len(bad)})
        print(f"{name:22} {count} inputs, {json.dumps(found)}, {time.monotonic() - began:.0f} s", flush=True)
        for number, reason in bad[:5]:
            print(f"  fault at {number}: {reason.strip()[-1500:]}", flush=True)
        faults += len(bad)
    return 1 if faults else 0


def kinds() -> Dict[str, Any]:
    """By what is fuzzed: the names there are, and the function that tries one."""
    return {
        "readers": (readers.READERS, read_all),
        "commands": (commands.COMMANDS, commands.run_all),
        "outputs": (["outputs"], judge_all),
        "graphs": (networks.METHODS, networks.run_all),
        "compact": (compacted.KINDS, compacted.run_all),
    }


def read_all(name: str, count: int, seed: int, keep: Optional[Path] = None) -> Any:
    """Tries one reader; outcomes, and faults."""
    reader = readers.READERS[name]
    with tempfile.TemporaryDirectory() as folder:
        readers.prepare(Path(folder))
        path, good = Path(folder, reader.name), reader.good()
        path.parent.mkdir(parents=True, exist_ok=True)

        def content(number: int) -> bytes:
            chance = random.Random(f"{name} {seed} {number}")
            return good[number] if number < len(good) else mutated(chance.choice(good), chance)

        def work(number: int) -> str:
            path.write_bytes(content(number))
            try:
                reader.read(path)
            except EdgeError as error:
                return "refused" if error.message and error.hint else f"FAULT no hint: {error}"
            return "read"

        outcomes, faults = children.tried(count, work)
        for number, _ in faults:
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{number}_{Path(reader.name).name}").write_bytes(content(number))
    return outcomes, faults


def judge_all(name: str, count: int, seed: int, keep: Optional[Path] = None) -> Any:
    """Reads random outputs of models; outcomes, and faults."""
    return children.tried(count, lambda number: outputs.judge(outputs.draw(number, seed)))


def _note(what: str, name: str, found: Dict[str, Any]) -> None:
    content: Dict[str, Any] = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.is_file() else {}
    content["conditions"] = {
        "python": platform.python_version(), "machine": platform.machine(),
        "seconds for an input": children.SECONDS, "GiB for a child": children.BYTES >> 30,
    }  # fmt: skip
    content.setdefault(what, {})[name] = found
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    TARGET.with_suffix(".md").write_text(_table(content), encoding="utf-8")


def _table(content: Dict[str, Any]) -> str:
    said = ", ".join(f"{key} {value}" for key, value in content["conditions"].items())
    lines: List[str] = ["# Fuzzing", "", f"Made by `tools/fuzz.py`; {said}."]
    for what in COUNTS:
        rows = {name: dict(row) for name, row in content.get(what, {}).items()}
        reasons = {name: row.pop("reasons") for name, row in rows.items() if "reasons" in row}
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        lines += ["", f"## {what}", "", f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
        lines += [f"| {name} | {' | '.join(str(row.get(key, 0)) for key in columns)} |" for name, row in rows.items()]
        for name, why in reasons.items():
            lines += ["", *(f"* {name}, {times} times: {reason}" for reason, times in why.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
