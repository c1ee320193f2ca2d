"""Boards, by the trees recorded of them: names, chips, releases, folders; in a container, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.jetson import board, nvpmodel

BOARDS = {  # name, chip, compute capability, JetPack, folder, power mode
    "agx-orin_l4t35": ("Jetson AGX Orin 64GB", "tegra234", "8.7", "5.1.2", "agx-orin", "MODE_30W"),
    "agx-orin_l4t36": ("Jetson AGX Orin 64GB", "tegra234", "8.7", "6.2", "agx-orin", "MODE_30W"),
    "agx-orin_l4t39.2_field": ("Jetson AGX Orin 64GB", "tegra234", "8.7", "7.2", "agx-orin", "MAXN"),
    "agx-thor_l4t38": ("Jetson AGX Thor T5000 128GB", "tegra264", "11.0", "7.1", "agx-thor", "MAXN"),
    "agx-thor_l4t38.4_field": ("Jetson AGX Thor T5000 128GB", "tegra264", "11.0", "7.1", "agx-thor", "120W"),
    "agx-xavier_l4t32": ("Jetson AGX Xavier", "tegra194", "7.2", "4.6", "agx-xavier", "MODE_15W"),
    "agx-xavier_l4t35": ("Jetson AGX Xavier", "tegra194", "7.2", "5.1.1", "agx-xavier", "MODE_30W_ALL"),
    "nano_l4t32": ("Jetson Nano 4GB", "tegra210", "5.3", "4.6.1", "nano", "MAXN"),
    "nano_three-modes_l4t32_field": ("Jetson Nano 4GB", "tegra210", "5.3", "4.6.1", "nano", "MAXN"),
    "orin-nano_l4t35": ("Jetson Orin Nano 8GB", "tegra234", "8.7", "5.1.2", "orin-nano", "15W"),
    "orin-nano_l4t35.3_field": ("Jetson Orin Nano 8GB", "tegra234", "8.7", "5.1.1", "orin-nano", "15W"),
    "orin-nano_l4t36": ("Jetson Orin Nano 8GB", "tegra234", "8.7", "6.2", "orin-nano", "MAXN_SUPER"),
    "orin-nano_own-mode_l4t36_field": (
        "Jetson Orin Nano 8GB", "tegra234", "8.7", "6.2", "orin-nano", "DYNAMIC_MODE"),
    "orin-nx_l4t35": ("Jetson Orin NX 16GB", "tegra234", "8.7", "5.1.2", "orin-nx", "15W"),
    "orin-nx_power-estimator_l4t36_field": (
        "Jetson Orin NX 16GB", "tegra234", "8.7", "6.2", "orin-nx", "MODE_28_1_W"),
    "xavier-nx_l4t35": ("Jetson Xavier NX 8GB", "tegra194", "7.2", "5.1.1", "xavier-nx", "MODE_15W_6CORE"),
    "x86-rapl": ("", "", "", "", "pc", ""),
}  # fmt: skip
ORIN_NX = "nvidia,p3768-0000+p3767-0000\0nvidia,p3767-0000\0nvidia,tegra234\0nvidia,tegra23x\0"


def test_every_tree_is_in_the_list(shared):
    assert sorted(path.stem for path in (shared / "fixtures/jetson").glob("*.json")) == sorted(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_what_a_board_is(board_tree, name):
    root = board_tree(name)
    release = board.jetpack_version(board.l4t(root))
    assert (
        board.name(root), board.soc(root), board.compute_capability(root), release, board.slug(root),
        nvpmodel.current_name(root),
    ) == BOARDS[name]  # fmt: skip
    assert board.is_jetson(root) == bool(board.model(root)) == (name != "x86-rapl")


@pytest.mark.parametrize("known", [("model", "compatible"), ("model",), ("compatible",)])
@pytest.mark.parametrize("name", [name for name in BOARDS if name != "x86-rapl"])
def test_a_container_comes_to_the_same_board(board_tree, tmp_path, name, known):
    """It sees an empty device tree, /sys, and the copies that its script left: NULs and all."""
    host, inside = board_tree(name), tmp_path / "inside"
    (inside / "proc/device-tree").mkdir(parents=True)
    (inside / "tmp").mkdir()
    for file in known:
        shutil.copy(host / "proc/device-tree" / file, inside / "tmp" / f"nv_jetson_{file}")
    assert board.is_jetson(inside) and board.slug(inside) == board.slug(host)
    assert (board.soc(inside), board.compute_capability(inside)) == BOARDS[name][1:3]
    assert BOARDS[name][0].startswith(board.name(inside))
    if "compatible" in known:
        assert board.name(inside) == BOARDS[name][0]


def tree(root: Path, model: str = "", compatible: str = "", release: str = "", where: str = "proc/device-tree") -> Path:
    """A board as few files as it may have."""
    files = {f"{where}/model": model, f"{where}/compatible": compatible, "etc/nv_tegra_release": release}
    for path, text in files.items():
        if text:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("model", "compatible", "name", "slug"),
    [
        ("Auvidea JNX30D\0", ORIN_NX, "Jetson Orin NX 16GB", "orin-nx"),
        ("Seeed reComputer\0", ORIN_NX.upper().replace("TEGRA", "tegra").replace("NVIDIA", "nvidia"),
         "Jetson Orin NX 16GB", "orin-nx"),
        ("Carrier\0", "vendor,carrier\0nvidia,tegra234\0", "Jetson tegra234", "tegra234"),
        ("Carrier for Orin NX\0", "vendor,carrier\0nvidia,tegra234\0", "Jetson Orin NX", "orin-nx"),
        ("Jetson Nano style carrier\0", "vendor,carrier\0nvidia,tegra234\0", "Jetson tegra234", "tegra234"),
        ("quill\0", "nvidia,p2597-0000+p3310-1000\0nvidia,quill\0nvidia,tegra186\0", "Jetson TX2 8GB", "tx2"),
        ("lanai-3636\0", "nvidia,p3509-0000+p3636-0001\0nvidia,tegra186\0", "Jetson TX2 NX 4GB", "tx2-nx"),
        ("", "nvidia,p3542-0000+p3448-0003\0nvidia,jetson-nano-2gb\0nvidia,tegra210\0", "Jetson Nano 2GB", "nano"),
        ("", "nvidia,p3737-0000+p3701-0008\0nvidia,tegra234\0", "Jetson AGX Orin Industrial 64GB", "agx-orin"),
        ("", "nvidia,p3737-0000+p3701-0000\0nvidia,tegra234\0", "Jetson AGX Orin", "agx-orin"),
        ("", "nvidia,p3737-0000+p3701-9999\0nvidia,tegra234\0", "Jetson AGX Orin", "agx-orin"),
        ("", "nvidia,p3768-0000+p3767-9999\0nvidia,tegra234\0", "Jetson tegra234", "tegra234"),
        ("", "nvidia,p3768-0000+p3767-0004\0nvidia,tegra234\0", "Jetson Orin Nano 4GB", "orin-nano"),
        ("", "nvidia,p3767-0003\0nvidia,p3767-0004\0nvidia,tegra234\0", "Jetson Orin Nano", "orin-nano"),
        ("", "nvidia,p2972-0000+p2888-0004\0nvidia,tegra194\0", "Jetson AGX Xavier 32GB", "agx-xavier"),
        ("Drive bay carrier\0", ORIN_NX, "Jetson Orin NX 16GB", "orin-nx"),
        ("", "nvidia,p3834-0000\0nvidia,tegra264\0", "Jetson AGX Thor T4000 64GB", "agx-thor"),
        ("NVIDIA IGX Orin\0", "nvidia,p3740-0002+p3701-0008\0nvidia,tegra234\0", "IGX Orin", "igx-orin"),
        ("", "nvidia,p3768-0000+p3767-0005-supernvidia,p3767-0005nvidia,tegra234", "Jetson Orin Nano 8GB", "orin-nano"),
        ("Clara-AGX\0", "nvidia,e3900-0000+p2888-0004\0nvidia,tegra194\0", "Clara AGX", "clara-agx"),
    ],
)  # fmt: skip
def test_the_module_counts_and_not_what_the_carrier_is_called(tmp_path, model, compatible, name, slug):
    root = tree(tmp_path, model, compatible)
    assert board.is_jetson(root) and (board.name(root), board.slug(root)) == (name, slug)
    assert board.describe(root).startswith(name)


@pytest.mark.parametrize(
    ("model", "compatible"),
    [
        ("", ""),
        ("Raspberry Pi 5\0", "raspberrypi,5-model-b\0brcm,bcm2712\0"),
        ("Tegra Note workstation\0", ""),
        ("", "nvidia,tegra241\0nvidia,grace\0"),
        ("NVIDIA DGX Spark\0", ""),
        ("NVIDIA GH200\0", "nvidia,p3809\0"),
        ("Clara phone T4000\0", "vendor,clara\0"),
        ("NVIDIA DRIVE AGX Orin\0", "nvidia,p3710-0010\0nvidia,tegra234\0"),
        ("p3710-0010\0", "nvidia,p3710-0010-a01\0nvidia,tegra234\0"),
    ],
)
def test_others_are_no_jetson(tmp_path, model, compatible):
    root = tree(tmp_path, model, compatible)
    assert not board.is_jetson(root)
    assert (board.name(root), board.model(root), board.compute_capability(root), board.slug(root)) == ("", "", "", "pc")
    assert board.describe(root).startswith("not a Jetson")


def test_a_graphics_card_takes_the_place_of_the_chips_gpu(tmp_path):
    root = tree(tmp_path, "NVIDIA IGX Orin Development Kit\0", "nvidia,p3740-0002+p3701-0008\0nvidia,tegra234\0", "R36")
    card = root / "sys/bus/pci/devices/0005:09:00.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text("0x10de\n", encoding="utf-8")
    (card / "class").write_text("0x020700\n", encoding="utf-8")
    assert board.is_jetson(root), "a network card of NVIDIA's"
    (card / "class").write_text("0x030000\n", encoding="utf-8")
    assert not board.is_jetson(root) and board.compute_capability(root) == ""
    assert board.describe(root) == "not a Jetson (IGX Orin with a graphics card)"


RELEASE = "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64, DATE: Wed\n"


def test_a_container_with_the_release_alone(tmp_path):
    root = tree(tmp_path, release=RELEASE)
    assert (board.name(root), board.soc(root), board.slug(root), board.is_jetson(root)) == (
        "Jetson",
        "",
        "jetson",
        True,
    )
    (root / "sys/class/devfreq/17000000.ga10b").mkdir(parents=True)
    assert (board.name(root), board.compute_capability(root)) == ("Jetson tegra234", "8.7"), "the GPU's clock tells"


def test_copies_of_a_boards_files_on_a_computer(tmp_path):
    root = tree(tmp_path, "NVIDIA Jetson Orin Nano\0", ORIN_NX, RELEASE, where="tmp")
    for name in ("model", "compatible"):
        (root / "tmp" / name).rename(root / "tmp" / f"nv_jetson_{name}")
    assert board.is_jetson(root)
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text("processor\t: 0\nvendor_id\t: AuthenticAMD\n", encoding="utf-8")
    assert not board.is_jetson(root) and (board.l4t(root), board.soc(root), board.slug(root)) == ("", "", "pc")


@pytest.mark.parametrize(
    ("release", "major", "version"),
    [
        ("32.7.6", "4", "4.6.6"), ("35.1.0", "5", "5.0.2"), ("35.6.3", "5", "5.1.5"), ("36.4.7", "6", "6.2.1"),
        ("36.5.0", "6", "6.2.2"), ("36.9.0", "6", "6"), ("38.2.1", "7", "7.0"), ("39.2.0", "7", "7.2"),
        ("40.1.0", "", ""), ("3", "", ""), ("", "", ""),
    ],
)  # fmt: skip
def test_jetpack_of_a_release(release, major, version):
    assert (board.jetpack(release), board.jetpack_version(release)) == (major, version)


def test_where_earlier_versions_put_plans(board_tree):
    assert board.former_slugs(board_tree("orin-nano_l4t36")) == ["orin-nano", "orin-nano-super", "tegra234"]
    assert board.former_slugs(board_tree("orin-nano_l4t35")) == ["orin-nano", "tegra23x"]
    assert board.former_slugs(board_tree("agx-xavier_l4t32")) == ["agx-xavier", "agx", "tegra194"]
