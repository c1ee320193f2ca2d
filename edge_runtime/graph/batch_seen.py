"""What is known about a node whose inputs hold pictures, when the batch of its network is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Shape = Tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """What is known about a node. Lists have one entry for each input.

    Attributes:
        axes: the axis of the pictures; None for what is the same for all pictures.
        shapes: for one picture; None if not known.
        values: of the constants, any shape.
        made: shape of the first output for one picture.
    """

    node: onnx.NodeProto
    opset: int
    axes: List[Optional[int]]
    shapes: List[Optional[Shape]]
    values: List[Optional[NDArray[Any]]]
    made: Optional[Shape]

    @property
    def given(self) -> Dict[str, Any]:
        """The attributes by name."""
        from onnx import helper

        return {each.name: helper.get_attribute_value(each) for each in self.node.attribute}

    @property
    def axis(self) -> int:
        """The axis of the pictures in the first input. Rules may ask only if it has one."""
        assert self.axes[0] is not None
        return self.axes[0]

    @property
    def rank(self) -> int:
        """Number of axes of the first input; 0 if not known."""
        return len(self.shapes[0] or ())

    @property
    def alone(self) -> bool:
        """Whether only the first input depends on the picture, and its shape is known."""
        return self.axes[0] is not None and not any(a is not None for a in self.axes[1:]) and self.rank > 0

    def along(self, usual: int) -> int:
        """The attribute `axis`, counted from the first."""
        axis = int(self.given.get("axis", usual))
        return axis + self.rank if axis < 0 else axis

    def numbers(self, name: str, place: int) -> Optional[List[int]]:
        """Whole numbers that are an attribute, or a constant input in later opsets; None if not given or not known."""
        found = self.given.get(name)
        if found is None and place < len(self.values):
            found = self.values[place]
        return None if found is None else [int(value) for value in np.asarray(found).reshape(-1)]
