"""The fields of a row in a result file. `rows.assemble` makes these rows."""

from __future__ import annotations

from typing import Any, Dict

from edge_runtime.files import fields
from edge_runtime.files.fields import Field, optional

_NUMBER, _TEXT = fields.number(), fields.text(1 << 20)
_NUMBERS = fields.mapping(optional(_NUMBER))
_LISTED = fields.several(_TEXT)
_ACCURACY = {"metric": _TEXT, "value": _NUMBER}
_AP = {"value": fields.number(-1, 1), "samples": fields.several(_NUMBER), "boxes": fields.whole(0, 1 << 40),
       "pictures": fields.whole(0, 1 << 40), "data": _TEXT}  # fmt: skip
_AP_LATER = {
    "ap50": fields.number(-1, 1), "objects": fields.whole(0, 1 << 40),  # older files do not have them
    "name": _TEXT, "figures": fields.mapping(fields.several(fields.number(-1, 1), 3, 3)),  # of a study
}  # fmt: skip
_COUNTS = {
    **dict.fromkeys(("parameters", "conv_macs", "thop_macs", "zeros", "bytes_file"), fields.whole(0, 1 << 62)),
    **dict.fromkeys(("bytes_fp32", "bytes_fp16", "bytes_int8"), fields.whole(0, 1 << 62)),
    **dict.fromkeys(("input", "note"), _TEXT),
}  # fmt: skip
_STUDY = {
    **dict.fromkeys(("title", "system", "form", "base", "seen"), _TEXT),
    **dict.fromkeys(("published", "left_out"), _LISTED),
}
_FIGURES = (
    "fps", "fps_low", "fps_high", "fps_engine", "mean_w", "idle_w", "nominal_w", "coverage", "fps_per_watt",
    "fps_per_watt_nominal", "fps_per_watt_above_idle", "joules_per_frame", "windows_sound",
)  # fmt: skip
NEEDED: Dict[str, Field] = {
    "engine": _TEXT, "batch": fields.whole(1, 1 << 31), "streams": fields.whole(1, 1 << 31), "valid": fields.flag(),
    "reasons": _LISTED, "notes": _LISTED,
}  # fmt: skip
OF_VALID = ("fps", "fps_low", "fps_high")  # every valid row has them
KNOWN: Dict[str, Field] = {
    **NEEDED,
    **dict.fromkeys(_FIGURES, optional(_NUMBER)),
    **dict.fromkeys(
        ("mode", "board", "cpu", "l4t", "jetpack", "backend", "source", "rail", "scope", "name", "no_watts"),
        optional(_TEXT),
    ),
    **dict.fromkeys(("engine_sha256", "ranges_sha256"), optional(_TEXT)),
    "caps_verified": optional(fields.flag()),
    "accuracy": Field("a metric and its value", lambda value: _filled(value, _ACCURACY)),
    "ap": Field("an AP and its samples", lambda value: _filled(value, _given(_AP, _AP_LATER, value))),
    "counts": Field("counts of a network", lambda value: _filled(value, _given({}, _COUNTS, value))),
    "study": Field("what a study says of an engine", lambda value: _filled(value, _given({}, _STUDY, value))),
    **dict.fromkeys(("latency_ms", "rails_w", "temperatures_c", "clocks", "throttle"), _NUMBERS),
    "stage_ms": fields.mapping(_NUMBERS),
    "windows": fields.several(fields.mapping(fields.anything())),
    "trace": fields.several(_NUMBERS),
}


def _filled(value: Any, table: Dict[str, Field]) -> Dict[str, Any]:
    """Returns the value. Entries that the table names are checked; other entries stay as they are."""
    whole = fields.mapping(fields.anything()).take(value)
    absent = next((name for name in table if name not in whole), None)
    if absent:
        raise fields.Misfit(f"[{absent}]", None, table[absent].expected)
    return {**whole, **{name: fields.take(f"[{name}]", table[name], whole[name]) for name in table}}


def _given(needed: Dict[str, Field], others: Dict[str, Field], value: Any) -> Dict[str, Field]:
    """The needed fields, and those of the others that a value has."""
    there = fields.mapping(fields.anything()).take(value)
    return {**needed, **{name: field for name, field in others.items() if name in there}}


def _row(value: Any) -> Dict[str, Any]:
    there = fields.mapping(fields.anything()).take(value)
    row = _filled(there, _given(NEEDED, KNOWN, there))
    return _filled(row, dict.fromkeys(OF_VALID, _NUMBER)) if row["valid"] else row


ROWS = fields.several(Field("a row", _row))
