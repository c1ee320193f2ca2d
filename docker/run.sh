#!/usr/bin/env bash
# Runs a command in the container for this machine, with its cameras, at a power mode that is set on the host:
#
#     docker/run.sh [flags] -- edge-detect --camera 0 --engine nano_int8.plan
#     docker/run.sh --power-modes 15W,30W bench --engine nano_int8.plan --output out.json
#     docker/run.sh --build              builds the image for this machine
#
#     --image NAME         default edge-runtime:jetpack5|6|7 by the board, edge-runtime:x86 elsewhere
#     --camera N           gives /dev/videoN to the container; may be repeated
#     --power-mode MODE    sets it for this run and puts back what was there before, also after Ctrl-C or an error
#     --power-modes A,B    runs `bench` once per mode; the rows of all go to its --output, those of one beside it
#     --jetson-clocks      holds the clocks at the mode's caps, too
#     --dry-run            prints the commands instead
#
# The current folder is /work in the container. Environment: DOCKER, another docker; PYTHON, the host's Python 3.8 or
# newer, which only a power mode needs; EDGE_SYSROOT, a folder that stands for /; EDGE_HOST, a command instead of
# `$PYTHON -m edge_runtime.cli.jetson`. Exits with the command's code, or 1.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
docker=${DOCKER:-docker} root=${EDGE_SYSROOT:-}
container=edge-runtime-$$
image="" modes="" sweep="" clocks="" build="" dry="" child="" running="" facts=""
cameras=() arguments=("$@")

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit "${3:-1}"
}

usage() { fail "$1" "$0 --help" 2; }

while [ $# -gt 0 ]; do
    case $1 in
        --image | --camera | --power-mode | --power-modes) [ $# -gt 1 ] || usage "$1 needs a value" ;;&
        --image) image=$2 && shift ;;
        --camera) cameras+=("${2#/dev/video}") && shift ;;
        --power-mode) modes=$2 && shift ;;
        --power-modes) modes=$2 sweep=yes && shift ;;
        --jetson-clocks) clocks=--jetson-clocks ;;
        --build) build=yes ;;
        --dry-run) dry=yes ;;
        -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit ;;
        --) shift && break ;;
        -*) usage "unknown flag $1" ;;
        *) break ;;
    esac
    shift
done
[ -n "$build" ] || [ $# -gt 0 ] || usage "no command"
[ -z "$build" ] || [ -z "$modes$clocks${cameras[*]-}$*" ] || usage "--build goes with --image and --dry-run only"
[ -z "$clocks" ] || [ -n "$modes" ] || usage "--jetson-clocks goes with a power mode"
[[ ${1-} != @(bench|detect) ]] || set -- "edge-$1" "${@:2}"
for camera in "${cameras[@]+"${cameras[@]}"}"; do
    [ -e "$root/dev/video$camera" ] || fail "no camera $camera: /dev/video$camera is not there" "ls /dev/video*"
done

json="" # of a sweep: where all rows go
bench=() # and edge-bench's other arguments
if [ -n "$sweep" ]; then
    [ "$1" = edge-bench ] || usage "--power-modes runs bench, not $1"
    while [ $# -gt 0 ]; do
        case $1 in
            -o | --output) [ $# -gt 1 ] || usage "$1 needs a file" && json=$2 && shift ;;
            --output=*) json=${1#--output=} ;;
            *) bench+=("$1") ;;
        esac
        shift
    done
    case $json in
        "" | -) usage "--power-modes needs --output FILE.json" ;;
        /* | *..*) usage "--output $json is not below this folder, which is all that the container sees" ;;
    esac
fi

# Found as edge_runtime/jetson/board.py does.
release=$(sed -n '1s/^# R\([0-9]*\) .*/\1/p' "$root/etc/nv_tegra_release" 2>/dev/null || true)
[ -n "$release" ] || release=$(sed -n '/^Package: nvidia-l4t-core$/,/^$/s/^Version: \([0-9]*\)\..*/\1/p' \
    "$root/var/lib/dpkg/status" 2>/dev/null || true)
tree=$root/proc/device-tree
[ -n "$release" ] || ! grep -qs 'nvidia,tegra[0-9]' "$tree/compatible" || release="of an unknown release"
case $release in
    "") board=x86 ;;
    35) board=jetpack5 ;;
    36) board=jetpack6 ;;
    38 | 39) board=jetpack7 ;;
    *) board="" ;;
esac
if [ -z "$board" ] && { [ -n "$build" ] || [ -z "$image" ]; }; then
    fail "Jetson Linux $release is not supported: the images are for JetPack 5, 6 and 7" \
        "--image NAME runs one of your own; docker/README.md says what it needs"
fi
image=${image:-edge-runtime:$board}
[ -n "$dry" ] || command -v "$docker" >/dev/null || fail "no $docker here" "docker/README.md says how to install it"
case "$board ${arguments[*]}" in
    x86*) ;;
    *csi:*) [ -e "$root/tmp/argus_socket" ] ||
        fail "no CSI camera: nvargus-daemon is not running" "sudo systemctl restart nvargus-daemon" ;;
esac

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/edge-runtime
[ -n "$dry" ] || mkdir -p "$cache" # else Docker would, as root

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; }
find_python() { # of the host: JetPack 4's python3 is 3.6, but it has a package python3.8
    local name names=(python3 python3.{13,12,11,10,9,8}) missing="no Python 3.8 or newer here, which sets power modes"
    [ -z "${PYTHON:-}" ] || names=("$PYTHON") missing="PYTHON=$PYTHON is not a Python 3.8 or newer, which sets power modes"
    for name in "${names[@]}"; do
        ! new_enough "$name" || { command -v "$name" && return; }
    done
    [ "$release" = 32 ] || command -v python3 >/dev/null && name=python3.8 || name=python3 # where the system's is too old
    fail "$missing" "sudo apt install $name"
}
if [ -n "$modes" ] && [ -z "${EDGE_HOST:-}" ]; then
    python=$(find_python)
    host=("$python" -B -m edge_runtime.cli.jetson)
else
    read -ra host <<<"${EDGE_HOST:-}"
fi

# Root writes the mode; from the beginning, so that no password is asked for when it is to be put back.
if [ -n "$modes" ] && [ -z "$root$dry" ] && [ "$(id -u)" != 0 ]; then
    exec sudo env DOCKER="$docker" PYTHON="${python:-}" EDGE_HOST="${EDGE_HOST:-}" XDG_CACHE_HOME="${cache%/*}" "${BASH_SOURCE[0]}" "${arguments[@]}"
fi

cleanup() {
    local code=$?
    trap '' INT TERM HUP
    if [ -n "$running" ]; then # killing the client alone would leave the container behind
        "$docker" stop -t 10 "$container" >/dev/null 2>&1 || true
    fi
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    [ -z "$modes" ] || on_host restore --owner $$ || code=$((code ? code : 1)) # what another run holds is left alone
    [ -z "$facts" ] || rm -r "$facts"
    exit "$code"
}
exec 3>&1
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

attend() { # runs a command so that a signal is heard at once; bash would wait for it to end
    local code=0
    if [ -n "$dry" ]; then
        { printf '%q ' "$@" && echo; } >&3
        return
    fi
    "$@" <&0 3>&- &
    child=$!
    wait "$child" || code=$?
    child=""
    return "$code"
}

on_host() { attend env PYTHONPATH="$repository" "${host[@]}" "$@" >&2; } # stdout is the command's

gid() { { grep "^$1:" "$root/etc/group" 2>/dev/null || getent group "$1" || true; } | cut -d: -f3; }

if [ -n "$build" ]; then
    command=(env DOCKER_BUILDKIT=1 "$docker" build --network host) # Docker 28 has no other on JetPack: moby issue 49557
    render=$(gid render)
    [ "$board" = x86 ] || [ -z "$render" ] || command+=(--build-arg "RENDER_GID=$render")
    command+=(--file "$repository/docker/Dockerfile.$board" --tag "$image" "$repository")
    [ -n "$dry" ] || { printf '%q ' "${command[@]}" && echo; } >&2
    attend "${command[@]}"
    exit
fi

set_mode() {
    on_host set "$1" --owner $$ ${clocks:+"$clocks"} || exit # it has said why
}

flags=(--rm --init --name "$container" --network host --shm-size 1g --workdir /work --volume "$PWD:/work")
# As the caller: files that are written belong to them.
flags+=(--user "${SUDO_UID:-$(id -u)}:${SUDO_GID:-$(id -g)}" --env HOME=/tmp)
# Kernels are compiled once.
flags+=(--volume "$cache:/cache/edge-runtime" --env XDG_CACHE_HOME=/cache)
if [ -t 0 ] && [ -t 1 ]; then
    flags+=(-i -t)
fi
mount() { # mount PATH [:ro]: where it is there
    [ ! -e "$root$1" ] || flags+=(--volume "$root$1:$1${2:-}")
}
group() { # group NAME: the host's number of it, which is another on other boards
    local number
    number=$(gid "$1")
    [ -z "$number" ] || flags+=(--group-add "$number")
}
group video
group render
for camera in "${cameras[@]+"${cameras[@]}"}"; do
    flags+=(--device "$root/dev/video$camera:/dev/video$camera")
done
if [ "$board" = x86 ]; then
    if nvidia-smi >/dev/null 2>&1; then
        flags+=(--gpus all --env NVIDIA_DRIVER_CAPABILITIES=all)
    fi
else
    flags+=(--runtime nvidia --env NVIDIA_VISIBLE_DEVICES=all)
    flags+=(--env "NVIDIA_DRIVER_CAPABILITIES=compute,video,utility,graphics") # decoders: video, Argus: graphics
    mount /tmp/argus_socket # CSI cameras, which a daemon of the host drives
    mount /etc/enctune.conf
    mount /etc/nv_tegra_release :ro
    mount /var/lib/nvpmodel :ro # which mode it is
    mount /etc/nvpmodel.conf :ro
    mount /etc/nvpmodel :ro
    if [ -e "$root/run/jtop.sock" ]; then
        mount /run/jtop.sock
        group jtop
    fi
    facts=$(mktemp -d)
    for name in model compatible; do # Docker hides the device tree; board.py reads these instead
        [ -e "$tree/$name" ] || continue
        cat "$tree/$name" >"$facts/$name"
        flags+=(--volume "$facts/$name:/tmp/nv_jetson_$name:ro")
    done
    chmod -R a+rX "$facts"
fi

in_container() {
    [ -n "$dry" ] || running=yes
    local code=0
    attend "$docker" run "${flags[@]}" "$image" "$@" || code=$?
    running=""
    [ "$code" != 125 ] || echo "hint: an image not yet built: ${BASH_SOURCE[0]} --build; else see docker/README.md" >&2
    return "$code"
}

if [ -z "$sweep" ]; then
    [ -z "$modes" ] || set_mode "$modes"
    in_container "$@" || exit
    exit
fi

flags+=(--no-healthcheck) # it would take part in the measurement
parts=()
IFS=, read -ra modes <<<"$modes"
for mode in "${modes[@]}"; do
    set_mode "$mode"
    part=${json%.json}.$mode.json
    parts+=("$part")
    [ -n "$dry" ] || rm -f "$part"
    in_container "${bench[@]}" --output "$part" || { code=$? && [ -s "$part" ] || exit "$code"; } # no valid row is a result
done
in_container edge-bench merge "${parts[@]}" --output "$json"
