# shellcheck shell=bash
# Sourced by test.sh and demo.sh. `setup EXTRAS` leaves a virtual environment in $venv with the package in it, editable,
# and does nothing when nothing that matters has changed. PYTHON=python3.12 chooses an interpreter with its own environment.

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

has() { "$python" -c "$1" 2>/dev/null; }

check_machine() {
    command -v "$python" >/dev/null || fail "no $python here" "sudo apt install python3 python3-venv python3-dev g++"
    has 'import sys; assert sys.version_info >= (3, 8)' || fail "$python is older than 3.8" "PYTHON=python3.10 $0"
    has 'import ensurepip, venv' || fail "$python cannot make a virtual environment" "sudo apt install $debian-venv"
    has 'import os, sysconfig; os.stat(sysconfig.get_paths()["include"] + "/Python.h")' ||
        fail "the headers of $python are not installed" "sudo apt install $debian-dev"
    command -v "${CXX:-g++}" >/dev/null || fail "no C++ compiler here" "sudo apt install g++"
}

setup() {
    local extras=$1 python=${PYTHON:-python3} debian=python3 system="" key
    [ -z "${PYTHON:-}" ] || debian=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    check_machine
    venv=.venv${PYTHON:+-${debian#python}}
    if [ -e /etc/nv_tegra_release ]; then # on a Jetson OpenCV and TensorRT are the system's
        system=--system-site-packages extras=${extras/cpu,/}
    fi
    [ -x "$venv/bin/python" ] && [ -x "$venv/bin/pip" ] || "$python" -m venv $system "$venv"
    key="$(cat pyproject.toml setup.py edge_runtime/__init__.py edge_runtime/csrc/* | sha256sum | cut -c1-16)"
    grep -qxF "$key $extras" "$venv/installed" 2>/dev/null || install "$key" "$extras"
}

install() {
    echo "installing edge-runtime[$2] into $venv ..."
    grep -qs "^$1 " "$venv/installed" || : >"$venv/installed"
    "$venv/bin/pip" install -q -U pip 'setuptools>=64' wheel 'pybind11>=2.12'
    PYTHONWARNINGS=ignore "$venv/bin/pip" install -q --no-build-isolation -e ".[$2]"
    echo "$1 $2" >>"$venv/installed"
}

export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
