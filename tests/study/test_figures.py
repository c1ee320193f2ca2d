"""Fronts, NetScore and counts of known rows."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from study_rows import row

from edge_runtime import zoo
from edge_runtime.study import counting, figures
from edge_runtime.study.fronts import fronts
from edge_runtime.study.published import parse, published

ROOT = Path(__file__).resolve().parents[2]


def test_the_front_is_what_no_other_beats():
    points = [(1.0, 0.2), (2.0, 0.1), (2.0, 0.3), (2.0, 0.25), (4.0, 0.3), (5.0, 0.5)]
    assert figures.front(points) == [0, 2, 5]
    generator = random.Random(5)
    many = [(generator.random(), generator.random()) for _ in range(200)]
    best = set(figures.front(many))
    for number, (cost, gain) in enumerate(many):
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in many)
        assert beaten is (number not in best)
    assert figures.front([]) == []


def test_fronts_keep_pictures_and_machines_apart():
    slow = row("a", 0.3, 10**9, board="Jetson", mode="15W", fps=10.0, joules_per_frame=0.5)
    rows = [row("a", 0.3, 10**9), row("b", 0.2, 10**8), row("c", 0.4, 2 * 10**9, valid=False), slow,
            {**slow, "name": "b", "engine_sha256": "b", "joules_per_frame": 0.2}]  # fmt: skip
    rows.append({**row("other", 0.9, 10**7), "ap": {**rows[0]["ap"], "data": "e"}})
    found = {(one.cost, one.place): [point[0] for point in one.points] for one in fronts(rows)}
    assert found == {
        ("GFLOPs (2 x MACs)", "voc2007 eval"): ["a", "b", "c"],
        ("million parameters", "voc2007 eval"): ["a", "b", "c"],
        ("ms, p50 of a frame", "voc2007 eval, AMD, cores 2"): ["a", "b"],
        ("ms, p50 of a frame", "voc2007 eval, Jetson, 15W"): ["a, 15W", "b, 15W"],
        ("J per frame", "voc2007 eval, Jetson, 15W"): ["a, 15W", "b, 15W"],
    }


def test_a_network_that_knows_the_pictures_is_in_no_front():
    known = row("known", 0.9, 10**7)
    known["study"] = {**known["study"], "seen": "trained on them"}
    found = fronts([row("a", 0.3, 10**9), row("b", 0.2, 10**8), known])
    assert len(found) == 3 and all([point[0] for point in one.points] == ["a", "b"] for one in found)


def test_netscore():
    known = row("a", 0.5, 7 * 10**9)
    assert figures.netscore(known) == pytest.approx(20 * math.log10(2500 / math.sqrt(10 * 7)))
    assert figures.netscore({**known, "counts": {}}) is None and figures.netscore(row("a", 0.0, 7 * 10**9)) is None


def test_the_shipped_network_is_counted_in_all_three_ways():
    path = ROOT / "engines" / "yolo_nano_voc.onnx"
    if not path.is_file():
        pytest.skip("needs the shipped float model")
    folded, whole = (counting.counts(str(path), architecture=name) for name in ("", "yolo_nano"))
    assert folded["conv_macs"] == whole["conv_macs"] and "folded" in folded["note"] and whole["note"] == ""
    assert whole["thop_macs"] > folded["thop_macs"] > folded["conv_macs"] and whole["parameters"] == 2_890_527
    assert folded["bytes_fp32"] > 1.9 * folded["bytes_fp16"] and folded["bytes_file"] == path.stat().st_size
    assert counting.counts(str(path), architecture="yolo_v3")["note"].startswith("THOP counts the zoo's yolo_v3 of ")
    assert "no ONNX file" in counting.counted("a.plan", None, "")["note"] and folded["zeros"] < 100


def test_published_rows_are_as_their_sources_count():
    rows = published()
    salvi = {row.name: row for row in rows if "Salvi" in row.title}
    stats = zoo.build("yolo_nano").weight_shapes()
    assert stats and salvi["YOLO Nano"].thop_macs == 2_082_423_381
    assert "artefact" in salvi["YOLOv3, continuous sparsification"].differs[0]
    assert all(row.name and row.title and row.conditions for row in rows)
    assert (
        sum(row.name.startswith("LeNeck") for row in rows) == 8 == sum(row.name.startswith("SSDLite") for row in rows)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [('[[row]]\nname = "a"\nsource = "b"', "source is 'b'"), ('[[row]]\nnane = "a"', "unknown key 'nane'")],
)
def test_a_published_row_that_does_not_fit(text, said):
    with pytest.raises(ValueError, match=said):
        parse(text)
