#!/usr/bin/env bash
# Sets everything up and runs the main job: boxes drawn into a video. tools/demo.sh [edge-detect arguments]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

model=${EDGE_SHARED:-../shared}/models/fastestdet/FastestDet.onnx
[ -f "$model" ] || fail "no model to show: $model is not there" "run edge-detect --engine YOURS.onnx --source demo"

setup cpu,demo
# 0.65, because this model's scores, objectness^0.6 * class^0.4, run high.
echo "detecting with FastestDet ($model), as this project ships no trained model yet"
mkdir -p out
"$venv/bin/edge-detect" --source demo --engine "$model" \
    --family fastestdet --labels coco --resize stretch --color bgr --mean 0,0,0 --std 255,255,255 --conf 0.65 \
    --output out/demo.mp4 --output out/demo.jsonl "$@"
echo "boxes are drawn in out/demo.mp4 and listed in out/demo.jsonl"
