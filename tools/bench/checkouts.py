"""Runs one of our workers with the package of another checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

HERE = Path(__file__).resolve().parent


def answer(checkout: Path, worker: str, *arguments: str) -> Dict[str, Any]:
    """What a script beside this file prints in its last line, JSON, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / worker), *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'tests'}"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))
