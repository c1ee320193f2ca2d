"""Published systems beside the networks of the zoo: every row is filled, and differs as it should."""

from __future__ import annotations

from typing import Dict, List, Optional

import pytest
from study_rows import row

from edge_runtime.study import habits, systems
from edge_runtime.study.published import parse, published

OF_DOCUMENTS = ("YOLO Nano paper", "Salvi 2020", "LeYOLO", "LeNeck slides")
Cells = Dict[str, str]


def lines(rows=()) -> List[Cells]:
    return [dict(zip(("name", *systems.COLUMNS[1:]), line)) for line in systems.lines(rows, published())]


def of(name: str, source: str) -> Cells:
    return next(line for line in lines() if (line["name"], line["published by"]) == (name, source))


def test_every_system_of_the_documents_has_a_row_with_all_counts():
    found = lines()
    there = {(line["name"], line["published by"]) for line in found}
    asked = {(one.name, one.short) for one in published() if one.short in OF_DOCUMENTS}
    assert asked - there == {("YOLO Nano, 30W", "YOLO Nano paper")}, "it states a speed alone"
    assert {line["ours"].split("/")[0] for line in found} == {
        "yolo_nano", "tiny_yolo_v3", "tiny_yolo_v2", "yolo_v3", "leyolo", "leneck", "ssdlite"}  # fmt: skip
    for line in found:
        macs, ops = (int(line[name].replace(",", "")) for name in ("MACs", "ops (Darknet), 2 x MACs"))
        sizes = [float(line[name]) for name in ("MB at fp32", "at fp16", "at int8")]
        assert ops == 2 * macs < 2 * int(line["THOP MACs"].replace(",", "")) and sizes == sorted(sizes)[::-1]
        assert all(line.values()) and min(sizes) > 0.5


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("YOLO Nano", "Salvi 2020", "parameters: equal; THOP MACs: equal"),
        ("Tiny YOLOv3", "Salvi 2020", "parameters: equal; THOP MACs: equal"),
        ("YOLOv3", "Salvi 2020", "parameters: equal; THOP MACs: equal"),
        ("YOLOv3, lottery ticket, local", "Salvi 2020",
         "parameters: 1 more (6,157,358); THOP MACs: +0.7 % (32,829,119,167)"),
        ("YOLOv3, lottery ticket, global", "Salvi 2020",
         "parameters: 1 more (6,157,322); THOP MACs: +1.8 % (32,829,119,167)"),
        ("YOLOv3, continuous sparsification", "Salvi 2020",
         "parameters: equal; THOP MACs: equal in the printed digits (205,986,495)"),
        ("Tiny YOLOv2", "YOLO Nano paper",
         "ops: equal in the printed digits (6,971,041,792); bytes: equal in the printed digits (60,531,178)"),
        ("Tiny YOLOv3", "YOLO Nano paper", "ops: -0.9 % (5,471,511,552); bytes: -0.4 % (33,264,671)"),
        ("LeYOLO Medium, 640 px", "LeYOLO", "ops: -0.8 % (5,755,808,000)"),
        ("LeNeck, MNASNet 0.35", "LeNeck slides", "parameters: equal in the printed digits (745,017)"),
        ("YOLO Nano, as the repository states it", "Salvi 2020", "parameters: equal; THOP MACs: equal"),
        ("torchvision SSDLite, MobileNetV3-large", "torchvision", "parameters: equal"),
        ("SSDLite, MNASNet 0.35", "LeNeck slides", "no counts to compare"),
    ],
)  # fmt: skip
def test_how_ours_differs(name, source, said):
    line = of(name, source)
    assert line["ours, counted in the same way"] == said
    assert "%" not in said or line["why it differs"] != "–", "a difference has a reason"


def test_all_eight_lenecks_have_the_printed_digits():
    said = [line["ours, counted in the same way"] for line in lines() if line["name"].startswith("LeNeck")]
    assert len(said) == 8 and all(text.startswith("parameters: equal") for text in said)


def test_every_percentage_has_a_reason():
    unexplained = [line["name"] for line in lines()
                   if "%" in line["ours, counted in the same way"] and line["why it differs"] == "–"]  # fmt: skip
    assert not unexplained


def test_the_two_builds_of_yolo_nano_stand_apart():
    salvi, budget = (line for line in lines() if line["published by"] == "YOLO Nano paper" and "nano" in line["ours"])
    assert "ops: -11.1 %" in salvi["ours, counted in the same way"] and salvi["ours"] == "yolo_nano/salvi, 416 px, voc"
    assert "4,000,934" in budget["ours, counted in the same way"] and "true widths" in budget["why it differs"]


def test_ap_is_of_the_trained_form_alone():
    ours, form, other = row("nano", 0.3, 10**9), row("nano int8", 0.29, 10**9), row("x", 0.9, 10**9)
    ours["study"] = {**ours["study"], "system": "yolo_nano"}
    form["study"] = {**form["study"], "system": "yolo_nano", "base": "nano"}
    cells = {line["AP of ours"] for line in lines([ours, form, other, ours]) if line["ours"].startswith("yolo_nano")}
    assert cells == {"0.300 (nano, 416x416)"}
    assert {line["AP of ours"] for line in lines([ours]) if "leneck" in line["ours"]} == {systems.NO_WEIGHTS}


def test_a_network_is_counted_once():
    lines()
    before = habits.network.cache_info().misses
    lines()
    assert habits.network.cache_info().misses == before


@pytest.mark.parametrize(
    ("stated", "ours", "step", "said"),
    [
        (1000, 1000.0, None, "equal"),
        (1230, 1234.0, None, "equal in the printed digits (1,234)"),
        (1230, 1239.9, None, "equal in the printed digits (1,240)"),
        (1230, 1225.0, None, "equal in the printed digits (1,225)"),
        (1230, 1240.0, None, "+0.8 % (1,240)"),
        (5800, 5756.0, None, "equal in the printed digits (5,756)"),
        (5800, 5756.0, 10, "-0.8 % (5,756)"),
        (123_457, 123_456.0, None, "1 fewer (123,456)"),
    ],
)
def test_differences(stated: int, ours: float, step: Optional[int], said: str) -> None:
    assert habits.difference(stated, ours, step) == said


def test_a_row_has_the_habits_of_its_source():
    text = '[sources.a]\ntitle = "t"\nshort = "s"\nconditions = "c"\nside = 320\nparams_as = "weights"\n' \
           '[[row]]\nsource = "a"\nname = "n"\nsystem = "x"\nnetwork = "leyolo/nano"\n{}'  # fmt: skip
    (one,) = parse(text.format(""))
    assert (one.side, one.params_as, one.network) == (320, "weights", ("leyolo/nano",))
    (one,) = parse(text.format("side = 640\nmacs = 1_200_000_001"))
    assert one.side == 640
    assert systems.lines([], [one])[0][11] == "MACs: -0.7 % (1,191,590,400)", "with the 20 classes of VOC"
    with pytest.raises(ValueError, match="params_as is 'gammas'"):
        parse(text.format('params_as = "gammas"'))
