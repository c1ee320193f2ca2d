"""Detections in the types of other libraries, which may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint

if TYPE_CHECKING:
    import pandas
    import supervision

    from edge_runtime.types.detections import Detections


def to_pandas(found: Detections) -> pandas.DataFrame:
    """See `Detections.to_pandas`."""
    try:
        import pandas
    except ImportError as error:
        raise BackendUnavailable("pandas is not installed", hint="pip install pandas") from error
    columns: Dict[str, Any] = dict(zip(("x1", "y1", "x2", "y2"), found.xyxy.T))
    columns.update(confidence=found.confidence, class_id=found.class_id)
    columns["label"] = pandas.Series([box.label for box in found], dtype=object)
    ids = {} if found.tracker_id is None else {"tracker_id": found.tracker_id}
    return pandas.DataFrame({**columns, **ids})


def to_supervision(found: Detections) -> supervision.Detections:
    """See `Detections.to_supervision`."""
    try:
        import supervision
    except ImportError as error:
        raise BackendUnavailable("supervision is not installed", hint=install_hint("supervision")) from error
    names = np.array([box.label for box in found], dtype=str)
    return supervision.Detections(
        xyxy=found.xyxy,
        confidence=found.confidence,
        class_id=found.class_id.astype(int),
        tracker_id=None if found.tracker_id is None else found.tracker_id.astype(int),
        data={"class_name": names},
    )
