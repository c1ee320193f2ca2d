"""Where the pictures of a batch lie in what an operator gives, if it treats each picture alone.

The rules are for a network that was made for one picture: its tensors have one place, of size 1, on the axis that shall
hold the pictures.
"""

from __future__ import annotations

from typing import Callable, Dict, Optional, Sequence, Tuple

from edge_runtime.graph import batch_shapes as shapes
from edge_runtime.graph.batch_seen import Seen

Rule = Callable[[Seen], Optional[int]]


def axis_after(seen: Seen) -> Optional[int]:
    """Returns the axis of the pictures in the node's outputs. None if pictures may be mixed, or that is not known."""
    rule = RULES.get(seen.node.op_type)
    return rule(seen) if rule else None


def _same(seen: Seen) -> Optional[int]:
    return seen.axis if seen.alone else None


def _each(seen: Seen) -> Optional[int]:
    """Operators over (B, C, …), with weights that are the same for all pictures."""
    beside = seen.given.get("training_mode", 0) or any(seen.node.output[1:])  # indices count through all pictures
    return 0 if seen.alone and seen.axis == 0 and not beside else None


def _scaled(seen: Seen) -> Optional[int]:
    """QuantizeLinear and DequantizeLinear."""
    several = [value for value in seen.values[1:] if value is not None and value.size > 1]
    apart = not several or seen.along(1) != seen.axes[0]
    return _same(seen) if apart else None


def _spread(seen: Seen) -> Optional[int]:
    """Operators that bring their inputs to one shape. Axes count from the last one."""
    ranks = [None if shape is None else len(shape) for shape in seen.shapes]
    if None in ranks:
        return None
    from_end = {rank - axis for rank, axis in zip(ranks, seen.axes) if axis is not None}  # type: ignore[operator]
    if len(from_end) != 1:
        return None
    (place,) = from_end
    for axis, shape in zip(seen.axes, seen.shapes):
        assert shape is not None
        if axis is None and len(shape) >= place and shape[-place] != 1:
            return None
    return max(len(shape or ()) for shape in seen.shapes) - place


def _along(usual: int, until: int = 0) -> Rule:
    """Operators that work along one axis. Before opset `until`, along all axes from that one on."""

    def rule(seen: Seen) -> Optional[int]:
        axis = seen.along(usual if seen.opset >= until else 1)
        apart = axis != seen.axes[0] if seen.opset >= until else axis > (seen.axes[0] or 0)
        return seen.axis if seen.alone and apart else None

    return rule


def _normalised(seen: Seen) -> Optional[int]:
    """LayerNormalization works along all axes from one on."""
    return seen.axis if seen.alone and not any(seen.node.output[1:]) and seen.along(-1) > seen.axis else None


def _joined(seen: Seen) -> Optional[int]:
    """Concat: every part has all pictures."""
    whole = len(set(seen.axes)) == 1 and seen.axes[0] is not None and seen.rank > 0
    return seen.axis if whole and seen.along(0) != seen.axis else None


def _reduced(seen: Seen) -> Optional[int]:
    axes = seen.numbers("axes", 1)
    return _without(seen, axes) if axes else None


def _best(seen: Seen) -> Optional[int]:
    return _without(seen, [seen.along(0)])


def _without(seen: Seen, axes: Sequence[int]) -> Optional[int]:
    gone = {axis + seen.rank if axis < 0 else axis for axis in axes}
    if not seen.alone or seen.axis in gone:
        return None
    return seen.axis if seen.given.get("keepdims", 1) else seen.axis - sum(axis < seen.axis for axis in gone)


def _multiplied(seen: Seen) -> Optional[int]:
    """MatMul: of two that depend on the picture, the pictures are not multiplied; of one, not along them."""
    ranks = [len(shape or ()) for shape in seen.shapes]
    if min(ranks) < 2:
        return None
    left, right = seen.axes
    if left is not None and right is not None:
        return left if ranks[0] == ranks[1] and left == right < ranks[0] - 2 else None
    place, axis = (0, left) if right is None else (1, right)
    assert axis is not None
    along = ranks[place] - 1 if place == 0 else ranks[place] - 2
    return axis if axis != along and ranks[1 - place] == 2 else None


def _product(seen: Seen) -> Optional[int]:
    """Gemm."""
    bias = (seen.shapes[2:] or [()])[0] or ()
    fine = not seen.given.get("transA", 0) and (len(bias) < 2 or bias[0] == 1)
    return 0 if seen.alone and seen.axis == 0 and fine else None


WORDS: Tuple[Tuple[str, Rule], ...] = (
    ("Abs Cast Ceil Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg Not Reciprocal "
     "Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu Dropout Sin Cos", _same),
    ("AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalMaxPool "
     "GroupNormalization InstanceNormalization LRN MaxPool QLinearConv SpaceToDepth", _each),
    ("Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Or PRelu Pow Sub Sum Where", _spread),
    ("QuantizeLinear DequantizeLinear", _scaled),
    ("Hardmax LogSoftmax Softmax", _along(-1, 13)),
    ("Split", _along(0)),
    ("TopK", _along(-1)),
    ("LayerNormalization", _normalised),
    ("ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare", _reduced),
    ("ArgMax ArgMin", _best),
    ("Concat", _joined),
    ("Squeeze", shapes.squeezed),
    ("Unsqueeze", shapes.unsqueezed),
    ("Transpose", shapes.turned),
    ("Reshape", shapes.reshaped),
    ("Flatten", shapes.flat),
    ("Slice", shapes.cut),
    ("Pad", shapes.padded),
    ("Resize Upsample", shapes.resized),
    ("Expand", shapes.expanded),
    ("Tile", shapes.tiled),
    ("MatMul", _multiplied),
    ("Gemm", _product),
    ("Gather", shapes.picked),
    ("GatherElements", shapes.picked_each),
)  # fmt: skip
RULES: Dict[str, Rule] = {name: rule for names, rule in WORDS for name in names.split()}
