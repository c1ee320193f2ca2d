#!/usr/bin/env bash
# Checks docker/ without Docker: sudo tools/docker_check.sh [x86|jetpack5|jetpack6|jetpack7 ...], default all four
#
# hadolint and shellcheck read the files, where they are installed. Then each Dockerfile's RUN lines are run in a chroot
# of Debian, whose Python stands in for the base image's, and the image's health check as the image's user. NVIDIA's
# packages are stood in for by empty ones of the same names, its OpenCV by pip's of the same version; PyCUDA is left out.
# pip is asked whether it finds the other wheels for the board's own Python on ARM. The chroots are removed at the end
# (KEEP=1 keeps them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
declare -A suites=([x86]=bookworm [jetpack5]=bullseye [jetpack6]=bookworm [jetpack7]=bookworm)
declare -A boards=([jetpack5]="3.8 31" [jetpack6]="3.10 35" [jetpack7]="3.12 39") # Python, and glibc 2.x
declare -A opencv=([jetpack5]=4.5.4.60 [jetpack6]=4.8.0.76 [jetpack7]=4.8.0.76)
nvidia=(cuda-toolkit-13-2 libopencv-python nvidia-l4t-dla-compiler nvidia-l4t-gstreamer nvidia-opencv-dev
    nvidia-tensorrt-dev python3-libnvinfer)
[ $# -gt 0 ] || set -- x86 jetpack5 jetpack6 jetpack7

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

for name; do
    [ -n "${suites[$name]-}" ] || fail "there is no docker/Dockerfile.$name" "${!suites[*]}"
done
PATH=$PWD/.venv/bin:$PATH
for check in "hadolint docker/Dockerfile.x86 docker/Dockerfile.jetpack5 docker/Dockerfile.jetpack6 docker/Dockerfile.jetpack7" \
    "shellcheck docker/run.sh docker/l4t_source.sh tools/aarch64.sh tools/docker_check.sh"; do
    if command -v "${check%% *}" >/dev/null; then
        echo "== $check"
        $check
    else
        echo "== ${check%% *} is not installed: skipped"
    fi
done

command -v debootstrap >/dev/null || fail "no debootstrap here" "sudo apt install debootstrap"
[ "$(id -u)" = 0 ] || fail "chroot is root's alone" "sudo $0"
work=$(mktemp -d)
[ -n "${KEEP:-}" ] || trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"

# The caller's way to the network: what pip is told, and proxies.
network=()
while IFS= read -r -d '' variable; do
    case $variable in
        PIP_* | [a-zA-Z]*_proxy=* | [A-Z]*_PROXY=*) network+=("$variable") ;;
    esac
done < <(env -0)
# EDGE_BUILD_JOBS: Python's pools want /dev/shm, which a container has and a chroot has not.
enter() { # enter [--userspec=USER] COMMAND ...: with nothing of the caller's environment but its network
    local as=()
    case $1 in --userspec=*) as=("$1") && shift ;; esac
    chroot "${as[@]+"${as[@]}"}" "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/tmp LC_ALL=C.UTF-8 PIP_ROOT_USER_ACTION=ignore EDGE_BUILD_JOBS=1 "${network[@]+"${network[@]}"}" "$@"
}
quietly() { # quietly WHAT COMMAND ...: its output only where it fails
    echo "== $1"
    "${@:2}" </dev/null >"$root.log" 2>&1 || { tail -20 "$root.log" && fail "that failed" "see above"; }
}

debian() { # debian SUITE: in $root
    quietly "Debian $1 in $root" debootstrap --variant=minbase --include=python3,python3-venv,python3-dev,ca-certificates \
        "$1" "$root"
    for config in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$config" ] || cp -L "$config" "$root$config"
    done
    cp /proc/cpuinfo "$root/proc/" # ONNX Runtime complains without
}

standins() { # standins IMAGE: packages from a source that docker/l4t_source.sh takes for NVIDIA's, and modules
    local name folder=$root/opt/standins package=$root.package
    mkdir -p "$folder"
    for name in "${nvidia[@]}"; do
        mkdir -p "$package/DEBIAN"
        printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: stand-in\n' \
            "$name" >"$package/DEBIAN/control"
        [ "$name" != libopencv-python ] || echo "Depends: python3-numpy" >>"$package/DEBIAN/control"
        dpkg-deb --build "$package" "$folder/$name.deb" >/dev/null
        cat "$package/DEBIAN/control" - <<<"Filename: ./$name.deb" >>"$folder/Packages"
        printf 'Size: %s\nSHA256: %s\n\n' "$(stat -c %s "$folder/$name.deb")" \
            "$(sha256sum <"$folder/$name.deb" | cut -d' ' -f1)" >>"$folder/Packages"
        rm -r "$package"
    done
    echo "deb [trusted=yes] file:/opt/standins ./ # for repo.download.nvidia.com/jetson" >"$root/etc/apt/sources.list.d/standins.list"
    enter python3 -m venv /tmp/pip
    quietly "OpenCV ${opencv[$1]}" enter /tmp/pip/bin/pip install --no-deps --target /usr/lib/python3/dist-packages \
        "opencv-python-headless==${opencv[$1]}"
    modules=("$root"/usr/lib/python3/dist-packages/{tensorrt,pycuda})
    mkdir -p "${modules[@]}"
    touch "${modules[@]/%//__init__.py}"
}

image() { # image NAME: the instructions of its Dockerfile, all stages in one chroot, so that COPY --from has nothing to do
    local file=docker/Dockerfile.$1 word rest stage=last user=root now=""
    local -A before=() # what each stage has set, for those that build on it
    mkdir "$root/src"
    sed -n 's/^!//p' "$file.dockerignore" | xargs cp -r --parents -t "$root/src"
    find "$root/src" -name '*.so' -delete
    sed -e '/^ *#/d' -e ':join; /\\$/{N; s/\\\n */ /; b join}' "$file" >"$root.steps"
    while read -r word rest <&3; do
        case $word in
            FROM) now=${before[${rest%% *}]-} stage=${rest##* } ;;
            ENV | ARG) now+="export $rest; " ;;
            WORKDIR) mkdir -p "$root$rest" && now+="cd $rest; " ;;
            USER) user=$rest ;;
            RUN) quietly "RUN $rest" enter sh -ec "$now ${rest//\[tensorrt\]/}" ;;
            HEALTHCHECK) health=$(tr -d '[],"' <<<"${rest#*CMD }") ;;
        esac
        before[$stage]=$now
    done 3<"$root.steps"
    [ "$1" = x86 ] || rm -r "${modules[@]}"
    echo "== as user $user: $health"
    enter --userspec="$user" sh -ec "$now $health"
}

wheels() { # wheels PYTHON GLIBC: whether pip finds them for that Python on ARM
    local tags=(--platform manylinux2014_aarch64) minor
    for minor in $(seq 17 "$2"); do
        tags+=(--platform "manylinux_2_${minor}_aarch64")
    done
    enter /opt/edge/bin/python -c 'from importlib.metadata import requires
print(*(need for need in requires("edge-runtime") if "extra ==" not in need), sep="\n")' >"$root/tmp/needs"
    quietly "wheels for Python $1 on ARM" enter /opt/edge/bin/pip install --dry-run --ignore-installed --target /tmp/arm \
        --python-version "$1" --only-binary :all: "${tags[@]}" -r /tmp/needs onnxruntime 'av>=12.3' 'numpy<2'
    grep '^Would install' "$root.log"
}

for name; do
    echo "== docker/Dockerfile.$name"
    root=$work/$name
    debian "${suites[$name]}"
    [ "$name" = x86 ] || standins "$name"
    image "$name"
    # shellcheck disable=SC2086 # two words
    [ "$name" = x86 ] || wheels ${boards[$name]}
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$root"
done
