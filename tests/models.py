"""The small models and pictures in tests/data, which tools/make_test_models.py writes."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
MODELS = DATA / "models"
FLOAT = sorted(path for path in MODELS.glob("*.onnx") if not path.stem.endswith("_int8"))
INT8 = sorted(MODELS.glob("*_int8.onnx"))
PICTURES = sorted(DATA.glob("shapes*.png"))
