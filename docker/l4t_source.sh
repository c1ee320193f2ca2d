#!/bin/sh
# Adds NVIDIA's packages for a release of Jetson Linux to apt, unless the base image has them: l4t_source.sh r39.2 common som
set -eu
release=$1 server=https://repo.download.nvidia.com/jetson
shift

# Some packages ask which board this is before they install, and a build has none; this file tells them not to.
mkdir -p /opt/nvidia/l4t-packages
touch /opt/nvidia/l4t-packages/.nv-l4t-disable-boot-fw-update-in-preinstall

grep -qrs "${server#https://}" /etc/apt/sources.list /etc/apt/sources.list.d && exit
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl
curl --fail --silent --show-error --location "$server/jetson-ota-public.asc" >/usr/share/keyrings/jetson-ota-public.asc
for part; do
    echo "deb [signed-by=/usr/share/keyrings/jetson-ota-public.asc] $server/$part $release main"
done >/etc/apt/sources.list.d/nvidia-l4t.list
