"""Reads the arrays of an .npz file within limits, without running what may be in it."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Dict

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends.replay import BROKEN, MOST
from edge_runtime.errors import ModelError
from edge_runtime.files import read
from edge_runtime.files.zips import open_zip

KINDS = "fiub"  # numbers


def arrays(path: str) -> Dict[str, NDArray[Any]]:
    """Returns the arrays by name, of any shape and as they are.

    Raises:
        ModelError: it is not such a file, unpacks to more than a gigabyte, or holds Python objects.
    """
    try:
        content = read.read_bytes(path, MOST)
        if sum(member.file_size for member in open_zip(content).infolist()) > MOST:
            raise ValueError(f"it unpacks to more than {MOST // read.MIB} MiB")
        with np.load(BytesIO(content), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, MemoryError, *BROKEN) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    odd = [name for name, array in found.items() if array.dtype.kind not in KINDS]
    if odd:
        raise _damaged(path, f"its array {odd[0][:80]!r} holds no numbers")
    return found


def _damaged(path: str, reason: str) -> ModelError:
    hint = "write it with np.savez, arrays of numbers only: np.savez(FILE, **{'bus.jpg/output0': array})"
    return ModelError(f"{path} holds no outputs: {reason}", hint=hint)
