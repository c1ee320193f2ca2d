"""LeYOLO, LeNeck and SSDLite have the published counts, digit for digit, with COCO's 80 classes or torchvision's 90."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime import zoo
from edge_runtime.graph import counts, onnx_stats
from edge_runtime.model.labels import COCO
from edge_runtime.zoo import ssdlite, stats, weights
from edge_runtime.zoo.__main__ import main
from edge_runtime.zoo.export import to_onnx

CLASSES_90 = tuple(str(number) for number in range(90))
ZOO_PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"


def whole(name: str, preset: str, imgsz=None, labels=COCO) -> counts.Stats:
    return counts.total(stats.architecture_layers(zoo.build(name, labels, imgsz, preset)))


@pytest.mark.parametrize(
    "preset, parameters, gflops",
    [("nano", 1_120_464, 2.612), ("small", 1_917_424, 4.459), ("medium", 2_402_728, 5.756)],
)
def test_leyolo(preset, parameters, gflops):
    found = whole("leyolo", preset)
    assert found.parameters == parameters
    assert round(2e-9 * found.thop_macs, 3) == gflops, "published: 0.66 at 320, which is a quarter, 4.51 and 5.80"


@pytest.mark.parametrize(
    "preset, parameters",
    [
        ("mobilenet_v3_small", 1_341_606), ("mobilenet_v3_large", 3_334_094), ("efficientnet_b0", 3_297_175),
        ("mobilenet_v2_050", 980_816), ("mobilenet_v2", 2_394_992), ("mnasnet_035", 745_017),
        ("mnasnet_050", 1_225_584), ("mnasnet_100", 2_801_592),
    ],
)  # fmt: skip
def test_leneck(preset, parameters):
    assert whole("leneck", preset).parameters == parameters


def test_ssdlite_is_torchvisions():
    found = whole("ssdlite", "mobilenet_v3_large", labels=CLASSES_90)
    assert found.parameters == 3_440_060 and round(found.conv_macs / 1e6, 2) == 583.17
    sizes = zoo.build("ssdlite", CLASSES_90, preset="mobilenet_v3_large").sizes()
    assert (sizes["boxes"], sizes["scores"]) == ((3234, 4), (3234, 91))


@pytest.mark.parametrize(
    "preset, classifier",  # torchvision's, without the 1000 classes of 1280 weights and a bias
    [
        ("mobilenet_v2", 3_504_872), ("mnasnet_100", 4_383_312), ("mnasnet_050", 2_218_512),
        ("efficientnet_b0", 5_288_548),
    ],
)  # fmt: skip
def test_the_trunks_of_ssdlite_are_the_classifiers(preset, classifier):
    rows = stats.architecture_layers(zoo.build("ssdlite", COCO, 320, preset))
    trunk = counts.total(row for row in rows if row.name.startswith(("stem", "stage", "last")))
    assert trunk.parameters == classifier - 1000 * 1281


@pytest.mark.parametrize("preset", ssdlite.PRESETS)
def test_every_ssdlite_has_the_same_priors(preset):
    architecture = zoo.build("ssdlite", COCO, preset=preset)
    assert architecture.sizes()["boxes"] == (3234, 4) and architecture.spec.input_wh == (320, 320)


def test_what_no_output_reads_is_counted_and_in_no_file():
    architecture = zoo.build("leyolo", COCO, 64, "medium")
    file = to_onnx(architecture, weights.random(architecture), keep_bn=True)
    read = counts.total(onnx_stats.onnx_layers(file)).parameters
    unread = counts.total(row for row in stats.architecture_layers(architecture) if row.name.startswith("out32."))
    assert read + unread.parameters == 2_402_728 and unread.parameters > 0
    assert [layer.op for layer in architecture.unread].count("conv") == 4 * 3, "four blocks"
    assert not zoo.build("leyolo", COCO, 64, "small").unread


def test_the_page_shows_what_the_command_prints(capsys):
    assert main(["--list", "--classes", "coco"]) == 0
    assert capsys.readouterr().out in ZOO_PAGE.read_text(encoding="utf-8")


def test_a_name_lists_its_own_presets(capsys):
    assert main(["leyolo", "--list", "--classes", "coco", "--imgsz", "320"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["leyolo", "nano", "320", "1,120,464"] and len(lines) == 4


def test_the_list_goes_on_after_a_network_that_refuses_the_classes(capsys):
    assert main(["--list", "--classes", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    refused = [line for line in lines if "no count: " in line]
    assert len(refused) == len(ssdlite.PRESETS) and all(line.startswith("ssdlite") for line in refused)
    assert "three classes cannot be told apart" in refused[0] and "ssdlite       mobilenet_v3_large" in refused[0]
    assert lines[-1].startswith("yolo_v3") and lines[-1].split()[3].replace(",", "").isdecimal()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ssdlite", "--list", "--classes", "3"], "three classes"),
        (["--list", "--imgsz", "100"], "input size is 100"),
        (["--list", "--preset", "huge"], "no preset 'huge'"),
        (["leyolo", "--list", "--preset", "salvi"], "there is: nano, small, medium"),
        (["leyola", "--list"], "no architecture 'leyola'"),
    ],
)
def test_a_list_of_nothing_is_an_error(words, said, capsys):
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert said in err and "hint: " in err and not out


def test_a_preset_lists_itself_alone(capsys):
    assert main(["--list", "--preset", "mobilenet_v2"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [["leneck", "mobilenet_v2"], ["ssdlite", "mobilenet_v2"]]
