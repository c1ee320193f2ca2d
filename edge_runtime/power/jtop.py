"""jtop (jetson-stats). It is asked in its own process, because its import changes how Python starts processes.

It is the last choice on a board: its licence is the AGPL, its averages are not means, and its service must run.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Dict, Optional

from edge_runtime.errors import SourceError
from edge_runtime.libraries.extras import install_hint
from edge_runtime.power import Meter
from edge_runtime.power._child import Child

PRIORITY = 3
SOCKET = "run/jtop.sock"
INTERVAL_S = 0.5
ASK = f"""
import json
from jtop import jtop
with jtop(interval={INTERVAL_S}) as board:
    while board.ok():
        print(json.dumps(board.power), flush=True)
"""


def available(root: Path = Path("/")) -> Optional[str]:
    """None if library and service are there, else the reason."""
    if importlib.util.find_spec("jtop") is None:
        return "jetson-stats is not installed"
    return None if (root / SOCKET).exists() else "jtop's service does not run"


def open(root: Path = Path("/"), what: str = "") -> Meter:
    """Starts the process that asks jtop.

    Raises:
        SourceError: the library or the service is missing, or gives no watts.
    """
    check(root, what)
    return Child("jtop", [sys.executable, "-c", ASK], parse, stale_s=3 * INTERVAL_S + 1.0)


def check(root: Path, what: str) -> None:
    """Refuses to go on without library and service.

    Raises:
        SourceError: one is missing.
    """
    missing = available(root)
    if missing:
        raise SourceError(missing, hint=f"{install_hint('jetson')}, then sudo jtop --install-service")


def parse(line: str) -> Dict[str, float]:
    """Watts by rail of one line. jtop gives the input rail as its total, with the rail's name."""
    try:
        said: Dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    rails = dict(said.get("rail", {}))
    total = said.get("tot", {})
    if "name" in total:
        rails[total["name"]] = total
    return {name: values["power"] / 1e3 for name, values in rails.items() if "power" in values}
