#!/usr/bin/env bash
# Builds the native core for aarch64 with Debian's cross compiler and runs its tests there, emulated by qemu.
#
#     sudo tools/aarch64.sh [pytest arguments]        # default: the tests of letterbox, decoder, NMS and heads
#
# Everything is written into a scratch folder that is removed at the end (KEEP=1 keeps it). Needs Debian or Ubuntu.
# No chroot and no binfmt: qemu runs Debian's Python for arm64, which only starts the host's compiler and the tests.
# A test that starts a second Python fails here, as the kernel does not know how to run it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=bookworm
tests=("$@")
[ $# -gt 0 ] || tests=(tests/native/test_letterbox.py tests/native/test_pixels.py tests/native/test_decoder.py
    tests/native/test_nms.py tests/heads)

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}
for tool in debootstrap qemu-aarch64 aarch64-linux-gnu-g++; do
    command -v "$tool" >/dev/null || fail "no $tool here" "sudo apt install debootstrap qemu-user g++-aarch64-linux-gnu"
done
[ "$(id -u)" = 0 ] || fail "debootstrap runs as root only" "sudo $0"
"${PYTHON:-python3}" -m pip --version >/dev/null || fail "no pip here" "sudo apt install python3-pip"

export PIP_ROOT_USER_ACTION=ignore
scratch=$(mktemp -d)
[ -n "${KEEP:-}" ] || trap 'rm -rf "$scratch"' EXIT
root=$scratch/root site=$scratch/site

echo "== Python of Debian $suite for arm64, into $scratch"
# Unpacked, not installed: no package's script runs.
debootstrap --arch=arm64 --variant=minbase --download-only --include=python3,libpython3-dev,python3-distutils \
    "$suite" "$root" >"$scratch/debootstrap.log" || fail "debootstrap failed: $(tail -1 "$scratch/debootstrap.log")" \
    "it needs a Debian mirror and Debian's keys (apt install debian-archive-keyring)"
for package in "$root"/var/cache/apt/archives/*.deb; do
    dpkg -x "$package" "$root"
done
python=$(compgen -G "$root/usr/bin/python3.??")
version=${python##*/python}
arm() { PYTHONPATH=$site qemu-aarch64 -L "$root" "$python" "$@"; }

echo "== wheels for arm64 and Python $version"
"${PYTHON:-python3}" -m pip install -q --target "$site" --only-binary=:all: --python-version "$version" \
    --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    numpy onnx rich opencv-python-headless pytest hypothesis 'setuptools>=64' 'pybind11>=2.12'

echo "== the core, by $(aarch64-linux-gnu-g++ --version | head -1)"
mkdir "$scratch/src"
cp -r edge_runtime tests setup.py pyproject.toml README.md "$scratch/src"
cd "$scratch/src"
# The include folder that Python names is the host's for the compiler: the right one comes before it.
CPPFLAGS="-I$root/usr/include/python$version -idirafter $root/usr/include" \
    arm setup.py -q build_ext --inplace
arm -c '
import platform
from edge_runtime.native import ops
print(platform.machine(), "Python", platform.python_version(), *ops.simd_levels())
assert ops.simd_levels()[0] == "neon"
'

echo "== pytest ${tests[*]}"
arm -m pytest -q -p no:cacheprovider "${tests[@]}"
