"""What docker/run.sh gives to the container: image, board, mounts, groups, cameras, environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from standins.container_host import DOCKER, REPOSITORY, executable, value, write

from edge_runtime.jetson import board


def test_a_camera_is_given_where_it_is_asked_for(orin):
    orin.run("--camera", "0", "edge-detect")
    assert value(orin.container(), "--device") == [f"{orin.root}/dev/video0:/dev/video0"]


def test_no_camera_is_given_unasked(orin):
    orin.run("edge-detect")
    assert "--device" not in orin.container()


def test_a_camera_that_is_not_there_ends_it_before_anything(orin):
    done = orin.run("--camera", "/dev/video7", "--power-mode", "15W", "edge-detect")
    assert done.returncode == 1 and "/dev/video7" in done.stderr and orin.calls() == []


def test_what_is_there_is_mounted(orin):
    (orin.root / "tmp").mkdir()
    (orin.root / "tmp/argus_socket").touch()
    orin.run("edge-detect")
    mounts = {mount.split(":")[1]: mount for mount in value(orin.container(), "--volume")}
    assert mounts["/tmp/argus_socket"] == f"{orin.root}/tmp/argus_socket:/tmp/argus_socket"
    assert mounts["/var/lib/nvpmodel"].endswith(":ro") and mounts["/etc/nv_tegra_release"].endswith(":ro")
    assert mounts["/work"] == f"{orin.folder}:/work" and value(orin.container(), "--runtime") == ["nvidia"]
    assert "/run/jtop.sock" not in mounts and "-t" not in orin.container()


# What a container sees of the mounted files, and which board that is.
INSIDE = """
import json, os, shutil, sys
from pathlib import Path
from edge_runtime.jetson import board
root = Path(os.environ["INSIDE"])
for source, inside in (word.split(":")[:2] for word in sys.argv if word.endswith(":ro")):
    (root / inside[1:]).parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_file():
        shutil.copy(source, root / inside[1:])
print(json.dumps([ask(root) for ask in (board.model, board.name, board.soc, board.l4t, board.slug)]))
"""


def test_the_container_knows_the_board(orin, tmp_path):
    """As edge_runtime/jetson/board.py reads it where Docker hides the device tree."""
    compatible = "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0"
    write(orin.root / "proc/device-tree/compatible", compatible)
    executable(tmp_path / "docker", INSIDE + DOCKER)
    inside = tmp_path / "inside"
    done = orin.run("edge-doctor", INSIDE=str(inside), PYTHONPATH=str(REPOSITORY))
    here = [ask(orin.root) for ask in (board.model, board.name, board.soc, board.l4t, board.slug)]
    assert done.returncode == 0 and json.loads(done.stdout) == here, done.stderr
    assert (inside / "tmp/nv_jetson_compatible").read_bytes() == compatible.encode()
    assert (inside / "tmp/nv_jetson_model").read_bytes() == (orin.root / "proc/device-tree/model").read_bytes()
    sources = [mount.split(":")[0] for mount in value(orin.container(), "--volume") if ":/tmp/nv_jetson_" in mount]
    assert len(sources) == 2 and not any(Path(source).parent.exists() for source in sources)


def test_the_groups_have_the_host_s_numbers(orin):
    write(orin.root / "etc/group", "root:x:0:\nvideo:x:44:user\nrender:x:993:user\njtop:x:1001:\nvideo2:x:7:\n")
    write(orin.root / "run/jtop.sock", "")
    orin.run("edge-doctor")
    assert value(orin.container(), "--group-add") == ["44", "993", "1001"]


def test_a_group_that_is_in_no_file_is_asked_for(orin):
    """A directory service may have it."""
    getent = orin.folder / "bin/getent"
    write(getent, '#!/bin/sh\n[ "$2" = render ] && echo render:x:4711:\n')
    getent.chmod(0o755)
    orin.run("edge-doctor", PATH=f"{getent.parent}:{orin.environment['PATH']}")
    assert value(orin.container(), "--group-add") == ["4711"]


def test_the_environment_asks_the_runtime_for_cameras_and_decoders(orin):
    orin.run("edge-doctor")
    wanted = ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,video,utility,graphics"]
    assert [each for each in value(orin.container(), "--env") if each.startswith("NVIDIA_")] == wanted


def test_a_csi_camera_without_its_daemon_ends_it_before_anything(orin):
    done = orin.run("--power-mode", "15W", "edge-detect", "--source", "csi://0")
    assert done.returncode == 1 and "restart nvargus-daemon" in done.stderr and orin.calls() == []
    write(orin.root / "tmp/argus_socket", "")
    assert orin.run("edge-detect", "--source=csi://0").returncode == 0


def test_a_container_that_docker_cannot_start(orin):
    done = orin.run("edge-doctor", CODE="125")
    assert done.returncode == 125 and "--build" in done.stderr


def test_without_docker(orin):
    done = orin.run("edge-doctor", DOCKER="no-such-docker")
    assert done.returncode == 1 and done.stderr.startswith("error: no no-such-docker here\nhint: ")
    assert orin.run("--dry-run", "edge-doctor", DOCKER="no-such-docker").returncode == 0


def test_the_image_is_built_over_the_host_s_network(orin):
    """Docker 28 has no other where the kernel has no iptables table "raw", as JetPack 6's has not."""
    write(orin.root / "etc/group", "render:x:993:\n")
    done = orin.run("--build")
    (call,) = orin.calls()
    assert done.returncode == 0 and call[1:4] == ["build", "--network", "host"] and "docker build" in done.stderr
    assert value(call, "--build-arg") == ["RENDER_GID=993"] and value(call, "--tag") == ["edge-runtime:jetpack6"]
    assert value(call, "--file") == [str(REPOSITORY / "docker/Dockerfile.jetpack6")] and call[-1] == str(REPOSITORY)
    assert orin.run("--build", "--image", "mine:1").returncode == 0 and value(orin.calls()[-1], "--tag") == ["mine:1"]
    write(orin.root / "etc/nv_tegra_release", "\n")
    assert orin.run("--build").returncode == 0 and "--build-arg" not in orin.calls()[-1]


@pytest.mark.parametrize(
    ("release", "image"),
    [("# R35 (release), REVISION: 4.1, x", "jetpack5"), ("# R38 (release), REVISION: 2.0, x", "jetpack7"),
     ("# R39 (release), REVISION: 2.0, x", "jetpack7"), ("", "x86")],
)  # fmt: skip
def test_the_machine_chooses_the_image(orin, release, image):
    write(orin.root / "etc/nv_tegra_release", f"{release}\n")
    orin.run("edge-doctor")
    assert orin.container()[-2:] == [f"edge-runtime:{image}", "edge-doctor"]


def test_a_board_too_old_and_an_image_of_one_s_own(orin):
    assert orin.run("--image", "mine:1", "edge-doctor").returncode == 0 and "mine:1" in orin.container()
    write(orin.root / "etc/nv_tegra_release", "# R32 (release), REVISION: 7.1, x\n")
    done = orin.run("edge-doctor")
    assert done.returncode == 1 and "not supported" in done.stderr and len(orin.calls()) == 1
    assert orin.run("--image", "mine:1", "edge-doctor").returncode == 0
    assert value(orin.calls()[-1], "--runtime") == ["nvidia"]
    assert orin.run("--build", "--image", "mine:1").returncode == 1 and len(orin.calls()) == 2


def test_the_release_is_known_by_a_package_too(orin):
    (orin.root / "etc/nv_tegra_release").unlink()
    write(
        orin.root / "var/lib/dpkg/status",
        "Package: a\nVersion: 36.1\n\nPackage: nvidia-l4t-core\nVersion: 35.6.4-2\n\n",
    )
    assert orin.run("edge-doctor").returncode == 0 and "edge-runtime:jetpack5" in orin.container()


def test_a_jetson_is_never_taken_for_a_pc(orin):
    (orin.root / "etc/nv_tegra_release").unlink()
    write(orin.root / "proc/device-tree/compatible", "nvidia,p3767-0005\0nvidia,tegra234\0")
    done = orin.run("edge-doctor")
    assert done.returncode == 1 and "unknown release is not supported" in done.stderr and orin.calls() == []
