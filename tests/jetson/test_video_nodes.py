"""Cameras, CSI sensors and metadata nodes, told apart by what drivers answer, and by sysfs where they do not."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from edge_runtime import sources
from edge_runtime.errors import SourceError
from edge_runtime.jetson import video_nodes

STREAMING, EXT, VIDEO, VIDEO_MPLANE, META, M2M = 0x04000000, 0x00200000, 0x1, 0x1000, 0x00800000, 0x8000
SENSOR = "vi-output, imx219 9-0010"


def node(root: Path, number: int, name: str, driver: str = "", index: int = 0) -> None:
    """A device in a tree, which no driver answers for."""
    about = root / f"sys/class/video4linux/video{number}"
    about.mkdir(parents=True)
    (about / "name").write_text(f"{name}\n", encoding="utf-8")
    (about / "index").write_text(f"{index}\n", encoding="utf-8")
    if driver:
        (root / "drivers" / driver).mkdir(parents=True, exist_ok=True)
        (about / "device").mkdir()
        (about / "device/driver").symlink_to(root / "drivers" / driver)
    (root / "dev").mkdir(exist_ok=True)
    (root / f"dev/video{number}").touch()


class Driver:
    """Answers the two questions as the kernel does."""

    def __init__(self, driver: str, caps: int, formats: List[str], every: int = 0) -> None:
        self.driver, self.caps, self.formats, self.every = driver, caps, formats, every

    def ioctl(self, _: int, request: int, argument: bytes) -> bytes:
        assert len(argument) == request >> 16 & 0x3FFF, "the kernel reads and writes as much as the number says"
        if request == video_nodes.QUERYCAP:
            return struct.pack("16s32s32sIII12x", self.driver.encode(), b"card", b"bus", 0, self.every, self.caps)
        index, kind = struct.unpack_from("II", argument)
        assert kind == (9 if (self.caps or self.every) & VIDEO_MPLANE else 1)
        if index >= len(self.formats):
            raise OSError(22, "Invalid argument")
        return struct.pack("III32s4sI12x", index, kind, 0, b"", self.formats[index].encode(), 0)


@pytest.mark.parametrize(
    ("driver", "kind"),
    [
        (Driver("uvcvideo", VIDEO | STREAMING | EXT, ["MJPG", "YUYV"]), video_nodes.CAMERA),
        (Driver("uvcvideo", META | STREAMING | EXT, []), video_nodes.METADATA),
        (Driver("tegra-video", VIDEO | STREAMING | EXT, ["RG10"]), video_nodes.CSI),
        (Driver("tegra-video", VIDEO | STREAMING | EXT, ["BG10", "RG12", "RGGB"]), video_nodes.CSI),
        (Driver("tegra-video", VIDEO | STREAMING | EXT, []), video_nodes.CSI),
        (Driver("tegra-video", VIDEO | STREAMING | EXT, ["UYVY"]), video_nodes.CAMERA),  # a sensor with its own ISP
        (Driver("unicam", VIDEO | STREAMING, ["pRAA", "RG10"]), video_nodes.CSI),
        (Driver("mxc", VIDEO_MPLANE | STREAMING, ["NV12"]), video_nodes.CAMERA),
        (Driver("nvenc", M2M | STREAMING, []), video_nodes.OTHER),
        (Driver("old", 0, ["YUYV"], every=VIDEO | STREAMING), video_nodes.CAMERA),
    ],
)  # fmt: skip
def test_what_a_driver_says(driver: Driver, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node(tmp_path, 0, "a name")
    monkeypatch.setattr(video_nodes.fcntl, "ioctl", driver.ioctl)
    assert video_nodes.look(tmp_path) == [video_nodes.Node("/dev/video0", "a name", kind)]


def test_a_tree_is_told_by_its_names(tmp_path: Path) -> None:
    node(tmp_path, 0, SENSOR, "tegra-camrtc-capture-vi")
    node(tmp_path, 1, "HD Pro Webcam C920", "uvcvideo")
    node(tmp_path, 2, "HD Pro Webcam C920", "uvcvideo", index=1)
    node(tmp_path, 10, "vi-output, imx219 10-0010")
    found = video_nodes.look(tmp_path)
    assert [(n.device, n.kind) for n in found] == [
        ("/dev/video0", "csi"), ("/dev/video1", "camera"), ("/dev/video2", "metadata"), ("/dev/video10", "csi"),
    ]  # fmt: skip
    assert [video_nodes.target(n, found) for n in found] == ["csi://0", "/dev/video1", "", "csi://1"]


Case = Tuple[str, str, Optional[str]]
CASES: List[Case] = [
    ("0", "is a CSI sensor", "use csi://0"),
    ("/dev/video0", "is a CSI sensor", "use csi://0"),
    ("v4l2://0", "is a CSI sensor", "use csi://0"),
    ("camera:10", "vi-output, imx219 10-0010", "use csi://1"),
    ("2", "gives the metadata of a camera", "cameras here: csi://0, /dev/video1, csi://1"),
    ("7", "no camera /dev/video7", "cameras here: csi://0, /dev/video1, csi://1"),
]


@pytest.mark.parametrize(("target", "fact", "hint"), CASES)
def test_what_to_open_instead(target: str, fact: str, hint: str, tmp_path: Path, monkeypatch: Any) -> None:
    test_a_tree_is_told_by_its_names(tmp_path)
    monkeypatch.setenv("EDGE_SYSROOT", str(tmp_path))
    with pytest.raises(SourceError, match=fact) as caught:
        sources.open(target)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("driver", "index", "kind"),
    [("uvcvideo", 0, "camera"), ("uvcvideo", 1, "metadata"), ("uvcvideo", 2, "camera"), ("uvcvideo", 3, "metadata"),
     ("", 1, "metadata"), ("magewell", 1, "camera")],
)  # fmt: skip
def test_nodes_of_one_camera(tmp_path: Path, driver: str, index: int, kind: str) -> None:
    """A depth camera gives several pictures; a grabber that is no UVC device has no metadata nodes."""
    node(tmp_path, 0, "a name", driver, index)
    assert video_nodes.look(tmp_path)[0].kind == kind


def test_gstreamer_takes_no_sensor_for_a_usb_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.sources import SourceOptions, gstreamer

    node(tmp_path, 0, SENSOR)
    monkeypatch.setenv("EDGE_SYSROOT", str(tmp_path))
    with pytest.raises(SourceError, match="is a CSI sensor"):
        gstreamer.pipeline("gst+v4l2://0", SourceOptions(), lambda name: False)


def test_the_first_names_count_for_a_camera_that_is_closed(tmp_path: Path) -> None:
    """A node that cannot be opened is still named."""
    node(tmp_path, 0, "HD Pro Webcam C920", "uvcvideo")
    (tmp_path / "dev/video0").unlink()
    (tmp_path / "dev/video0").mkdir()  # opens for nobody
    found: Dict[str, str] = {n.device: n.kind for n in video_nodes.look(tmp_path)}
    assert found == {"/dev/video0": "camera"}
