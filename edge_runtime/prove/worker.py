"""The process of one step. A crash in it ends no other process.

    python -m edge_runtime.prove.worker '{"room": "kernels", …}'

It prints its result as one line of JSON on stdout. What libraries print goes to stderr.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any, Dict, List, TextIO

from edge_runtime.errors import EdgeError
from edge_runtime.prove.steps import FAILED, PASSED, SKIPPED, Skip, Task

SEND = "send the proof back: it holds all that is known"


def main(argv: List[str]) -> int:
    """Runs the step."""
    answer = _own_stdout()
    faulthandler.enable()
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that a power mode is put back
        signal.signal(number, signal.default_int_handler)
    task = Task(**json.loads(argv[0]))
    said = _do(task)
    print(json.dumps({**said, "figures": task.figures}, default=_plain), file=answer, flush=True)
    return 0


def _do(task: Task) -> Dict[str, Any]:
    try:
        return {"state": PASSED, "said": import_module(f"edge_runtime.prove.{task.room}").prove(task)}
    except Skip as reason:
        return {"state": SKIPPED, "said": str(reason), "hint": reason.hint}
    except EdgeError as error:
        return {"state": FAILED, "said": str(error), "hint": error.hint or SEND}
    except Exception as error:
        task.figures["trace"] = traceback.format_exc().splitlines()[-12:]
        said = str(error).strip().splitlines() or [""]
        return {"state": FAILED, "said": f"{type(error).__name__}: {said[0]}", "hint": SEND}


def _own_stdout() -> TextIO:
    """The original stdout, used for the result only. All other prints go to stderr."""
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


def _plain(value: Any) -> Any:
    """Converts numpy's numbers to Python's."""
    return value.item() if hasattr(value, "item") else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
