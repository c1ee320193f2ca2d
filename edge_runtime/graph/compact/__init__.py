"""Compaction: a pruned network without the filters and channels that do nothing. Its outputs stay the same.

A filter whose weights are all 0 gives one number everywhere, its bias. Activations, pools and other operators on single
channels keep it a constant. A convolution that reads it takes it into its own bias, so the channel can go. Where zeros
are padded, some fixed channels stay for the others, see `pivots`. A channel that nobody reads goes too. Channels that
meet in an addition go together or stay together. Of operators that are not known, and of tensors whose shape is not
known, all channels stay. A few that could go stay too, so that widths fit the blocks of runtimes, see `widths`.

The result is compared with the file. If an output differs by more than the tolerance, there is no result. If no
multiply-adds are saved, the result is the file.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator, List, Optional, Sequence, Tuple

from edge_runtime.errors import ModelError, UsageError
from edge_runtime.files import fields
from edge_runtime.graph.compact.report import Report, counted
from edge_runtime.graph.compact.rounds import all_rounds
from edge_runtime.graph.compact.run import Feed, Runner, difference, random_feeds
from edge_runtime.graph.network import Network
from edge_runtime.graph.prepare import prepare, state
from edge_runtime.model import onnx_file

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-5
MULTIPLE = 8  # tensor cores take float16 by 8, and ONNX Runtime blocks of 8 or 16; more keeps more multiply-adds
FIELDS = {"tolerance": fields.number(0, 1), "multiple": fields.whole(1, 1024)}
RANDOM = 4  # inputs that are made up for the comparison


def compact(
    file: onnx.ModelProto,
    feeds: Sequence[Feed] = (),
    imgsz: Optional[Tuple[int, int]] = None,
    tolerance: float = TOLERANCE,
    multiple: int = MULTIPLE,
) -> Tuple[onnx.ModelProto, Report]:
    """Returns the network without what does nothing, and the report.

    Args:
        file: a float32 network with all its weights. It is not changed.
        feeds: more inputs to compare on, by name of the input.
        imgsz: (width, height) of the input in pixels, if the file leaves them open. The result has this size.
        tolerance: largest relative difference of an output that is allowed, 0 to 1.
        multiple: a layer that loses filters keeps a multiple of this number; 1 removes all that can go.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed.
        UsageError: the tolerance or the multiple is out of range.
        ModelError: the network is not float32, cannot be run, or the result differs by more than the tolerance.
    """
    fields.check_fields({"tolerance": tolerance, "multiple": multiple}, FIELDS, "--", UsageError)
    if state(file) == "quantised":
        raise ModelError("the network is INT8 already", hint="compact its float original, then calibrate the result")
    file = _sized(file, imgsz)
    network = prepare(_copy(file))
    if not network.inputs:
        raise ModelError("the network has no input", hint="export it again")
    if network.was:
        fact = f"the network is {network.was}, and compaction takes float32"
        raise ModelError(fact, hint="compact its float32 original; edge-build makes the result float16")
    with _one_image(network):
        before = counted(network)
        spare = all_rounds(network, multiple)
        after = counted(network)
    made, after = (network.model, after) if after.macs < before.macs else (file, before)
    difference, inputs = _compared(file, made, feeds, tolerance)
    return made, Report(before, after, multiple, spare, difference, inputs, tolerance)


def _compared(
    file: onnx.ModelProto, made: onnx.ModelProto, feeds: Sequence[Feed], tolerance: float
) -> Tuple[float, str]:
    """The largest difference, and on what."""
    before, after = Runner(file), Runner(made)
    noise = [*random_feeds(file, RANDOM), *_two_images(file, before)]
    largest = max(difference(before.run(feed), after.run(feed)) for feed in (*noise, *feeds))
    inputs = f"{len(noise)} random inputs" + (f" and {len(feeds)} picture{'s' * (len(feeds) > 1)}" if feeds else "")
    if not largest <= tolerance:
        fact = f"the compacted network differs by {largest:.1e} of the largest output on {inputs}"
        own = f"rounding alone changes the file by {rounding(file, noise):.1e}"
        hint = "run the file as it is; --tolerance allows more"
        raise ModelError(f"{fact}, and {tolerance:.0e} is allowed; {own}", hint=hint)
    return largest, inputs


def rounding(file: onnx.ModelProto, feeds: Sequence[Feed]) -> float:
    """Returns by how much outputs of a file change if ONNX Runtime joins no operators, relative, as in a `Report`."""
    plain, joined = Runner(file, joined=False), Runner(file)
    return max(difference(joined.run(feed), plain.run(feed)) for feed in feeds)


def _two_images(file: onnx.ModelProto, runner: Runner) -> List[Feed]:
    """One random input of two images, if the batch is open and the network really runs two."""
    if all(onnx_file.shape_of(value)[:1] != (-1,) for value in onnx_file.inputs_of(file).values()):
        return []
    feeds: List[Feed] = list(random_feeds(file, 1, images=2))
    try:
        runner.run(feeds[0])
    except ModelError:
        return []
    return feeds


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def _sized(file: onnx.ModelProto, imgsz: Optional[Tuple[int, int]]) -> onnx.ModelProto:
    """The file with its open width and height filled in."""
    copy = _copy(file)
    given = [value.type.tensor_type.shape.dim for value in onnx_file.inputs_of(copy).values()]
    images = [dims for dims in given if len(dims) == 4 and any(dim.dim_value < 1 for dim in list(dims)[1:])]
    if not imgsz or not images:
        return copy
    for dims in images:
        places = (1, 2) if dims[3].dim_value == 3 else (2, 3)
        for place, size in zip(places, imgsz[::-1]):
            dims[place].dim_value = dims[place].dim_value or size
    del copy.graph.value_info[:]
    return copy


@contextlib.contextmanager
def _one_image(network: Network) -> Iterator[None]:
    """Fills in an open batch for a while, so that shapes are known. Their channels are the same in any batch."""
    stored = {value.name: value.SerializeToString() for value in network.model.graph.input}
    for value in network.model.graph.input:
        for dim in list(value.type.tensor_type.shape.dim)[:1]:
            dim.dim_value = max(dim.dim_value, 1)
    network.wire()
    yield
    for value in network.model.graph.input:
        value.ParseFromString(stored[value.name])
    network.wire()
