"""The machines: what is there before edge-runtime is installed, and the README's words that install it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

BOARD_WORDS = (
    "python3 -m venv --system-site-packages .venv",
    ".venv/bin/pip install -U pip 'setuptools>=61' wheel",
    ".venv/bin/pip install '.[tensorrt]' 'numpy<2' onnxruntime",
)
PC_WORDS = (
    "python3 -m venv .venv",
    ".venv/bin/pip install '.[cpu,openvino]'",
)


@dataclass(frozen=True)
class Machine:
    """One row.

    Attributes:
        about: for the table.
        python: version of the interpreter, "3.8".
        tools: the versions of pip and setuptools that a virtual environment has there.
        system: packages that are on the machine already, as the distribution or the user has put them there.
        words: the commands of README's section "Install".
        extra: what the tests look at besides, in versions of that time.
    """

    name: str
    about: str
    python: str
    tools: Tuple[str, ...]
    system: Tuple[str, ...]
    words: Tuple[str, ...]
    extra: Tuple[str, ...] = ()


MACHINES: Tuple[Machine, ...] = (
    Machine(
        "jetpack5", "JetPack 5", "3.8", ("pip==20.0.2", "setuptools==45.2.0"),
        ("numpy==1.17.4", "opencv-python-headless==4.5.4.60", "onnxruntime==1.16.3"),
        BOARD_WORDS, ("openvino==2024.4.0",),
    ),
    Machine(
        "jetpack6", "JetPack 6", "3.10", ("pip==22.0.2", "setuptools==59.6.0"),
        ("numpy==1.21.5", "opencv-python-headless==4.8.0.76", "onnxruntime==1.18.1"),
        BOARD_WORDS, ("openvino==2023.3.0",),
    ),
    Machine(
        "jetpack7", "JetPack 7", "3.12", ("pip==24.0",),
        ("numpy==1.26.4", "opencv-python-headless==4.6.0.66", "onnxruntime==1.20.1"),
        BOARD_WORDS, ("openvino==2024.4.0",),
    ),
    Machine(
        "pc2025", "a PC of last year", "3.11", (),
        ("numpy==2.2.6", "opencv-python-headless==4.12.0.88", "onnxruntime==1.22.1", "openvino==2025.1.0"),
        PC_WORDS,
    ),
    Machine("newest", "a PC with the newest of all", "3.13", (), (), PC_WORDS),
    Machine(
        "lowest", "the lower bounds of pyproject.toml", "3.8", (),
        ("numpy==1.21.6", "opencv-python-headless==4.5.4.60", "onnxruntime==1.12.1", "onnx==1.13.1", "rich==12.3.0",
         "openvino==2023.3.0"),
        PC_WORDS,
    ),
)  # fmt: skip
BY_NAME: Dict[str, Machine] = {machine.name: machine for machine in MACHINES}
