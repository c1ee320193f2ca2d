#!/usr/bin/env bash
# Sets everything up and runs every check: tools/test.sh [pytest arguments]
# With PYTHON=python3.12 only the tests run, under that interpreter and in its own environment.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

extras=cpu,eval,openvino,rtx,dev
if [ -z "${PYTHON:-}" ] && pkg-config --exists gobject-introspection-1.0 cairo 2>/dev/null; then
    extras=$extras,stream # PyGObject is compiled against the system's GStreamer
fi
setup "$extras"
if [ -z "${PYTHON:-}" ]; then
    "$venv/bin/ruff" check
    "$venv/bin/ruff" format --check
    "$venv/bin/mypy"
fi
exec "$venv/bin/pytest" -n auto "$@"
