"""What a run did, as plain data."""

from __future__ import annotations

from typing import Any, Dict

from edge_runtime.loop.ends import Ends
from edge_runtime.loop.outbox import summaries
from edge_runtime.loop.run import Run
from edge_runtime.sources import states


def of(run: Run, ends: Ends, gated: bool) -> Dict[str, Any]:
    """See `Pipeline.summary`."""
    tracking = run.detecting.trackers.summary()
    monitor, watch = run.monitor, run.detecting.watch
    gate = {"gated": monitor.gated, "inferred": monitor.frames - monitor.gated}
    recorded = {} if run.recorder is None else {"recordings": run.recorder.summary()}
    return {
        "backend": run.detecting.turns.backend.description,
        **monitor.summary(),
        "streams": run.streams.summary(),
        **({"tracking": tracking} if tracking or run.rules.tracks else {}),
        **({"motion_gate": gate} if gated else {}),
        "not_finite": {"frames": watch.bad, "looked_at": watch.looked},
        "states": states(list(ends.sources)),
        "dropped": run.streams.dropped,
        "sinks": summaries(list(run.outputs.boxes)),
        "skipped": [item for source in list(ends.sources) for item in source.skipped],
        "failed": ends.failed,
        "left_behind": ends.left_behind,
        **recorded,
    }
