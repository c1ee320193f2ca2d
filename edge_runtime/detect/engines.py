"""Finds model files by name, and reads what they say before they are opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Sequence

from edge_runtime.downloads import catalog
from edge_runtime.errors import ModelError
from edge_runtime.gpu import trt
from edge_runtime.jetson import board
from edge_runtime.model import shipped

PLANS = Path("engines", "plans")  # with a folder for each board and version of TensorRT
KINDS = {"tensorrt": "trt", "tensorrt_rtx": "rtx"}
PLAN_SUFFIXES = (".plan", ".engine", ".trt")
ENGINES = ("*.plan", "*.engine", "*.trt", "*.onnx")


def plan_folder(root: Path) -> Path:
    """Folder for plans of this board and its TensorRT, `engines/plans/orin-nano-trt10.3.0`. Only these can open them.

    Raises:
        BackendUnavailable: TensorRT is installed but does not load.
    """
    if trt.missing():
        return PLANS / board.slug(root)
    kind, version = trt.version().split(" ")
    return PLANS / f"{board.slug(root)}-{KINDS[kind]}{version}"


def _folders(name: str) -> List[str]:
    """Places where an engine is looked up. Asks TensorRT, which may be broken, only for a plan."""
    plans = [PLANS / slug for slug in board.former_slugs(board.root())]
    if PLANS.is_dir() and not name.endswith(".onnx"):
        plans.insert(0, plan_folder(board.root()))
    return [".", *dict.fromkeys(map(str, plans)), "engines", str(shipped.shipped_folder()), str(catalog.folder())]


def find_engine(name: str) -> str:
    """The file that `--engine` means: a path, or a bare name that is looked up.

    The name is looked up in the current folder, this board's plans, `engines/`, the package, and last among the files
    that edge-zoo has fetched. There `yolox_nano` is a name too. Nothing is fetched here.

    Raises:
        ModelError: there is no such file, or it is a folder.
    """
    if os.path.isfile(name):
        return name
    file = catalog.file_name(name)
    if os.path.isdir(file):
        inside = _there([name])
        raise ModelError(f"{name} is a folder, not a model file", hint=inside or "it holds no .onnx or .plan file")
    folders = _folders(file)
    places = [Path(file)] if os.path.dirname(file) else [Path(folder, file) for folder in folders]
    for place in places:
        if place.is_file():
            return str(place)
    hint = _to_build(places) or catalog.to_get(file) or _there(folders) or "give the path of an .onnx or .plan file"
    raise ModelError(f"no engine {name!r} in {', '.join(str(p.parent) for p in places)}", hint=hint)


def _there(folders: Sequence[str]) -> str:
    found = sorted(str(path) for folder in folders for end in ENGINES for path in Path(folder).glob(end))
    return f"there is: {', '.join(found)}" if found else ""


def _to_build(plans: Sequence[Path]) -> str:
    """The command that makes a missing plan, if the model of this name is here."""
    models = [plan.with_suffix(".onnx") for plan in plans if plan.suffix in PLAN_SUFFIXES]
    model = next((model for model in models if model.is_file()), None)
    return f"edge-build {model} makes it" if model else ""
