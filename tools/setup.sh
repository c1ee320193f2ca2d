# shellcheck shell=bash
# Sourced by demo.sh, test.sh and jetson.sh. `setup EXTRAS` leaves a virtual environment in $venv with the package in
# it, editable, and does nothing when nothing that matters has changed. Root also gets the system's packages that are
# missing; anyone else is told the one line for all of them.
#
#     PYTHON=python3.12   another interpreter, with an environment of its own
#     EDGE_VENV=~/edge    another place for the environment; a checkout that is read-only is copied there, too
#     EDGE_SYSROOT=DIR    a tree that stands for /: whether this is a Jetson

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

attempt() { # attempt FACT COMMAND ...: with its output only where it fails; where $dry is set, only the command
    local fact=$1 output code=0
    shift
    if [ -n "$dry" ]; then
        { printf '   ' && printf ' %q' "$@" && echo; }
        return
    fi
    output=$("$@" 2>&1) || code=$?
    [ "$code" != 0 ] || return 0
    tail -n 30 <<<"$output" >&2
    fail "$fact" "$(way_out "$code $output")"
}

way_out() { # way_out "CODE OUTPUT": what to do about a command that ended like that
    case $1 in
        "137 "* | *Killed*cc1plus* | *cc1plus*Killed* | *"annot allocate memory"*)
            echo "memory ran out; a swap file helps: sudo fallocate -l 4G /swapfile && sudo chmod 600 /swapfile &&" \
                "sudo mkswap /swapfile && sudo swapon /swapfile; then run this again" ;;
        *"o space left on device"*) echo "make room on the disk (df -h .), then run this again" ;;
        *"not yet valid"*) echo "the clock is wrong (see date): sudo timedatectl set-ntp true, then run this again" ;;
        *"ould not get lock"*) echo "another program is installing packages: wait for it, then run this again" ;;
        *"nable to locate package"* | *"no installation candidate"*)
            echo "this system has no such package; with another Python: PYTHON=/path/to/python $0" ;;
        *"ame resolution"* | *"ould not resolve"* | *"etwork is unreachable"* | *"timed out"*)
            echo "the network does not answer: check it, then run this again" ;;
        *) echo "the lines above say why; run this again to go on from here" ;;
    esac
}

has() { "$python" -c "$1" >/dev/null 2>&1; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; }

find_python() { # sets $python, and how the names of its Debian packages begin
    local version other="PYTHON=python3.10 $0, for example"
    python=${PYTHON:-python3} debian=python3
    if [ -n "${PYTHON:-}" ]; then
        debian=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null || echo "$PYTHON")
        command -v "$PYTHON" >/dev/null || [[ $debian == python3.* ]] || fail "no $PYTHON here" "$other"
    elif command -v python3 >/dev/null && ! recent python3; then # JetPack 4's is 3.6, and may have another beside it
        python=python3.8
        for version in 13 12 11 10 9; do
            ! recent "python3.$version" || { python=python3.$version && break; }
        done
        debian=$python
    fi
    ! command -v "$python" >/dev/null || recent "$python" || fail "$python does not run, or is older than 3.8" "$other"
}

missing() { # names the packages that are not here, by trying what each is for
    command -v "$python" >/dev/null || echo "$debian"
    has 'import ensurepip, venv' || echo "$debian-venv"
    has 'import os, sysconfig; os.stat(sysconfig.get_paths()["include"] + "/Python.h")' || echo "$debian-dev"
    command -v "${CXX:-g++}" >/dev/null || echo g++
}

install_packages() { # install_packages NAME ...: as root, or by sudo where $apt is set
    local line="apt-get update && sudo apt-get install -y $*" sudo=()
    command -v apt-get >/dev/null || fail "not installed: $*" "install what Debian names so with this system's own tool"
    if [ "$(id -u)" != 0 ]; then
        sudo=(sudo)
        [ -n "$dry" ] || command -v sudo >/dev/null || fail "not installed: $*" "su -c '${line/sudo /}'"
        [ -n "$apt$dry" ] || fail "not installed: $*" "sudo $line"
    fi
    echo "installing $* ..."
    attempt "apt-get cannot read its lists" "${sudo[@]}" apt-get -qq update
    attempt "apt-get cannot install $*" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@"
}

installed() { # installed NAME ...: whether dpkg has all of them
    local states
    states=$(dpkg-query -W -f '${db:Status-Status} ' "$@" 2>/dev/null) && [ -z "${states//installed /}" ]
}

require_packages() { # require_packages COMMAND: installs what it names, and asks it again
    local lacking
    mapfile -t lacking < <("$1")
    [ ${#lacking[@]} != 0 ] || return 0
    installed "${lacking[@]}" || install_packages "${lacking[@]}"
    [ -z "$dry" ] || return 0
    mapfile -t lacking < <("$1")
    [ ${#lacking[@]} = 0 ] ||
        fail "$(command -v "$python") sees nothing of these packages: ${lacking[*]}" "PYTHON=/usr/bin/python3 $0"
}

as_the_caller() { # what sudo was for is done; the rest belongs to the one who typed it
    if [ "$(id -u)" = 0 ] && [ "$(stat -c %u .)" = "${SUDO_UID:-0}" ] && [ "${SUDO_UID:-0}" != 0 ]; then
        exec sudo -EH -u "$SUDO_USER" "tools/${0##*/}" "${arguments[@]}"
    fi
}

make_venv() { # sets $venv
    venv=${EDGE_VENV:-.venv${PYTHON:+-${debian#python}}}
    [ -w . ] || [ -n "${EDGE_VENV:-}" ] || fail "this checkout cannot be written to: $PWD" \
        "EDGE_VENV=~/edge $0 puts the environment there, and a copy of the checkout"
    [ -z "${EDGE_VENV:-}" ] || [ -e "$venv/.lock" ] || [ -e "$venv/pyvenv.cfg" ] ||
        [ -z "$(ls -A "$venv" 2>/dev/null)" ] || fail "$venv holds other files" "EDGE_VENV=$venv/edge $0"
    [ -n "$dry" ] || take_turns
    if "$venv/bin/pip" --version >/dev/null 2>&1; then # neither half made nor moved
        [ -z "$jetson" ] || ! grep -q '^include-system-site-packages = false' "$venv/pyvenv.cfg" ||
            fail "$venv does not see the system's OpenCV and TensorRT" "rm -r $venv, then run this again"
        return 0
    fi
    [ -n "$dry" ] || rm -rf "${venv:?}"/{bin,include,lib,lib64,share,pyvenv.cfg,installed,pycuda}
    attempt "no virtual environment can be made in $venv" "$python" -m venv ${jetson:+--system-site-packages} "$venv"
}

take_turns() { # one run at a time, and none beside what a killed one has left running
    mkdir -p "$venv" 2>/dev/null && [ -w "$venv" ] || fail "$venv cannot be written to" "EDGE_VENV=~/edge $0"
    exec 9>>"$venv/.lock"
    flock -n 9 || { echo "waiting for another run to end ..." && flock 9; }
}

copy_checkout() { # where this one is read-only
    local copy=$venv/checkout
    [ ! -w . ] && [ -z "$dry" ] || return 0
    echo "this checkout cannot be written to: working in $copy"
    rm -rf "$copy.new" && mkdir "$copy.new"
    tar -c --exclude='./.git' --exclude='./.venv*' --exclude='./out' --exclude='*.so' . |
        tar -x --no-same-owner -C "$copy.new"
    chmod -R u+w "$copy.new"
    mv "$copy"/edge_runtime/native/_core*.so "$copy.new/edge_runtime/native/" 2>/dev/null || true # compiled before
    rm -rf "$copy" && mv "$copy.new" "$copy"
    export EDGE_SHARED=${EDGE_SHARED:-$PWD/../shared}
    cd "$copy" || exit 1
}

pip() { attempt "pip cannot install ${*: -1}" "$venv/bin/python" -m pip install -q "$@"; }

imports() { "$venv/bin/python" -c "import $1" >/dev/null 2>&1; }
loads_numpy() { imports 'cv2, numpy; cv2.resize(numpy.zeros((2, 2, 3), "uint8"), (4, 4))'; }

pin_numpy() { # the newest numpy that the system's OpenCV loads: OpenCV itself is asked
    for numpy in numpy 'numpy<2'; do
        pip -U "$numpy"
        [ -z "$dry" ] && ! loads_numpy || return 0
    done
    fail "the system's OpenCV loads neither with numpy 2 nor with numpy 1" "$venv/bin/python -c 'import cv2' says why"
}

freshen() { # what everything else is installed with; once
    [ -z "$numpy" ] || return 0
    numpy=numpy
    pip -U pip 'setuptools>=64' wheel 'pybind11>=2.12'
    [ -z "$opencv" ] || pin_numpy
}

find_opencv() { # sets $opencv: where the system has one, and since when
    opencv=$("$python" -c '
import importlib.util, os
at = importlib.util.find_spec("cv2").origin
print(at, os.stat(at).st_mtime)' 2>/dev/null) || opencv=$dry # which would have installed it
}

prepare() { # prepare COMMAND: an environment, and the packages of the system that COMMAND names
    find_python
    require_packages "$1"
    as_the_caller
    make_venv
    copy_checkout
    [ -z "$jetson" ] || find_opencv # elsewhere it is pip's
}

finish() { # finish EXTRAS: this checkout in the environment
    local extras=$1 key
    [ -z "$opencv" ] || extras=${extras/#cpu/video}
    key=$({ echo "$PWD $opencv" && cat pyproject.toml setup.py edge_runtime/__init__.py edge_runtime/native/csrc/*; } | sha256sum)
    key=${key:0:16}
    if grep -qsxF "$key $extras" "$venv/installed" && { [ -z "$opencv" ] || loads_numpy; }; then
        exec 9<&-
        return
    fi
    echo "installing edge-runtime${extras:+ with [$extras]} into $venv ..."
    freshen
    if [ -n "$opencv" ] && ! imports onnxruntime; then # NVIDIA's own may be there
        pip "$numpy" onnxruntime
    fi
    PYTHONWARNINGS=ignore pip "$numpy" -e ".${extras:+[$extras]}"
    [ -z "$dry" ] || return 0
    grep -qs "^$key " "$venv/installed" || : >"$venv/installed"
    echo "$key $extras" >>"$venv/installed"
    exec 9<&-
}

setup() {
    prepare missing
    finish "$1"
}

export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
arguments=("$@") dry="" apt="" numpy="" jetson="" opencv=""
[ ! -e "${EDGE_SYSROOT:-}/etc/nv_tegra_release" ] || jetson=yes
[[ ${PYTHON:-} != */* ]] || PYTHON=$(realpath -ms "$PYTHON") # both as seen from where the caller stands
[ -z "${EDGE_VENV:-}" ] || EDGE_VENV=$(realpath -ms "$EDGE_VENV")
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
