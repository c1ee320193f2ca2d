"""`python -m edge_runtime detect …` is edge-detect, and so on for each command; alone, and with flags, edge-doctor."""

import sys
from importlib import import_module

COMMANDS = (
    "audit", "bench", "build", "calibrate", "detect", "doctor", "eval", "identify", "plan", "power", "replay", "zoo",
)  # fmt: skip

command = sys.argv.pop(1) if sys.argv[1:2] and sys.argv[1] in COMMANDS else "doctor"
sys.exit(import_module(f"edge_runtime.cli.{command}").main())
