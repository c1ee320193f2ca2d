#!/usr/bin/env bash
# Stands for apt-get, sudo, python3, g++, nvcc and the others of a machine, by the name that it is called by. $STATE is a
# folder: `packages` lists what is installed, `blind` what Python does not see of it, and `log` gets each call. `breaks`
# may hold "PATTERN|CODE|WORDS": the first call that matches says WORDS and ends with CODE. A package that is installed
# puts its commands into $STATE/bin.
name=${0##*/}
call="$name $*"
echo "$call" >>"$STATE/log"
if [ -e "$STATE/breaks" ]; then
    IFS='|' read -r pattern code words <"$STATE/breaks"
    # shellcheck disable=SC2053 # a pattern
    if [[ $call == $pattern ]]; then
        rm "$STATE/breaks"
        echo "$words" >&2
        exit "$code"
    fi
fi

installed() { grep -qxF "$1" "$STATE/packages"; }
has() { installed "$1" && ! grep -qsxF "$1" "$STATE/blind"; }
place() { ln -sf "$(realpath "$0")" "$1"; }

install() {
    local package
    for package in "$@"; do
        echo "$package" >>"$STATE/packages"
        case $package in
            g++ | python3 | python3.*[0-9]) place "$STATE/bin/$package" ;;
            cuda-toolkit-*) toolkit "${package#cuda-toolkit-}" ;;
        esac
    done
}

toolkit() { # toolkit 12-6
    local folder=$STATE/tree/usr/local/cuda-${1/-/.}
    mkdir -p "$folder/bin" "$folder/include" "$folder/lib64/stubs"
    place "$folder/bin/nvcc"
    touch "$folder"/include/{cuda,curand}.h "$folder/lib64/libcurand.so" "$folder/lib64/stubs/libcuda.so"
}

finds() { # finds FILE FOLDERS: whether one of them has it
    local folder
    while IFS= read -r folder; do
        [ ! -e "$folder/$1" ] || return 0
    done < <(tr : '\n' <<<"$2")
    return 1
}

code() { # what `python -c` answers, by what the scripts ask
    local debian=$name
    [ "$name" != python ] || debian=python3
    case $1 in
        *"version_info < (3, 8)"*) [ "$debian $(cat "$STATE/version")" != "python3 3.6" ] ;;
        *'"python%d.%d"'*) [ "$debian" = python3 ] && echo "python$(cat "$STATE/version")" || echo "$debian" ;;
        *ensurepip*) has "$debian-venv" ;;
        *Python.h*) has "$debian-dev" ;;
        *'find_spec("cv2").origin'*) { has libopencv-python || has python3-opencv; } && echo /usr/lib/cv2.so 1.0 ;;
        *"find_spec('tensorrt')"*) has python3-libnvinfer ;;
        "import tensorrt") has nvidia-l4t-dla-compiler || echo "ImportError: libnvdla_compiler.so: cannot open" >&2 ;;
        *"find_spec('cv2')"*) has libopencv-python || has python3-opencv ;;
        *"find_spec('gi')"*) has python3-gi ;;
        *require_version*) has gir1.2-gstreamer-1.0 ;;
        *"import cv2, numpy"*) ! grep -qsx loading "$STATE/blind" && { [ ! -e "$STATE/opencv_of_numpy1" ] || grep -qx 'numpy<2' "$STATE/numpy"; } ;;
        "import onnxruntime" | "import pycuda") has "${1#import }" ;;
        *) echo "the stand-in does not know: $1" >&2 && return 99 ;;
    esac
}

pip() {
    local last=${*: -1}
    case "$1 $last" in
        "install numpy"*) echo "$last" >"$STATE/numpy" ;;
        "install onnxruntime") echo onnxruntime >>"$STATE/packages" ;;
        "install pycuda" | "install "*/pycuda-*) echo pycuda >>"$STATE/packages" && echo "with $(command -v nvcc)" >>"$STATE/log" ;;
        "install ."*) place "$(dirname "$0")/edge-doctor" && place "$(dirname "$0")/edge-detect" ;;
        "download pycuda")
            mkdir -p "$STATE/pycuda-1" "${*: -2:1}"
            tar -czf "${*: -2:1}/pycuda-1.tar.gz" -C "$STATE" pycuda-1
            ;;
    esac
}

case $call in
    "id -u") cat "$STATE/uid" ;;
    "sudo -EH -u "*) echo 1000 >"$STATE/uid" && exec "${@:4}" ;;
    sudo*) "$@" ;;
    apt-get*" install "*)
        while [ "$1" != install ]; do shift; done
        install "${@:2}"
        ;;
    apt-get*) ;;
    "dpkg-query -W -f \${Version} "*) grep -m1 "^$4 " "$STATE/versions" | cut -d' ' -f2 | grep . ;;
    dpkg-query*) for package in "${@:4}"; do installed "$package" && printf 'installed ' || exit 1; done ;;
    g++*)
        header=$(sed -n 's/^#include <\(.*\)>/\1/p')
        library=${call#* -l} && library=lib${library%% *}.so
        finds "$header" "${CPATH:-}" || { echo "<stdin>:1:10: fatal error: $header: No such file or directory" && exit 1; }
        finds "$library" "${LIBRARY_PATH:-}" || { echo "/usr/bin/ld: cannot find $library: No such file" && exit 1; }
        ;;
    nvcc*) folder=$(realpath -s "${0%/bin/nvcc}") && echo "Cuda compilation tools, release ${folder##*cuda-}, V1" ;;
    pip*) ;;
    python*" -V") echo "Python $(cat "$STATE/version").0" ;;
    python*" -c "*) code "$2" ;;
    python*" -m venv "*)
        mkdir -p "${*: -1}/bin"
        place "${*: -1}/bin/python" && place "${*: -1}/bin/pip"
        [[ $call == *--system-site-packages* ]] && seen=true || seen=false
        echo "include-system-site-packages = $seen" >"${*: -1}/pyvenv.cfg"
        ;;
    python*" -m pip "*) pip "${@:3}" ;;
    edge-*) ;;
    *) echo "the stand-in does not know: $call" >&2 && exit 99 ;;
esac
