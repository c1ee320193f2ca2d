"""The second stage: the network, from its input to its outputs."""

from __future__ import annotations

import os
from typing import Sequence, Tuple

import numpy as np

from edge_runtime.audit import layers, scales
from edge_runtime.audit.graphs import FLOAT, INT8, Graph
from edge_runtime.audit.layers import Layer, Layers
from edge_runtime.audit.likeness import Floats
from edge_runtime.audit.preparations import Preparation
from edge_runtime.audit.scales import Wide
from edge_runtime.audit.sides import OnnxSide
from edge_runtime.audit.stages import EQUAL, LAYERS, PARTS, Stage
from edge_runtime.audit.trials import Bench
from edge_runtime.graph.float32_kinds import LARGEST

FEW = 2  # pictures whose tensors are all looked at
RESIZED = 22.0  # dB of the outputs that other resize code leaves, where the input is not known
ENOUGH = 28.0  # dB of the outputs, from which their error makes no difference to boxes
Given = Tuple[Preparation, Preparation]
WIDE = 4.0  # times; files that are right reach 2.7 on black pictures, and 1.6 on photographs
ALIKE = 0.6  # of the boxes, below which an INT8 file is broken although no layer alone is


def by_graphs(bench: Bench, other: OnnxSide, given: Given, alike: float) -> Tuple[Stage, Layers]:
    """Compares the tensors of two files.

    Args:
        given: the preparations of the inputs of both.
        alike: how much of the boxes is the same, 0..1.
    """
    tensors = [[each.tensor(image) for image in bench.images[:FEW]] for each in given]
    graphs = Graph(bench.side.path, bench.side.io), Graph(other.path, other.io)
    found = layers.compare(*graphs, *tensors)
    db = bench.output_db(given[0])
    if found.first is not None:
        figure = f"{found.first.broken} values" if found.first.broken else f"{found.first.own_db:.1f} dB"
        return Stage(LAYERS, PARTS, figure, _broken(found.first, found), False), found
    for graph, each, way in zip(graphs, tensors, given):
        wide = scales.widest(graph, each, _ends(way)) if graph.precision == INT8 else None
        if wide is not None and wide.times >= WIDE:
            return Stage(LAYERS, PARTS, f"{wide.times:.1f} times", _too_wide(graph, wide)), found
    figure = f"{db:.1f} dB at the outputs"
    least = layers.gradual(found)
    seen = f"{found.weighted[1]} of {found.weighted[0]} layers compared, none under {found.floor:.0f} dB"
    if db >= ENOUGH or (found.precision == INT8 and alike >= ALIKE):
        explained = "" if found.precision == FLOAT else f": {found.precision} explains it"
        return Stage(LAYERS, EQUAL, figure, f"{seen}{explained}"), found
    worst = f"; the least, {least.name} ({least.op}), has {least.own_db:.1f} dB" if least else ""
    about = f"outputs that differ, although no layer that is compared is broken ({seen}{worst}): the errors add up"
    return Stage(LAYERS, PARTS, figure, about, False), found


def _ends(preparation: Preparation) -> Tuple[float, float]:
    """Least and largest value of a prepared picture: those of black and white."""
    spec = preparation.spec
    values = [(end - mean) / std for end in (0.0, 255.0) for mean, std in zip(spec.mean, spec.std)]
    return min(values), max(values)


def _too_wide(graph: Graph, wide: Wide) -> str:
    return (f"{os.path.basename(graph.path)} rounds {wide.name} in a range that is {wide.times:.1f} times as wide as "
            f"its values need (they reach {wide.largest:.4g} in {FEW} pictures)")  # fmt: skip


def _broken(layer: Layer, found: Layers) -> str:
    where = f"{layer.op} {layer.name}"
    if layer.broken:
        why = (
            f"reach {layer.largest:.4g}, and float16 ends at {LARGEST:.0f}" if layer.largest > LARGEST else "are finite"
        )
        return f"{layer.broken} values of {where} that are not finite; in the other file they {why}"
    floor = f"{found.precision} explains no less than {found.floor:.0f} dB"
    return f"another {where}: {layer.own_db:.1f} dB with equal inputs, and {floor}"


def by_outputs(bench: Bench, preparation: Preparation) -> Stage:
    """Compares outputs alone."""
    odd = [number for number, theirs in enumerate(bench.theirs) if theirs and _odd(theirs)]
    if odd:
        values = sum(_odd(bench.theirs[number] or []) for number in odd)
        why = _overflow(bench, preparation, odd[0])
        about = f"{values} output values that are not finite, in {len(odd)} of {len(bench.images)} pictures{why}"
        return Stage(LAYERS, PARTS, f"{values} values", about, False)
    own = bench.own_db()
    db = bench.output_db(preparation) if own is None else own
    figure = f"{db:.1f} dB at the outputs{'' if own is None else ' for its own input'}"
    if db >= (RESIZED if own is None else ENOUGH):
        return Stage(LAYERS, EQUAL, figure, "as far as the outputs tell")
    return Stage(LAYERS, PARTS, figure, "other outputs; which layer makes them, its .onnx file would tell", False)


def _odd(arrays: Sequence[Floats]) -> int:
    return int(sum((~np.isfinite(array)).sum() for array in arrays))


def _overflow(bench: Bench, preparation: Preparation, number: int) -> str:
    """Where the network has values that float16 cannot hold."""
    graph = Graph(bench.side.path, bench.side.io)
    layer = layers.overflow(graph, preparation.tensor(bench.images[number]))
    if layer is None:
        return ""
    name, op, largest = layer
    return f"; {op} {name} reaches {largest:.4g} here, and float16 ends at {LARGEST:.0f}"


def not_finite(bench: Bench) -> bool:
    """Whether the other side has outputs that are not finite."""
    return any(_odd(theirs) for theirs in bench.theirs if theirs)
