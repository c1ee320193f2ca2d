"""How to install an extra: from the checkout that runs, or by the packages that it needs. No index has this package."""

from __future__ import annotations

import operator
import platform
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

NAME = "edge-runtime"
CHECKOUT = Path(__file__).resolve().parents[2]
CONDITION = re.compile(r"""(\w+) *(==|!=|>=|<=|>|<) *["']([^"']*)["']""")
OPERATORS: Dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


def install_hint(extra: str) -> str:
    """The command, in one line, that installs an extra of this installation.

    Args:
        extra: its name, "cpu".
    """
    if _is_ours(CHECKOUT):
        words = [f".[{extra}]" if _is_current(CHECKOUT) else f"{CHECKOUT}[{extra}]"]
    else:
        words = list(requirements(extra)) or [f".[{extra}]"]  # without metadata: in the folder of the code
    return " ".join(["pip install", *map(shlex.quote, [*words, *_numpy()])])


def requirements(extra: str) -> Iterator[str]:
    """The packages that an extra needs on this machine, in pip's form, from the metadata of the installed package."""
    from importlib import metadata  # its import takes as long as that of all our modules that need this one

    try:
        lines = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        requirement, _, marker = line.partition(";")
        conditions = CONDITION.findall(marker)  # all of them hold: pyproject.toml has no "or"
        if ("extra", "==", extra) in conditions and all(map(_holds, conditions)):
            yield re.sub(r"[ ()]", "", requirement)


def _is_ours(folder: Path) -> bool:
    try:
        return f'name = "{NAME}"' in (folder / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return False


def _is_current(folder: Path) -> bool:
    try:
        return Path.cwd() == folder
    except OSError:  # the current folder has been removed
        return False


def _holds(condition: Tuple[str, str, str]) -> bool:
    name, sign, value = condition
    if name == "python_version":
        return bool(OPERATORS[sign](sys.version_info[:2], tuple(map(int, value.split(".")))))
    facts = {"platform_machine": platform.machine(), "sys_platform": sys.platform}
    return bool(OPERATORS[sign](facts.get(name, value), value))


def _numpy() -> List[str]:
    """Keeps numpy 1 for an OpenCV of the system that is compiled for it. Without this, pip would install numpy 2."""
    loaded = sys.modules.get("numpy") if "cv2" in sys.modules else None
    with_2 = loaded is not None and not str(loaded.__version__).startswith("1.")
    return ["numpy<2"] if _has_system_opencv() and not with_2 else []


def _has_system_opencv() -> bool:
    try:
        found = find_spec("cv2")
    except ValueError:  # a module without a file
        return False
    path = str(found.origin) if found else sys.prefix
    return path.startswith("/usr/lib/") or not path.startswith(sys.prefix)
