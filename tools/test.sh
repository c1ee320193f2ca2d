#!/usr/bin/env bash
# Sets everything up and runs every check: tools/test.sh [pytest arguments]
# With PYTHON=python3.12 only the tests run, under that interpreter and in its own environment.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

setup cpu,demo,eval,openvino,rtx,dev
if [ -z "${PYTHON:-}" ]; then
    "$venv/bin/ruff" check
    "$venv/bin/ruff" format --check
    "$venv/bin/mypy"
fi
exec "$venv/bin/pytest" -n auto "$@"
