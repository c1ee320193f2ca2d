#!/usr/bin/env bash
# Sets a Jetson up for edge-runtime, up to edge-doctor's report: tools/jetson.sh [--apt] [--dry-run]
#
#     --apt       installs the system's packages that are missing, by sudo; root does so anyway
#     --dry-run   prints the commands, and changes nothing
#
# It makes the virtual environment .venv, which sees the system's TensorRT and OpenCV, with a numpy that this OpenCV
# loads, compiles pycuda with JetPack's CUDA, and installs ONNX Runtime (for calibrating) and this checkout.
# What is done is not done again: after an error or Ctrl-C the same command goes on. PYTHON, EDGE_VENV and EDGE_SYSROOT
# are those of setup.sh. Exits with edge-doctor's code, 1 after an error, 2 for wrong usage.
set -euo pipefail
# shellcheck source=tools/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
root=${EDGE_SYSROOT:-}

read_arguments() {
    local argument
    for argument in "$@"; do
        case $argument in
            --apt) apt=yes ;;
            --dry-run) dry=yes ;;
            -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "tools/${0##*/}" && exit ;;
            *) echo "error: unknown argument $argument" >&2 && echo "hint: $0 --help" >&2 && exit 2 ;;
        esac
    done
}

find_jetpack() { # sets $jetpack, and the version of its CUDA as packages write it
    local release package
    release=$(sed -n '1s/^# R\([0-9]*\) .*REVISION: \([0-9.]*\).*/\1.\2/p' \
        "$root/etc/nv_tegra_release" 2>/dev/null) || true
    [ -n "$release" ] || release=$(dpkg-query -W -f '${Version}' nvidia-l4t-core 2>/dev/null) || true
    jetson=yes
    case $release in
        "") fail "this is no Jetson: there is neither /etc/nv_tegra_release nor the package nvidia-l4t-core" \
            "on other machines: tools/demo.sh" ;;
        32.*) jetpack=4 toolkit=10-2 ;;
        34.* | 35.*) jetpack=5 toolkit=11-4 ;;
        36.[0-3]*) jetpack=6 toolkit=12-2 ;;
        36.*) jetpack=6 toolkit=12-6 ;;
        38.*) jetpack=7 toolkit=13-0 ;;
        39.*) jetpack=7 toolkit=13-2 ;;
        *) fail "Jetson Linux $release is not known here" \
            "JetPack 4 to 7 are: Jetson Linux 32, 34, 35, 36, 38 and 39" ;;
    esac
    package=$(dpkg-query -W -f '${Version}' nvidia-jetpack 2>/dev/null) || package=""
    echo "JetPack $jetpack${package:+ ($package)}, Jetson Linux ${release%%-*}"
}

sees() { has "import importlib.util; assert importlib.util.find_spec('$1')"; }

check_jetpack4() { # its TensorRT is compiled for a Python that is too old, on NVIDIA's own image
    find_python
    local line="sudo apt-get update && sudo apt-get install -y python3.8 python3.8-venv python3.8-dev g++"
    [ "$jetpack" != 4 ] || sees tensorrt ||
        fail "JetPack 4 has Python 3.6, and its TensorRT opens in no other; edge-runtime needs Python 3.8" \
            "Qengineering's Ubuntu 20.04 image for the Jetson Nano has both; for the CPU alone: $line, then tools/demo.sh"
}

find_cuda() { # sets $cuda: the toolkit that JetPack points at, else the newest that is whole
    local folder
    cuda=""
    while IFS= read -r folder; do
        [ -x "$folder/bin/nvcc" ] && [ -e "$folder/include/cuda.h" ] || continue
        cuda=$folder
        toolkit=$("$cuda/bin/nvcc" --version | sed -n 's/.*release \([0-9]*\)\.\([0-9]*\).*/\1-\2/p')
        return
    done < <(echo "$root/usr/local/cuda" && compgen -G "$root/usr/local/cuda-*" | sort -rV)
}

use_cuda() { # for pycuda's compiler and linker
    local driver=$root/usr/lib/aarch64-linux-gnu
    export PATH="$cuda/bin:$PATH" CPATH="$cuda/include${CPATH:+:$CPATH}"
    export LIBRARY_PATH="$cuda/lib64:$cuda/lib64/stubs:$driver/nvidia:$driver/tegra${LIBRARY_PATH:+:$LIBRARY_PATH}"
}

finds() { # finds FILE FOLDER:FOLDER ...
    local folder IFS=:
    for folder in $2; do
        [ ! -e "$folder/$1" ] || return 0
    done
    return 1
}

missing_on_jetson() {
    missing
    find_cuda
    if [ -z "$cuda" ]; then
        echo "cuda-toolkit-$toolkit" # pycuda wants nvcc and cuda.h
    else
        use_cuda && finds libcuda.so "$LIBRARY_PATH" || echo "cuda-driver-dev-$toolkit" # to link with
    fi
    sees tensorrt || echo python3-libnvinfer
    if [ "$jetpack" = 6 ] && "$python" -c 'import tensorrt' 2>&1 | grep -q libnvdla_compiler; then
        echo nvidia-l4t-dla-compiler # thin images lack it
    fi
    sees cv2 || { [ "$jetpack" = 7 ] && echo python3-opencv || echo libopencv-python; }
    sees gi || echo python3-gi # for csi://
    has 'import gi; gi.require_version("Gst", "1.0")' || echo gir1.2-gstreamer-1.0
}

links() { # links HEADER LIBRARY: whether the compiler finds both; seconds, before the minutes of compiling
    [ -n "$dry" ] ||
        "${CXX:-g++}" -shared -x c++ - "-l$2" -o /dev/null 2>&1 <<<"#include <$1>"
}

compile_pycuda() {
    local key reason source=$venv/src
    local anew=(--no-cache-dir --force-reinstall --no-deps) # not what was compiled with an earlier CUDA
    key="$("$python" -V 2>&1 || true), CUDA ${toolkit/-/.} in $cuda"
    echo "$key"
    ! { grep -qsxF "$key" "$venv/pycuda" && imports pycuda; } || return 0
    reason=$(links cuda.h cuda) || fail "pycuda cannot be compiled: $(grep -m1 -E 'cannot find|error' <<<"$reason")" \
        "sudo apt-get install -y --reinstall cuda-driver-dev-$toolkit"
    echo "compiling pycuda: some minutes ..."
    freshen
    if links curand.h curand >/dev/null; then
        pip "${anew[@]}" pycuda
    else
        echo "without cuRAND, as there is no curand.h with its library here; nothing in edge-runtime needs it"
        rm -rf "$source"
        attempt "pip cannot download pycuda" \
            "$venv/bin/python" -m pip download -q --no-deps --no-binary pycuda -d "$source" pycuda
        attempt "pycuda cannot be unpacked" tar -xf "$source"/pycuda-*.tar.gz -C "$source"
        (cd "$source"/pycuda-*/ && echo 'CUDA_ENABLE_CURAND = False' >siteconf.py)
        pip "${anew[@]}" "$source"/pycuda-*/
    fi
    [ -n "$dry" ] || echo "$key" >"$venv/pycuda"
}

read_arguments "$@"
find_jetpack
check_jetpack4
prepare missing_on_jetson
find_cuda
cuda=${cuda:-$root/usr/local/cuda} # where a dry run has not installed it
use_cuda
[ -z "$dry" ] || printf '    export %s=%q\n' PATH "$PATH" CPATH "$CPATH" LIBRARY_PATH "$LIBRARY_PATH"
compile_pycuda
finish tensorrt
[ -z "$dry" ] || exit 0
"$venv/bin/edge-doctor" ||
    fail "edge-doctor found something missing" "its report above says how to get it; then run this again"
echo "ready: . $venv/bin/activate"
