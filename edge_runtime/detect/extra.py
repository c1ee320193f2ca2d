"""Rows with more than boxes and classes: keypoints (pose) and mask coefficients (segmentation). Only boxes are read."""

from __future__ import annotations

from contextlib import suppress
from typing import List, NamedTuple, Optional, Tuple

from edge_runtime import heads
from edge_runtime.errors import ModelError, SpecError
from edge_runtime.heads import Floats
from edge_runtime.model import names
from edge_runtime.model.spec import ModelIO, ModelSpec

WORD = "extra"
LAYOUT = (WORD,)
FAMILIES = ("yolo_v8", "yolo_v5", "yolo_v10")  # those whose rows may go on after the classes
FINISHED = 6  # columns of a finished row: a box, its score, its class
READ = {"pose": "keypoints", "segment": "masks"}
REFUSED = {
    "obb": "oriented boxes, which are rotated, and only upright boxes are read",
    "classify": "a class of the whole picture, and no boxes",
    "semantic": "a class of each pixel, and no boxes",
}
EXPORT = "yolo export model=yolo11n.pt format=onnx makes such a file"
POSE = 3 * 17  # x, y and visibility of COCO's keypoints
PROTO_STRIDE = 4
NEAR = 0.5  # so much of a box's size may a keypoint lie outside


class Guess(NamedTuple):
    """A family whose rows have such channels, and the class names."""

    family: str
    labels: Tuple[str, ...]


def refuse(path: str, io: ModelIO) -> None:
    """Raises ModelError if the metadata name a task without upright boxes."""
    task = io.metadata.get("task", "detect")
    if task != "detect" and task not in READ:
        fact = f"{path} is made for the task {task!r}"
        found = f": it finds {REFUSED[task]}" if task in REFUSED else ", not for detection"
        raise ModelError(f"{fact}{found}", hint=f"export a model of the task detect: {EXPORT}")


def stated(io: ModelIO, layout: Optional[Tuple[str, ...]]) -> bool:
    """Whether the user, the metadata or a second output say that there are such channels."""
    return WORD in (layout or ()) or io.metadata.get("task") in READ or _protos(io) is not None


def guesses(io: ModelIO, given: Tuple[str, ...], certain: bool) -> List[Guess]:
    """The families that read the boxes of such rows.

    Args:
        io: with concrete shapes.
        given: class names, if they are known.
        certain: whether it is known that there are such channels. If not, only one class and 17 keypoints are a guess.

    Raises:
        SpecError: there are such channels, but not after so many classes.
    """
    found: List[Guess] = []
    for family in FAMILIES:
        columns = _after_box(io, family)
        if columns is not None and (certain or (_is_pose(family, columns) and len(given) < 2)):
            pose = _is_pose(family, columns) and not given
            found.append(Guess(family, ("person",) if pose else given))
            _check(io, family, columns, len(given))
    if certain and not found:
        listed = ", ".join(f"{name} {list(shape)}" for name, shape in io.outputs.items())
        fact = f"outputs {listed} are no decoded rows of boxes, classes and more channels"
        raise SpecError(fact, hint=f"export the model with its decoding: {EXPORT}")
    return found


def classes(io: ModelIO, family: str) -> int:
    """Number of classes of such rows.

    Raises:
        SpecError: the file does not tell it.
    """
    columns, width = _after_box(io, family), _width(io)
    if columns is not None and family == "yolo_v10":
        return heads.load_head(family).classes(io)
    if columns is not None and width is not None and columns > width:
        return columns - width
    raise SpecError(
        f"the outputs have {columns} channels after the box, and how many are classes is not known",
        hint="name the classes: --labels FILE, or --labels a,b,c",
    )


def note(io: ModelIO) -> str:
    """What is not read."""
    kind = READ.get(io.metadata.get("task", ""), "masks" if _protos(io) else "channels after the classes")
    return f"only the boxes are read, the {kind} are not"


def rows_of(io: ModelIO) -> ModelIO:
    """The same with only the output that holds the rows."""
    return io if io.decoded is None else io.of((io.decoded,))


def odd_keypoints(outputs: Floats, boxes: Floats, scores: Floats) -> Optional[str]:
    """Returns why what follows the box and one class are no keypoints; None if they may be.

    Args:
        outputs: (n, 51) x, y and visibility of 17 keypoints, for some rows.
        boxes: (n, 4) corners of the same rows in model pixels.
        scores: (n,) of the same rows.
    """
    seen = scores > 0
    points, box = outputs[seen].reshape(-1, POSE // 3, 3), boxes[seen][:, None]
    if not len(points):
        return None
    margin = NEAR * (box[..., 2:] - box[..., :2]) + 1
    inside = (points[..., :2] >= box[..., :2] - margin) & (points[..., :2] <= box[..., 2:] + margin)
    if inside.all(axis=-1).mean() < NEAR:
        return "its keypoints would lie outside their boxes"
    visible: Floats = points[..., 2]
    return None if visible.min() > -NEAR and visible.max() < 1 + NEAR else "its keypoints would have no visibility"


def _after_box(io: ModelIO, family: str) -> Optional[int]:
    """Columns after the box, its objectness, or the class number of finished rows; None if the rows are others."""
    seen = rows_of(io)
    if len(seen.outputs) != 1 or len(seen.shapes[0]) != 3:
        return None
    head = heads.load_head(family)
    if family != "yolo_v10":
        return head.classes(seen) if head.match(seen, None) else None
    columns = seen.shapes[0][2] - FINISHED
    with suppress(SpecError):
        head.describe(seen, ModelSpec(family, io.input_wh, ("",), head_layout=LAYOUT))
        return columns if _width(io) in (None, columns) else None
    return None


def _is_pose(family: str, columns: int) -> bool:
    return columns == POSE + (family != "yolo_v10")


def _check(io: ModelIO, family: str, columns: int, named: int) -> None:
    width = _width(io)
    if family != "yolo_v10" and width is not None and named and columns - width != named:
        raise heads.ClassMismatch(columns - width, named)


def _width(io: ModelIO) -> Optional[int]:
    """Number of such channels, from the metadata or the masks' second output."""
    shape = names.literal(io.metadata.get("kpt_shape", ""))
    if isinstance(shape, (list, tuple)) and len(shape) == 2 and all(isinstance(n, int) and n > 0 for n in shape):
        return int(shape[0] * shape[1])
    return _protos(io)


def _protos(io: ModelIO) -> Optional[int]:
    """Channels of the prototypes of masks, if the one other output is a map of a quarter of the input."""
    if io.decoded is None or len(io.outputs) != 2:
        return None
    other = io.shapes[1 - io.decoded]
    quarter = tuple(side // PROTO_STRIDE for side in reversed(io.input_wh))
    return other[1] if len(other) == 4 and other[2:] == quarter else None
