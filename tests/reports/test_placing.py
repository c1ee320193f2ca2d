"""Names in a plot stand clear of lines, points and each other where there is room, and never outside of it."""

from __future__ import annotations

import itertools
import random

import pytest

from edge_runtime.reports import placing
from edge_runtime.reports.placing import _overlap, places

INSIDE = (0.0, 0.0, 500.0, 300.0)


def covered(found, lines) -> float:
    boxes = [name.box for name in found]
    pairs = sum(_overlap(one, other) for one, other in itertools.combinations(boxes, 2))
    return pairs + sum(_overlap(box, placing._wider(line, 1.0)) for box in boxes for line in lines)


def test_a_name_leaves_the_line_of_the_front():
    """A level line begins at the point, and another comes up to it: beside the point both would be crossed."""
    lines = [(100.0, 100.0, 300.0, 100.0), (100.0, 50.0, 100.0, 100.0)]
    (name,) = places([(100.0, 100.0)], ["PicoDet-S"], lines, INSIDE, [0])
    assert covered([name], lines) == 0 and not name.far, "and it stays near"


def test_names_of_one_point_stand_apart():
    points = [(200.0, 150.0)] * 4
    found = places(points, ["YOLOv8n", "YOLOv8n INT8", "YOLOv8n fp16", "again"], [], INSIDE, [])
    assert covered(found, []) == 0
    assert all(_overlap(name.box, (197.0, 147.0, 203.0, 153.0)) == 0 for name in found)


@pytest.mark.parametrize("point", [(2.0, 2.0), (498.0, 298.0), (498.0, 2.0), (2.0, 298.0)])
def test_a_name_in_a_corner_is_not_cut(point):
    ((name),) = places([point], ["MobileNetV2-YOLOv3-Nano"], [], INSIDE, [])
    left, bottom, right, top = name.box
    assert 0 <= left < right <= 500 and 0 <= bottom < top <= 300


def test_a_dozen_networks_with_their_intervals():
    generator = random.Random(3)
    points = [(generator.uniform(40, 460), generator.uniform(40, 260)) for _ in range(12)]
    lines = [(x, y - 30, x, y + 30) for x, y in points]
    found = places(points, ["YOLO Nano INT8"] * 12, lines, INSIDE, [3, 4])
    assert covered(found, lines) < 12 * 20, "at most a letter or two of each"
    usual = [placing.Name(1, (5, 2), (x + 5, y + 2, x + 5 + 14 * placing.LETTER, y + 10)) for x, y in points]
    assert covered(found, lines) < 0.2 * covered(usual, lines)
