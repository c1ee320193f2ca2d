"""Stand-ins for TensorRT's Python module: the names that each version has, and no others.

`module("8.5")` gives a module whose builder records what it is asked and writes a few bytes as a plan. A name that the
version does not have raises AttributeError, as the real module does. The names are those of the bindings' sources.
`plan(...)` gives a plan that such a module opens and runs. What it builds itself runs too if `content` is None.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any, Dict, List, Optional, Set, Tuple

import onnx

from tests.standins import tensorrt_network
from tests.standins.tensorrt_engine import Strict, create_profile, deserialize, plan

__all__ = ["BINDINGS", "FULL", "VERSIONS", "WEAK", "module", "names", "plan"]
BINDINGS = ("8.0", "8.2", "8.4")  # engines of numbered bindings
WEAK = (*BINDINGS, "8.5")  # precision is in the builder's flags
VERSIONS = (*WEAK, "10.3", "10.13", "11", "rtx")
FULL = {
    "8.0": "8.0.1.6", "8.2": "8.2.1.8", "8.4": "8.4.1.5", "8.5": "8.5.2.2", "10.3": "10.3.0", "10.13": "10.13.3.9",
    "11": "11.4.0.106", "rtx": "1.7.1.116",
}  # fmt: skip


def _enum(name: str, members: List[str], first: int = 0) -> Any:
    return enum.IntEnum(name, {member: first + k for k, member in enumerate(members)})  # type: ignore[misc]


class _Tensor(SimpleNamespace):
    name: str
    shape: Tuple[int, ...]
    dtype: Any


class _Layer:
    """A layer whose results are float32, as a parser makes of a float network."""

    def __init__(self, lib: Any, name: str, kind: str) -> None:
        self._lib = lib
        self.name, self.precision, self.num_outputs = name, None, 1
        self.type = getattr(lib.LayerType, kind.upper(), lib.LayerType.CONVOLUTION)

    def get_output(self, index: int) -> _Tensor:
        return _Tensor(name=f"{self.name}.{index}", shape=(), dtype=self._lib.DataType.FLOAT)

    def set_output_type(self, index: int, dtype: Any) -> None:
        self._lib.calls.append(("set_output_type", (self.name, index, dtype.name, self.precision.name)))


class _Network:
    """Knows the inputs, the outputs and the layers of what was parsed into it."""

    def __init__(self, lib: Any) -> None:
        self._lib, self._plan = lib, b""
        self._inputs, self._outputs, self._layers = [], [], []  # type: ignore[var-annotated]

    def fill(self, content: bytes) -> None:
        self._plan = tensorrt_network.plan(content)
        self._inputs, self._outputs = (
            [_Tensor(name=name, shape=shape, dtype=tensorrt_network.dtype(self._lib, kind))
             for name, (shape, kind) in tensors.items()]
            for tensors in tensorrt_network.tensors(self._plan)
        )  # fmt: skip
        nodes = onnx.load_from_string(content).graph.node
        self._layers = [(node.name or f"node_of_{node.output[0]}", node.op_type) for node in nodes]

    num_layers = property(lambda self: len(self._layers))
    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))

    def get_layer(self, index: int) -> _Layer:
        return _Layer(self._lib, *self._layers[index])

    def get_input(self, index: int) -> _Tensor:
        return self._inputs[index]

    def get_output(self, index: int) -> _Tensor:
        return self._outputs[index]


class _Monitor:
    def __init__(self) -> None:
        pass

    def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
        raise NotImplementedError

    def step_complete(self, phase_name: str, step: int) -> bool:
        raise NotImplementedError

    def phase_finish(self, phase_name: str) -> None:
        raise NotImplementedError


class _Error:
    def __init__(self, named: bool) -> None:
        if named:
            self.node_operator, self.node_name = (lambda: "Conv"), (lambda: "conv1")

    def node(self) -> int:
        return 3

    def desc(self) -> str:
        return "input and kernel must be of same type"


def module(
    version: str,
    unsupported: bool = False,
    unreadable: bool = False,
    unbuildable: bool = False,
    int8: bool = True,
    content: Optional[bytes] = b"plan",
    gpu: Any = None,
) -> Any:
    """A module of that version; `calls` on it is what was asked, in order.

    Args:
        unsupported: the parser does not support the network's first node.
        unreadable: parsing fails.
        unbuildable: building fails.
        int8: whether the GPU has kernels of 8 bits.
        content: of what is built; None for plans that hold their network.
        gpu: where such plans run.
    """
    old, bindings, eleven = version in WEAK, version in BINDINGS, version in ("11", "rtx")
    calls: List[Tuple[str, Tuple[Any, ...]]] = []
    progress = not old
    lib = SimpleNamespace(__version__=FULL[version], calls=calls)
    lib.DataType = _enum("DataType", ["FLOAT", "HALF", "INT8", "INT32", "BOOL"]
                         + ([] if bindings else ["UINT8"]) + ([] if old else ["INT64"]))  # fmt: skip
    pools = version not in ("8.0", "8.2")
    if pools:
        lib.MemoryPoolType = _enum("MemoryPoolType", ["WORKSPACE", "DLA_MANAGED_SRAM"])
    verbosity = ["DEFAULT", "NONE", "VERBOSE"] if version == "8.0" else ["LAYER_NAMES_ONLY", "NONE", "DETAILED"]
    lib.ProfilingVerbosity = _enum("ProfilingVerbosity", verbosity)
    if version != "8.0":
        lib.LayerInformationFormat = _enum("LayerInformationFormat", ["ONELINE", "JSON"])
    lib.DeviceType = _enum("DeviceType", ["GPU", "DLA"])
    flags = ([] if eleven else ["EXPLICIT_BATCH"]) + ([] if old else ["STRONGLY_TYPED"])
    lib.NetworkDefinitionCreationFlag = _enum("NetworkDefinitionCreationFlag", flags)
    prefers = version != "8.0" and not eleven
    constraints = ["STRICT_TYPES"] * old + ["PREFER_PRECISION_CONSTRAINTS"] * prefers
    newer = (
        constraints + ([] if old else ["REFIT_INDIVIDUAL"]) + (["REQUIRE_USER_ALLOCATION"] if version == "rtx" else [])
    )
    lib.BuilderFlag = _enum(
        "BuilderFlag", ["GPU_FALLBACK", "REFIT", "SPARSE_WEIGHTS"] + ([] if eleven else ["FP16", "INT8"]) + newer
    )
    lib.LayerType = _enum("LayerType", ["CONVOLUTION", "CONSTANT", "CONCATENATION", "SHAPE"])
    if not old:
        lib.ExecutionContextAllocationStrategy = _enum(
            "ExecutionContextAllocationStrategy", ["STATIC", "ON_PROFILE_CHANGE", "USER_MANAGED"]
        )
    lib.ILogger = type("ILogger", (), {"__init__": lambda self: None, "log": lambda self, severity, msg: None})
    if progress:
        lib.IProgressMonitor = _Monitor

    def record(name: str, *arguments: Any) -> None:
        calls.append((name, arguments))

    def create_builder_config() -> Strict:
        settable: Dict[str, Any] = dict.fromkeys(["profiling_verbosity", "default_device_type", "DLA_core"])
        if progress:
            settable["progress_monitor"] = None
        if old:
            settable["max_workspace_size"] = 0
        if pools:
            settable["set_memory_pool_limit"] = lambda pool, size: record("set_memory_pool_limit", pool.name, size)
        if version == "rtx":
            settable["num_compute_capabilities"] = 0
            settable["set_compute_capability"] = lambda kind, k: record("set_compute_capability", kind.name) or True
        caches, profiles = [], []  # type: ignore[var-annotated]

        def create_timing_cache(content: bytes) -> Any:
            record("create_timing_cache", content)
            return SimpleNamespace(serialize=lambda: content + b"+")

        return Strict(
            **settable,
            set_flag=lambda flag: record("set_flag", flag.name),
            add_optimization_profile=lambda profile: profiles.append(profile) or 0,
            profiles=profiles,
            create_timing_cache=create_timing_cache,
            set_timing_cache=lambda cache, ignore: caches.append(cache),
            get_timing_cache=lambda: caches[-1],
        )

    def build(network: _Network, config: Strict) -> Any:
        record("build_serialized_network", config.profiling_verbosity.name)
        if not pools:
            record("max_workspace_size", config.max_workspace_size)
        monitor = getattr(config, "progress_monitor", None)
        if monitor is not None:
            monitor.phase_start("Building engine", None, 2)
            monitor.step_complete("Building engine", 0)
            monitor.phase_finish("Building engine")
        is_open = any(-1 in tensor.shape for tensor in network._inputs)
        assert is_open == bool(config.profiles), "an open size needs an optimisation profile, and no other does"
        made = network._plan
        if config.profiles:
            (most,) = {shape[0] for _, shape in config.profiles[0].shapes.values()}
            made = tensorrt_network.limited(made, most)
        return None if unbuildable else made if content is None else content

    def create_network(value: int) -> _Network:
        record("create_network", value)
        return _Network(lib)

    def parser(network: _Network, log: Any) -> Strict:
        def parse(content: bytes) -> bool:
            record("parse")
            network.fill(content)
            return not unreadable

        names: Dict[str, Any] = {"parse": parse, "num_errors": 1, "get_error": lambda index: _Error(not old)}
        # as the real ones: the parts are of nodes that could be supported, all marked as bad where one is missing
        rest: List[int] = []

        def supports_model_v2(content: bytes) -> bool:
            rest[:] = range(1, len(onnx.load_from_string(content).graph.node))
            return not unsupported

        if not eleven:
            names["supports_model"] = lambda content: (supports_model_v2(content), [(rest, not unsupported)])
        if not old:
            names.update(supports_model_v2=supports_model_v2, num_subgraphs=1)
            names.update(is_subgraph_supported=lambda k: not unsupported, get_subgraph_nodes=lambda k: rest)
        return Strict(**names)

    lib.OnnxParser = parser
    if not eleven:
        lib.IInt8EntropyCalibrator2 = type("IInt8EntropyCalibrator2", (), {})
    if not bindings:
        lib.TensorIOMode = _enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"])
    if version == "rtx":
        lib.ComputeCapability = _enum("ComputeCapability", ["CURRENT", "SM86"])
    lib.init_libnvinfer_plugins = lambda log, namespace: record("init_libnvinfer_plugins")
    lib.Runtime = lambda log: Strict(deserialize_cuda_engine=lambda content: deserialize(lib, content, record, gpu))
    fast = {} if eleven else {"platform_has_fast_int8": int8}
    lib.Builder = lambda log: Strict(
        create_optimization_profile=lambda: create_profile(record),
        create_network=create_network,
        create_builder_config=create_builder_config,
        build_serialized_network=build,
        num_DLA_cores=2 if version in ("8.4", "8.5") else 0,
        **fast,
    )
    return lib


def names(calls: List[Tuple[str, Tuple[Any, ...]]]) -> Set[str]:
    """What was asked at all."""
    return {name for name, _ in calls}
