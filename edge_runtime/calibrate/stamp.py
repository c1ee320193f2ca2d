"""A verdict in the metadata of the file that it is about. A verdict of another network is never taken for its own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Optional

from edge_runtime.accuracy.evidence import AGREEMENT, Evidence
from edge_runtime.model.spec import (
    AGREEMENT_KEY,
    DROP_KEY,
    EVIDENCE_KEY,
    METADATA_KEY,
    RANGES_KEY,
    VERDICT_KEYS,
)

if TYPE_CHECKING:
    import onnx


def write_verdict(model: onnx.ModelProto, sentence: str, evidence: Optional[Evidence]) -> None:
    """Puts a verdict into a model's metadata, in place of an older one.

    Args:
        sentence: the verdict for people.
        evidence: what it rests on; None if nothing was compared. Without a box in it, no loss is written.
    """
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in VERDICT_KEYS]
    kept.append(("verdict", sentence))
    if evidence is not None and evidence.boxes:
        kept.append((AGREEMENT_KEY if evidence.metric == AGREEMENT else DROP_KEY, f"{evidence.drop:.2f}"))
    if evidence is not None:
        kept.append((EVIDENCE_KEY, json.dumps({**json.loads(evidence.to_json()), "of": digest(model)})))
    del model.metadata_props[:]
    for key, value in kept:
        model.metadata_props.add(key=key, value=value)


def read_evidence(model: onnx.ModelProto, path: str) -> Optional[Evidence]:
    """Returns what the verdict in a model rests on. None if there is no verdict, or it is of another network.

    Raises:
        ModelError: what is there is damaged.
    """
    text = next((entry.value for entry in model.metadata_props if entry.key == EVIDENCE_KEY), None)
    if text is None:
        return None
    found = Evidence.from_json(text, f"verdict in {path}: ")
    return found if json.loads(text).get("of") == digest(model) else None


def digest(model: onnx.ModelProto) -> str:
    """SHA-256 of the network, of how pictures are prepared for it, and of its ranges."""
    known = {entry.key: entry.value for entry in model.metadata_props}
    seen = hashlib.sha256(model.graph.SerializeToString(deterministic=True))
    seen.update(json.dumps([known.get(METADATA_KEY), known.get(RANGES_KEY)]).encode())
    return seen.hexdigest()
