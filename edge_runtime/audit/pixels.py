"""The first stage: what the network is given."""

from __future__ import annotations

from typing import Callable, List, Sequence, Tuple

import numpy as np

from edge_runtime.audit import preparations
from edge_runtime.audit.preparations import Preparation, Prepared
from edge_runtime.audit.stages import EQUAL, OPEN, PARTS, PIXELS, Stage, Tried
from edge_runtime.audit.trials import INPUTS, OUTPUTS, Bench, Limits, best, input_of

GREY = 1.5  # mean difference of two inputs in grey levels 0..255 that other resize code explains
SAME = 0.003  # of what pictures change in the outputs, that other resize code explains
Found = Tuple[Stage, Preparation, List[Tried]]
Tick = Callable[[], None]


def by_inputs(bench: Bench, tick: Tick) -> Found:
    """Compares input tensors, and names the preparation that makes the other side's."""
    known = bench.side.preparation
    theirs = input_of(bench.records[0])
    assert theirs is not None
    ours = known.tensor(bench.images[0])
    if theirs.shape != ours.shape:
        sizes = " and not ".join("x".join(map(str, shape)) for shape in (theirs.shape, ours.shape))
        return Stage(PIXELS, PARTS, "", f"an input of {sizes}", whole=False), known, []
    apart = _grey(bench)
    figure = f"{apart:.2g} grey levels apart"
    if apart <= GREY:
        return Stage(PIXELS, EQUAL, figure), known, []
    if bench.theirs[0] is not None and bench.output_left(known, bench.numbers) <= SAME:
        remark = "the inputs differ, and the outputs do not: its graph makes up for it"
        return Stage(PIXELS, EQUAL, figure, remark), known, []
    return _named(bench, bench.input_left, INPUTS, figure, tick)


def by_outputs(bench: Bench, tick: Tick) -> Found:
    """Infers from the outputs which preparation the other side has."""
    known = bench.side.preparation
    left = bench.output_left(known, bench.numbers)
    figure = _decibels(left)
    if left <= SAME:
        return Stage(PIXELS, EQUAL, figure, "as far as the outputs tell"), known, []
    return _named(bench, bench.output_left, OUTPUTS, figure, tick)


def _named(bench: Bench, left: Callable[..., float], limits: Limits, figure: str, tick: Tick) -> Found:
    """Tries other preparations, and two at once where one is not enough."""
    known, numbers = bench.side.preparation, list(bench.numbers)
    before = left(known, numbers)
    found = _tried(bench, left, limits, before, tick)
    tried = [Tried(PIXELS, each.words, rest) for each, rest in found]
    first, rest = found[0]
    if limits.met(before, rest):
        about = f"{first.words}: that explains all but {_share(rest)}"
        return Stage(PIXELS, PARTS, figure, about, whole=False), first.preparation, tried
    nearest = f"the nearest, {first.words}, leaves {_share(rest)} of {_share(before)}"
    if limits is INPUTS:
        about = f"another input, and no usual preparation makes it; {nearest}"
        return Stage(PIXELS, PARTS, figure, about, whole=False), known, tried
    about = f"its input is not known, and no usual preparation explains its outputs; {nearest}"
    return Stage(PIXELS, OPEN, figure, about), known, tried


def _tried(
    bench: Bench, left: Callable[..., float], limits: Limits, before: float, tick: Tick
) -> List[Tuple[Prepared, float]]:
    known, numbers = bench.side.preparation, list(bench.numbers)

    def of(each: Prepared, some: Sequence[int]) -> float:
        return left(each.preparation, some)

    found = best(preparations.others(known), of, numbers, tick)
    if limits.met(before, found[0][1]) and found[0][1] <= limits.most / 4:
        return found
    for near, _ in found[:2]:
        more = [Prepared(each.preparation, f"{near.words}, and {each.words}")
                for each in preparations.others(near.preparation) if each.preparation != known]  # fmt: skip
        better = best(more, of, numbers, tick)
        if better[0][1] < found[0][1] / 4:
            found = [better[0], *found]
    return found


def _grey(bench: Bench) -> float:
    """Root of the mean square by which the inputs differ, grey levels."""
    known, squares = bench.side.preparation, []
    std = np.array(known.spec.std, np.float64)[:, None, None]
    for record, image in zip(bench.records, bench.images):
        theirs = input_of(record)
        if theirs is not None:
            with np.errstate(all="ignore"):
                squares.append(np.square((theirs.astype(np.float64) - known.tensor(image)) * std).mean())
    return float(np.sqrt(np.mean(squares)))


def _share(left: float) -> str:
    return f"{100 * left:.2g} %"


def _decibels(left: float) -> str:
    return f"{-10 * np.log10(max(left, 1e-12)):.1f} dB"
