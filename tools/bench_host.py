"""Measures what the host path costs, side by side with the usual ways, and says whether our own aims are met.

    python tools/bench_host.py                        # everything, into tools/reference/bench_host.{json,md}
    python tools/bench_host.py preprocess decode      # some sections, on the terminal (and --json FILE)

Figures of one comparison are interleaved in one run: trust their ratios first, then the minimum; medians move with the
machine's other load.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from bench import clip, decode, flat, parts, peers, pipeline, preprocess, report, tuned
from bench.report import Table
from bench.timing import Settings

from edge_runtime import plugins
from edge_runtime.errors import EdgeError

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "tools" / "reference" / "bench_host.json"
SECTIONS = ("preprocess", "decode", "pipeline", "tuned", "parts", "peers", "flat")


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = _parser().parse_args(argv)
    wanted = args.sections or SECTIONS
    target = args.json or (DEFAULT if tuple(wanted) == SECTIONS else None)
    conditions = report.machine(extra=("ultralytics", "torch"))
    print(report.describe(conditions) + "\n", flush=True)
    try:
        tables = _measure(_settings(args), wanted)
    except EdgeError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return 1
    if target:
        report.save(target, "Host benchmark", conditions, tables)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default all")
    parser.add_argument("--model", action="append", default=[], help="instead of a section's own; repeatable")
    parser.add_argument("--backend", action="append", default=[], help="default: all that are installed; repeatable")
    parser.add_argument("--shared", default=ROOT.parent / "shared", help="folder with models/ (default ../shared)")
    parser.add_argument("--video", metavar="FILE", help="instead of the encoded demo")
    parser.add_argument("--rounds", type=int, default=30, help="of kernels; of windows of video a fifth as many")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a window of video")
    parser.add_argument("--frames", type=int, default=20_000, help="of the section flat")
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"default {DEFAULT.relative_to(ROOT)} for all")
    return parser


def _settings(args: argparse.Namespace) -> Settings:
    unknown = set(args.sections) - set(SECTIONS)
    if unknown:
        _parser().error(f"no section {', '.join(sorted(unknown))}: there is {', '.join(SECTIONS)}")
    backends = args.backend or installed_backends()
    return Settings(args.rounds, args.seconds, args.model, backends, str(args.shared), args.video, args.frames)


def installed_backends() -> List[str]:
    """Those that open .onnx files here, the preferred one last so that tables read from slow to fast."""
    members = [m for m in plugins.members("backends") if ".onnx" in m.HANDLES and m.available() is None]
    return [m.__name__.split(".")[-1] for m in reversed(members)]


def _measure(settings: Settings, wanted: Sequence[str]) -> List[Table]:
    tables = []
    with tempfile.TemporaryDirectory() as folder, settings.progress:
        sections = _sections(settings, Path(folder) / "demo.mp4")
        for name in wanted:
            before = report.load()
            table = sections[name]()
            table.notes.append(f"load average over 1 minute: {before[0]} before, {report.load()[0]} after.")
            print(table.markdown(), flush=True)
            tables.append(table)
    return tables


def _sections(settings: Settings, video: Path) -> Dict[str, Callable[[], Table]]:
    def on_video(run: Callable[[Settings, str, str], Table]) -> Callable[[], Table]:
        return lambda: run(settings, *_video(settings, video))

    return {
        "preprocess": lambda: preprocess.run(settings),
        "decode": lambda: decode.run(settings),
        "pipeline": on_video(pipeline.run),
        "tuned": on_video(tuned.run),
        "parts": on_video(parts.run),
        "peers": on_video(peers.run),
        "flat": lambda: flat.run(settings),
    }


def _video(settings: Settings, video: Path) -> Sequence[str]:
    if settings.video:
        return settings.video, Path(settings.video).name
    codec = clip.encode(video)
    return str(video), f"the demo, 300 frames of 1280x720, {codec}"


if __name__ == "__main__":
    sys.exit(main())
