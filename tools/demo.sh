#!/usr/bin/env bash
# Sets everything up and runs the main job: boxes drawn into a video. tools/demo.sh [edge-detect arguments]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

setup cpu
mkdir -p out
"$venv/bin/edge-detect" --source demo --engine engines/yolo_nano_voc_int8.onnx \
    --output out/demo.mp4 --output out/demo.jsonl "$@"
echo "boxes are drawn in $PWD/out/demo.mp4 and listed in $PWD/out/demo.jsonl"
