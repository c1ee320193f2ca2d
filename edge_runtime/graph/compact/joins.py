"""Operators that put channels together, or take some of them: the numbers of channels in them move."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Tuple

import numpy as np

from edge_runtime.graph.compact.flow import Cut, Flow, Kept, attribute, nothing

if TYPE_CHECKING:
    import onnx


def concat(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Joins channels, or planes of equal channels."""
    if any(name not in flow.tensors for name in node.input):
        return None
    given = [flow.tensors[name] for name in node.input]
    axis = attribute(node, "axis", 0) % len(flow.shapes[node.input[0]])
    if axis == 1:
        units = np.concatenate([each.units for each in given])
        flow.put(node.output[0], units, np.concatenate([each.fixed for each in given]))
        return nothing
    if axis == 0:
        return None
    for each in given[1:]:
        flow.units.tie(each.units, given[0].units)
    flow.put(node.output[0], given[0].units, np.all([each.fixed for each in given], axis=0))
    return nothing


def split(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Takes the channels apart, or the planes."""
    source = flow.tensors.get(node.input[0])
    if source is None or any(len(flow.shapes.get(name, ())) < 2 for name in node.output):
        return None
    axis = attribute(node, "axis", 0) % len(flow.shapes[node.input[0]])
    if axis == 0:
        return None
    if axis > 1:
        for name in node.output:
            flow.put(name, source.units, source.fixed)
        return nothing
    ends = np.cumsum([flow.shapes[name][1] for name in node.output])
    if ends[-1] != len(source.units):
        return None
    parts = list(zip(np.split(source.units, ends[:-1]), np.split(source.fixed, ends[:-1])))
    for name, (units, fixed) in zip(node.output, parts):
        flow.put(name, units, fixed)

    def cut(kept: Kept) -> None:
        others = [each for each in node.attribute if each.name not in ("num_outputs", "split")]
        del node.attribute[:]
        node.attribute.extend(others)
        flow.replace(node, 1, np.array([kept(units).sum() for units, _ in parts], np.int64))

    return cut


def cut_out(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """A Slice with constant limits: of neighbouring channels, or of the plane."""
    source, limits = flow.tensors.get(node.input[0]), _limits(flow, node)
    if source is None or limits is None:
        return None
    places = [place for place, (axis, *_) in enumerate(limits) if axis == 1]
    if any(axis == 0 for axis, *_ in limits) or len(places) > 1 or len(limits) != len({axis for axis, *_ in limits}):
        return None
    if not places:
        flow.put(node.output[0], source.units, source.fixed)
        return nothing
    place, count = places[0], len(source.units)
    _, start, end, step = limits[place]
    first, last, _ = slice(start, end).indices(count)
    if step != 1 or last <= first:
        return None
    flow.put(node.output[0], source.units[first:last], source.fixed[first:last])

    def cut(kept: Kept) -> None:
        before = np.concatenate([[0], np.cumsum(kept(source.units))])
        for number, limit in ((1, before[first]), (2, before[last])):
            values = flow.network.constants[node.input[number]].copy()
            values[place] = limit
            flow.replace(node, number, values)

    return cut


def _limits(flow: Flow, node: onnx.NodeProto) -> Optional[List[Tuple[int, int, int, int]]]:
    """Axis, start, end and step of each axis of a Slice; None if they are not constant."""
    ndim = len(flow.shapes.get(node.input[0], ()))
    given = [flow.constant(node, place) for place in range(1, len(node.input))]
    if not ndim or len(node.input) < 3 or not all(node.input):
        return None
    if any(value is None or value.ndim != 1 for value in given):
        return None
    columns = [value.tolist() for value in given if value is not None]
    count = len(columns[0])
    axes = columns[2] if len(columns) > 2 else list(range(count))
    steps = columns[3] if len(columns) > 3 else [1] * count
    return [(axis % ndim, start, end, step) for axis, start, end, step in zip(axes, columns[0], columns[1], steps)]


def gather(flow: Flow, node: onnx.NodeProto) -> Optional[Cut]:
    """Channels in another order."""
    source, index = flow.tensors.get(node.input[0]), flow.constant(node, 1)
    if source is None or index is None or index.ndim != 1 or not index.size:
        return None
    if attribute(node, "axis", 0) % len(flow.shapes[node.input[0]]) != 1:
        return None
    index = index % len(source.units)
    flow.put(node.output[0], source.units[index], source.fixed[index])

    def cut(kept: Kept) -> None:
        left = kept(source.units)
        flow.replace(node, 1, (np.cumsum(left) - 1)[index[left[index]]].astype(np.int64))

    return cut


RULES = {"Concat": concat, "Split": split, "Slice": cut_out, "Gather": gather}
