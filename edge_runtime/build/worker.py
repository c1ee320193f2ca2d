"""The child process that builds. If the builder is killed or crashes, our own process goes on.

    python -m edge_runtime.build.worker JOB.json

It reads a `Job`, writes the plan, and reports on stdout in lines of JSON: {"fraction": …, "phase": …}, and at the end
{"done": …} or {"error": …, "hint": …}.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import warnings
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List

from edge_runtime.build import inspector, listing
from edge_runtime.build.job import Job
from edge_runtime.build.progress import progress_monitor
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.files import atomic
from edge_runtime.gpu import cuda_driver, trt, trt_bindings, trt_precision


class Builder:
    """One build. TensorRT's objects need one another, so all of them are kept until the end."""

    def __init__(self, job: Job) -> None:
        self._job, self._lib = job, trt.library()
        self._log, self._messages = trt.log()
        self._builder = self._started()
        flags = self._lib.NetworkDefinitionCreationFlag
        wanted = [getattr(flags, name) for name in ("EXPLICIT_BATCH", "STRONGLY_TYPED") if hasattr(flags, name)]
        self._flags = sum(1 << int(flag) for flag in wanted)
        self._network = self._builder.create_network(self._flags)
        self._parser = self._lib.OnnxParser(self._network, self._log)
        self._config = self._builder.create_builder_config()

    def _started(self) -> Any:
        try:
            builder = self._lib.Builder(self._log)
        except TypeError:  # the binding raises it if the library returned no builder
            builder = None
        if builder is None:
            said = self._messages.errors() or [text for _, text in self._messages.said] or ["it gives no reason"]
            raise ModelError(f"TensorRT's builder does not start: {said[0]}", hint="edge-doctor says what is missing")
        return builder

    def build(self) -> Dict[str, Any]:
        """Writes the plan, and returns what it holds."""
        self._refuse_int8()
        content = Path(self._job.onnx).read_bytes()
        self._refuse_unsupported(content)
        if not self._parser.parse(content):
            hint = f"{EXPORT}; or {self._job.way_out}" if "int8" in self._job.precision else EXPORT
            raise ModelError(f"TensorRT cannot read the network: {self._parse_error()}", hint=hint)
        self._configure()
        cache = self._timing_cache()
        self._messages.clear()
        started = perf_counter()
        plan = self._builder.build_serialized_network(self._network, self._config)
        seconds = perf_counter() - started
        if plan is None:
            reason = next(iter(self._messages.errors()), "it gives no reason")
            raise ModelError(f"TensorRT cannot build the network: {reason}", hint=self._job.way_out)
        atomic.replace_file(Path(self._job.plan), bytes(plan))
        if cache is not None:
            self._keep(bytes(self._config.get_timing_cache().serialize()))
        about = {"cuda": cuda_driver.driver_version(), "compute_capability": cuda_driver.compute_capability()}
        return {"seconds": seconds, "tensorrt": trt.version(), **about, **self._tensors(), **self._layers(bytes(plan))}

    def _refuse_int8(self) -> None:
        """Refuses INT8 on a GPU without it. Only 8.x is asked: the question is deprecated in later versions."""
        asked = "int8" in self._job.precision and not trt.strongly_typed(self._lib)
        if asked and not self._builder.platform_has_fast_int8:
            raise UsageError("this GPU does not compute in INT8", hint="build with --precision fp16")

    def _refuse_unsupported(self, content: bytes) -> None:
        """Names every operator that has no implementation, before the build spends minutes on the others."""
        from onnx import load_from_string

        network = self._builder.create_network(self._flags)  # the question changes the parser and its network
        parser = self._lib.OnnxParser(network, self._log)
        if hasattr(parser, "supports_model_v2"):
            supported = parser.supports_model_v2(content)
            parts = [] if supported else [parser.get_subgraph_nodes(k) for k in range(parser.num_subgraphs)]
        else:
            supported, graphs = parser.supports_model(content)
            parts = [nodes for nodes, _ in graphs]
        if supported:
            return
        nodes, fine = load_from_string(content).graph.node, {k for part in parts for k in part}
        named = [f"{node.op_type} {node.name or node.output[0]}" for k, node in enumerate(nodes) if k not in fine]
        if named:
            said = self._reason(parser) if parser.num_errors else ""
            reason = f"; the first: {said}" if " " in said else ""  # some reasons are only a condition in C++
            raise ModelError(
                f"TensorRT does not support {', '.join(named[:8])} ({len(named)} in all){reason}", hint=EXPORT
            )

    def _parse_error(self) -> str:
        if not self._parser.num_errors:
            return next(iter(self._messages.errors()), "it gives no reason")
        error = self._parser.get_error(0)
        where = [getattr(error, name)() for name in ("node_operator", "node_name") if hasattr(error, name)]
        return f"{' '.join(filter(None, where)) or f'node {error.node()}'}: {self._reason(self._parser)}"

    def _reason(self, parser: Any) -> str:
        """Returns the first error that TensorRT logged. The parser's own error only says where it happened."""
        said = [text for text in self._messages.errors() if not text.startswith("ModelImporter")]
        lines = [line for line in str(parser.get_error(0).desc()).splitlines() if line.strip() and not trt.noise(line)]
        return str((said or lines[-1:] or ["it gives no reason"])[0]).strip()

    def _configure(self) -> None:
        job, config, lib = self._job, self._config, self._lib
        trt_bindings.limit_workspace(lib, config, job.workspace)
        config.profiling_verbosity = trt_bindings.detailed(lib)
        if hasattr(lib, "IProgressMonitor"):
            config.progress_monitor = progress_monitor(
                lib, lambda fraction, phase: send(fraction=fraction, phase=phase)
            )
        if job.most:
            self._open_up_to(job.most)
        if not trt.strongly_typed(lib):
            for name, needed in (("FP16", "fp16" in job.precision), ("INT8", "int8" in job.precision)):
                if needed:
                    config.set_flag(getattr(lib.BuilderFlag, name))
            if job.float32:
                trt_precision.hold_float32(lib, self._network, config, job.float32)
        if job.dla is not None:
            self._use_dla(job.dla)
        if job.sparse and hasattr(lib.BuilderFlag, "SPARSE_WEIGHTS"):
            config.set_flag(lib.BuilderFlag.SPARSE_WEIGHTS)  # it times sparse kernels too
        if trt.wants_user_memory(lib):
            config.set_flag(lib.BuilderFlag.REQUIRE_USER_ALLOCATION)
        if trt.is_rtx(lib):
            self._aim(job.compute_capability)

    def _open_up_to(self, most: int) -> None:
        """Lets the plan run 1 to `most` images, and tunes it for `most`."""
        given = self._network.get_input(0)
        one, all_ = ((count, *tuple(given.shape)[1:]) for count in (1, most))
        profile = self._builder.create_optimization_profile()
        profile.set_shape(given.name, one, all_, all_)
        self._config.add_optimization_profile(profile)

    def _use_dla(self, core: int) -> None:
        lib, config, cores = self._lib, self._config, getattr(self._builder, "num_DLA_cores", 0)
        if not cores:
            raise UsageError(f"there is no DLA core {core}: {trt.version()} finds none here", hint=NO_DLA)
        if not 0 <= core < cores:
            raise UsageError(f"there is no DLA core {core}: this machine has {cores}", hint="count from 0")
        config.default_device_type, config.DLA_core = lib.DeviceType.DLA, core
        config.set_flag(lib.BuilderFlag.GPU_FALLBACK)

    def _aim(self, name: str) -> None:
        kinds = self._lib.ComputeCapability
        here = cuda_driver.compute_capability()
        if not name and here:
            trt.check_rtx_runs(self._lib, here)
            return
        if not name or not hasattr(kinds, name):
            known = ", ".join(kind for kind in dir(kinds) if kind.startswith("SM"))
            fact = f"{trt.version()} does not build for {name}" if name else "there is no GPU here to build for"
            raise UsageError(fact, hint=f"give one of these with --compute-capability: {known}")
        self._config.num_compute_capabilities = 1
        self._config.set_compute_capability(getattr(kinds, name), 0)

    def _timing_cache(self) -> Any:
        """Loads the measurements of earlier builds. TensorRT-RTX measures nothing."""
        if not self._job.timing_cache or trt.is_rtx(self._lib):
            return None
        path = Path(self._job.timing_cache)
        cache = self._config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
        self._config.set_timing_cache(cache, False)
        return cache

    def _keep(self, measured: bytes) -> None:
        """Updates the timing cache. If that fails, only later builds are slower."""
        try:
            atomic.replace_file(Path(self._job.timing_cache), measured)
        except UsageError as error:
            print(f"note: {error}: the next build measures again", file=sys.stderr)

    def _tensors(self) -> Dict[str, Any]:
        network = self._network
        given = [network.get_input(k) for k in range(network.num_inputs)]
        made = [network.get_output(k) for k in range(network.num_outputs)]
        return {
            "inputs": {tensor.name: list(tensor.shape) for tensor in given},
            "outputs": {tensor.name: list(tensor.shape) for tensor in made},
            "dtypes": {tensor.name: trt.dtype_name(self._lib, tensor.dtype) for tensor in [*given, *made]},
        }

    def _layers(self, plan: bytes) -> Dict[str, Any]:
        """Returns the types of the layers: from the engine if it opens here, else from the builder's messages."""
        said = [text for _, text in self._messages.said]
        asked = inspector.inspect_layers(self._lib, self._log, plan) if cuda_driver.compute_capability() else []
        found = asked or listing.layers_of_text(said)
        convolutions = [layer for layer in found if layer.convolves]
        return {"layers": listing.summary(found), "convolutions": listing.summary(convolutions)}


EXPORT = "export the network without its own post-processing, or with a lower opset"
NO_DLA = "build without --dla: Orin Nano and Thor have no DLA, and the last TensorRT 10 that supports one is 10.7"


def send(**line: Any) -> None:
    """Sends one line to the parent process."""
    print(json.dumps(line), flush=True)


def main(argv: List[str]) -> int:
    """Builds, and reports the result."""
    warnings.simplefilter("ignore")  # about deprecated attributes, which differ between versions
    try:
        job = Job(**json.loads(Path(argv[0]).read_text(encoding="utf-8")))
        send(done=Builder(job).build())
    except EdgeError as error:
        send(error=str(error), hint=error.hint)
    except KeyboardInterrupt:
        return 130
    return 0


def end_with_parent(job: str) -> None:
    """Ends this process when the parent ends: it holds our stdin open.

    If the parent is killed, the plan and the folder of the job are not needed any more.
    """
    os.read(0, 1)
    shutil.rmtree(Path(job).parent, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, args=(sys.argv[1],), daemon=True).start()
    sys.exit(main(sys.argv[1:]))
