"""Which names of TensorRT and pycuda our code uses, in which version each exists, and what is guarded.

    python tools/trt_names.py [-o tools/reference/names.md]

What is used is derived from the source, what exists from NVIDIA's own bindings, imported over libraries that do nothing
(pip fetches them; EDGE_BUILD_PYCUDA=1 compiles pycuda). Exits with 1 where our code uses what a version lacks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Dict, FrozenSet, Iterable, List, Optional, Sequence, Set, Tuple

from bench.report import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.standins.names import bindings, pycuda_wheel, source  # noqa: E402
from tests.standins.names.bindings import PYCUDA, VERSIONS, Members  # noqa: E402
from tests.standins.names.uses import Condition, Use  # noqa: E402

Name = Tuple[str, str]
YES, NO, UNSAID = "yes", "-", "(yes)"
OLDEST = ("8.0", "8.2", "8.4", "8.5")  # no wheels: from release notes and sources
# names that came after 8.0, and those of the others that 8.0 is known to have
SINCE: Dict[str, str] = {
    "DataType.UINT8": "8.5", "TensorIOMode": "8.5",
    "ICudaEngine.num_io_tensors": "8.5", "ICudaEngine.get_tensor_name": "8.5",
    "ICudaEngine.get_tensor_mode": "8.5", "ICudaEngine.get_tensor_shape": "8.5", "ICudaEngine.get_tensor_dtype": "8.5",
    "TensorIOMode.INPUT": "8.5", "IExecutionContext.set_input_shape": "8.5",
    "IExecutionContext.set_tensor_address": "8.5", "IExecutionContext.execute_async_v3": "8.5",
    "IBuilderConfig.set_memory_pool_limit": "8.4", "MemoryPoolType": "8.4", "MemoryPoolType.WORKSPACE": "8.4",
    "ICudaEngine.create_engine_inspector": "8.2", "EngineInspector.get_engine_information": "8.2",
    "LayerInformationFormat": "8.2", "LayerInformationFormat.JSON": "8.2", "ProfilingVerbosity.DETAILED": "8.2",
}  # fmt: skip
IN_8_0 = {
    "ICudaEngine.num_bindings", "ICudaEngine.get_binding_name", "ICudaEngine.binding_is_input",
    "ICudaEngine.get_binding_shape", "ICudaEngine.get_binding_dtype", "IExecutionContext.set_binding_shape",
    "IExecutionContext.execute_async_v2", "IBuilderConfig.max_workspace_size", "Builder.build_serialized_network",
    "IBuilderConfig.create_timing_cache", "IBuilderConfig.set_timing_cache", "IBuilderConfig.get_timing_cache",
    "OnnxParser.supports_model", "ILogger", "ILogger.__init__", "ILogger.log", "ITimingCache.serialize",
    "NetworkDefinitionCreationFlag", "NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
}  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "tools" / "reference" / "names.md")
    args = parser.parse_args(argv)
    try:
        real = {version: bindings.members(version) for version in VERSIONS}
    except bindings.Unavailable as reason:
        print(f"error: {reason}\nhint: all of these versions are wanted: {', '.join(VERSIONS)}", file=sys.stderr)
        return 1
    wrong: List[str] = []
    tables = [tensorrt(real, wrong), pycuda(wrong)]
    text = "# Names of NVIDIA's libraries that our code uses\n\nWritten by `python tools/trt_names.py`.\n\n"
    args.output.write_text(text + "\n".join(table.markdown() for table in tables), encoding="utf-8")
    print("\n".join([f"{args.output} is written", *wrong]))
    return 1 if wrong else 0


def tensorrt(real: Dict[str, Members], wrong: List[str]) -> Table:
    """The table of TensorRT; what a version lacks is added to `wrong`."""
    used = source.of_tensorrt().uses
    table = Table("TensorRT", ("name", "used as", *OLDEST, *real, "only where"))
    for (owner, name), uses in by_name(used):
        there = {version: name in members.get(owner, {}) for version, members in real.items()}
        cells = [cell(f"{owner}.{name}".lstrip("."), version, there["8.6.1"]) for version in OLDEST]
        cells += [YES if there[version] else NO for version in real]
        table.rows.append((f"`{owner or 'tensorrt'}.{name}`", how(uses), *cells, guards(uses)))
    for version, members in real.items():
        faults = sorted(filter(None, (use.fault(members) for use in used if use.reached(members))))
        wrong += [f"{version}: {fault}" for fault in faults]
    table.notes = [
        "8.6.1 to 11.4 and RTX: read from the imported bindings."
        f" Uses that the code gets to in a version that lacks them: {len(wrong)}.",
        "8.0 to 8.5 have no wheels: `yes` and `-` are from release notes and sources, `(yes)` is in 8.6.1 and not known"
        " to be newer.",
        "`call(2)` is given two arguments, `override(3)` takes three from TensorRT; `set` is assigned to.",
        "The last column is the guard (`hasattr`) under which the code gets there; empty where there is none.",
    ]
    return table


def pycuda(wrong: List[str]) -> Table:
    """The table of pycuda."""
    table = Table("pycuda.driver", ("name", "used as", "there", "only where"))
    try:
        members = bindings.members(PYCUDA)
    except bindings.Unavailable as reason:
        table.notes = [f"Not looked at: {reason}."]
        return table
    used = source.of_pycuda().uses
    for (owner, name), uses in by_name(used):
        there = name in members.get(owner, {})
        table.rows.append((f"`{owner or 'driver'}.{name}`", how(uses), YES if there else NO, guards(uses)))
    wrong += sorted(filter(None, (use.fault(members) for use in used if use.reached(members))))
    table.notes = [f"pycuda {pycuda_wheel.version()}, imported over a driver that does nothing."]
    return table


def by_name(uses: Iterable[Use]) -> List[Tuple[Name, List[Use]]]:
    """Uses of each name, the module's own names first."""
    names: Set[Name] = {(use.owner, use.name) for use in uses}
    return [(name, [use for use in uses if (use.owner, use.name) == name]) for name in sorted(names)]


def how(uses: List[Use]) -> str:
    """In what ways a name is used."""
    return ", ".join(sorted({use.how if use.given is None else f"{use.how}({shown(use)})" for use in uses}))


def shown(use: Use) -> str:
    """Arguments: how many, and which by name."""
    assert use.given is not None
    count, named = use.given
    return ", ".join([*([str(count)] if count or not named else []), *(f"{name}=" for name in named)])


def guards(uses: List[Use]) -> str:
    """Guards that hold at each of the uses."""
    common: FrozenSet[Condition] = frozenset.intersection(*(use.needs for use in uses))
    named = ((need.there, f"{need.owner}.{need.name}".lstrip(".")) for need in common)
    return ", ".join(sorted(f"{'' if there else 'no '}`{name}`" for there, name in named))


def cell(name: str, version: str, in_8_6: bool) -> str:
    """Whether one of the oldest versions has a name."""
    if not in_8_6 or SINCE.get(name, OLDEST[0]) > version:
        return NO
    return YES if version == "8.5" or name in SINCE or name in IN_8_0 else UNSAID


if __name__ == "__main__":
    sys.exit(main())
