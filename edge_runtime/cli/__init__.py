"""The commands: argparse and printing only. Each file is one command with one `main()`."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Optional, Type


def _on_error(kind: Type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
    """Refuses a numpy that is too old for any command. Old versions of pip keep a numpy from before 1.20."""
    if not isinstance(error, ImportError) or (error.name or "").split(".")[0] != "numpy":
        sys.__excepthook__(kind, error, trace)
        return
    print(f"error: numpy is missing, or older than 1.21: {error}", file=sys.stderr)
    print("hint: pip install 'numpy>=1.21,<2'; a later one works too if OpenCV was built for it", file=sys.stderr)


sys.excepthook = _on_error
