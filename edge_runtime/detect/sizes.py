"""The size at which a model runs, if its file leaves it open."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import fields
from edge_runtime.files.fields import check_fields
from edge_runtime.model import names
from edge_runtime.model.recipe import ModelFlags
from edge_runtime.model.spec import ModelIO

DEFAULT_WH = (640, 640)
SIZE = {"imgsz": fields.size()}


def input_size(io: ModelIO, flags: ModelFlags) -> Tuple[int, int]:
    """(width, height) to run a model at: that of the file, else of the user, else of its metadata, else 640.

    Raises:
        UsageError: the file's size is fixed and the user wants another.
    """
    if -1 not in io.input_wh:
        if flags.imgsz is not None and flags.imgsz != io.input_wh:
            raise UsageError(
                f"--imgsz is {_wh(flags.imgsz)}, the model's input is fixed at {_wh(io.input_wh)}",
                hint="leave --imgsz out, or export the model with that size or with dynamic axes",
            )
        return io.input_wh
    stated = names.literal(io.metadata.get("imgsz", ""))
    if flags.imgsz is None and isinstance(stated, list) and len(stated) == 2:
        size = {"imgsz": stated[::-1]}
        found: Tuple[int, int] = check_fields(size, SIZE, "the file's metadata: ", ModelError)["imgsz"]
        return found
    return flags.imgsz or DEFAULT_WH


@contextmanager
def running_at(path: str, chosen_wh: Optional[Tuple[int, int]]) -> Iterator[None]:
    """Names the chosen size in the error of a run: many files leave sizes open and work at one size only.

    Raises:
        ModelError: of the block.
    """
    try:
        yield
    except ModelError as error:
        if chosen_wh is None:
            raise
        fact = f"{path} leaves the size of its input open, and does not run at {_wh(chosen_wh)}: {error}"
        raise ModelError(fact, hint="give the size that it was exported for: --imgsz WIDTHxHEIGHT") from error


def _wh(size: Tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
