#!/usr/bin/env bash
# Checks docker/ without Docker: sudo tools/docker_check.sh
#
# hadolint and shellcheck read the files, where they are installed. Then the RUN lines of Dockerfile.x86 are run in a
# chroot of Debian, whose Python stands in for that of the base image, and the image's health check as the image's user.
# The chroot is removed at the end (KEEP=1 keeps it).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
file=docker/Dockerfile.x86 suite=bookworm

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

for check in "hadolint docker/Dockerfile.x86 docker/Dockerfile.jetpack5 docker/Dockerfile.jetpack6 docker/Dockerfile.jetpack7" \
    "shellcheck docker/run.sh tools/aarch64.sh tools/docker_check.sh"; do
    if command -v "${check%% *}" >/dev/null; then
        echo "== $check"
        $check
    else
        echo "== ${check%% *} is not installed: skipped"
    fi
done

command -v debootstrap >/dev/null || fail "no debootstrap here" "sudo apt install debootstrap"
[ "$(id -u)" = 0 ] || fail "chroot is root's alone" "sudo $0"

root=$(mktemp -d)
[ -n "${KEEP:-}" ] || trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"

echo "== Debian $suite in $root"
debootstrap --variant=minbase --include=python3,python3-venv,python3-dev,ca-certificates "$suite" "$root" \
    >"$root.log" || fail "debootstrap failed" "$root.log says why"
rm "$root.log"

# The caller's way to the network: names, certificates, and what pip is told.
for config in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$config" ] || cp -L "$config" "$root$config"
done
network=()
while IFS= read -r -d '' variable; do
    case $variable in
        PIP_* | [a-zA-Z]*_proxy=* | [A-Z]*_PROXY=*) network+=("$variable") ;;
    esac
done < <(env -0)
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
enter() { # enter [--userspec=USER] COMMAND ...: with nothing of the caller's environment but its network
    local as=()
    case $1 in --userspec=*) as=("$1") && shift ;; esac
    chroot "${as[@]+"${as[@]}"}" "$root" env -i "PATH=$path" HOME=/tmp LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PIP_ROOT_USER_ACTION=ignore "${network[@]+"${network[@]}"}" "$@"
}

# All stages are this one chroot, so that COPY --from has nothing to do. The other COPY lines bring what is not ignored.
mkdir "$root/src"
sed -n 's/^!//p' "$file.dockerignore" | xargs cp -r -t "$root/src"
find "$root/src" -name '*.so' -delete
sed -e '/^ *#/d' -e ':join; /\\$/{N; s/\\\n */ /; b join}' "$file" | sed -n 's/^RUN *//p' >"$root/steps"
while IFS= read -r step; do
    echo "== RUN $step"
    enter sh -ec "$step" </dev/null >"$root/log" 2>&1 || { tail -20 "$root/log" && fail "that failed" "see above"; }
done <"$root/steps"

path=$(sed -n 's/^ENV PATH=\(.*\):[$]PATH/\1/p' "$file"):$path
user=$(sed -n 's/^USER *//p' "$file")
health=$(sed -n 's/^HEALTHCHECK.*CMD *//p' "$file" | tr -d '[],"')
echo "== as user $user: $health"
# shellcheck disable=SC2086 # words
enter --userspec="$user" $health
