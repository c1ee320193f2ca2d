"""Building: turns an ONNX file into a TensorRT plan with its passport.

The builder runs in a child process. Its memory is freed when it ends. If the system kills it because memory ran out,
the user gets one clear error.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from edge_runtime.build import forms, memory, opset, reference
from edge_runtime.build.forms import PRECISIONS, BuildInput, load_input
from edge_runtime.build.job import Job
from edge_runtime.errors import EdgeError, ModelError, UsageError
from edge_runtime.files import atomic, folders
from edge_runtime.gpu import cuda_driver, passport, trt
from edge_runtime.gpu.passport import Passport
from edge_runtime.graph import sparsity
from edge_runtime.jetson import board
from edge_runtime.model.outputs import settled
from edge_runtime.model.spec import ModelIO

__all__ = ["PRECISIONS", "BuildInput", "BuildOptions", "build", "load_input"]
Report = Callable[[float, str], None]
WORKER = ("-m", "edge_runtime.build.worker")
WITHOUT_INT8 = ("5.0", "5.2", "5.3", "6.0", "6.2")  # compute capabilities: Jetson Nano is 5.3, TX2 6.2


@dataclass(frozen=True)
class BuildOptions:
    """How to build.

    Attributes:
        precision: one of `forms.PRECISIONS`.
        batch: images per run. The plan also runs fewer, unless its network cannot be opened for that, on DLA, or
            with TensorRT 8.
        workspace: bytes for the builder; 0 chooses a size by the free memory.
        dla: number of a DLA core; layers that it cannot run go to the GPU. None uses only the GPU.
        timing_cache: file that keeps the builder's measurements; None for no file.
        compute_capability: GPU to build for with TensorRT-RTX, "SM86"; "" for the GPU of this machine.
        root: root folder of the machine; tests give another folder.
    """

    precision: str = "fp16"
    batch: int = 1
    workspace: int = 0
    dla: Optional[int] = None
    timing_cache: Optional[Path] = None
    compute_capability: str = ""
    root: Path = Path("/")


def build(
    source: BuildInput,
    plan: Path,
    options: BuildOptions = BuildOptions(),
    command: str = "",
    report: Report = lambda fraction, phase: None,
) -> Passport:
    """Writes a plan and its passport, each completely or not at all.

    Args:
        source: the model, from `load_input`.
        plan: file to write.
        command: the command that builds the plan again, for the passport.
        report: called with the progress, 0 to 1, and the name of the phase.

    Raises:
        BackendUnavailable: TensorRT is not installed.
        UsageError: INT8 without ranges, or a device that does not exist.
        ModelError: TensorRT cannot read or build the network.
    """
    check(options)
    target = _dotted(options.compute_capability)
    lib = trt.library()
    strong = trt.strongly_typed(lib)
    network, least = forms.batched(source, options.precision, strong, options.batch, not trt.is_rtx(lib),
                                   opens=options.dla is None and trt.shares_profiles(lib))  # fmt: skip
    weak_half = not strong and "fp16" in options.precision
    opset.lower(network, opset.newest(lib))  # before nodes get other names: its error names them
    kept = forms.name_float32_layers(network, source.keep, options.dla is None) if weak_half else []
    workspace = options.workspace or memory.look(options.root).workspace
    cache = str(options.timing_cache or "")
    with folders.scratch_folder(plan) as folder:
        onnx, new = folder / "network.onnx", folder / "made.plan"
        atomic.replace_file(onnx, network.SerializeToString())
        job = Job(str(onnx), str(new), options.precision, workspace, options.dla, cache, options.compute_capability,
                  kept, options.batch if least < options.batch else 0, bool(sparsity.layers(network)))  # fmt: skip
        made = _child(job, folder / "job.json", report)
        about = _passport(source, options, made, target or made["compute_capability"], command)
        golden = reference.golden_frames(source, options.precision, strong, depthwise=not trt.is_rtx(lib))
        about = replace(about, golden=golden, least_batch=least)
        if any(shape[0] != options.batch for shape in about.io.outputs.values()):
            raise ModelError(
                f"the network's outputs are {about.io.shapes} for a batch of {options.batch}",
                hint="its batch size is fixed: export it with a dynamic batch",
            )
        atomic.replace_file(passport.passport_path(new), about.to_json().encode())
        place(new, plan)
    return about


def place(new: Path, plan: Path) -> None:
    """Moves a plan and its passport to their place on the same disk.

    An earlier plan goes first: a kill between two steps leaves no plan, and never one with the passport of another.

    Raises:
        UsageError: the place cannot be written.
    """
    target, earlier = os.path.realpath(plan), new.with_name("earlier.plan")
    with atomic.said_of(plan):
        with suppress(FileNotFoundError):
            os.replace(target, earlier)
        try:
            os.replace(passport.passport_path(new), os.path.realpath(passport.passport_path(plan)))
        except OSError:
            with suppress(FileNotFoundError):
                os.replace(earlier, target)
            raise
        os.replace(new, target)


def check(options: BuildOptions) -> None:
    """Checks, before anything is built or calibrated, that the GPU or the DLA core supports the precision.

    Raises:
        UsageError: it does not.
    """
    int8, gpu = options.precision.startswith("int8"), gpu_without_int8(options)
    if int8 and gpu:
        raise UsageError(f"a GPU of compute capability {gpu} has no INT8", hint="build with --precision fp16")
    if options.dla is not None and options.precision not in ("fp16", "best"):
        why = "DLA takes no network with the Q/DQ operators of INT8" if int8 else "DLA has no float32"
        raise UsageError(why, hint="build with --precision fp16, or without --dla")


def gpu_without_int8(options: BuildOptions) -> str:
    """Returns the compute capability of the GPU to build for if it has no INT8; "" if it has, or is not known."""
    known = _dotted(options.compute_capability) or board.compute_capability(options.root)
    capability = known or cuda_driver.compute_capability()
    return capability if capability in WITHOUT_INT8 else ""


def _passport(
    source: BuildInput, options: BuildOptions, made: Dict[str, Any], compute_capability: str, command: str
) -> Passport:
    name, shape = next(iter(made["inputs"].items()))
    outputs = {output: _filled(sizes, options.batch) for output, sizes in made["outputs"].items()}
    place = passport.this_platform(options.root, made["cuda"], compute_capability)
    return Passport(
        spec=source.spec,
        io=settled(ModelIO(name, _filled(shape, options.batch), outputs, {}, made["dtypes"])),
        precision=options.precision,
        layers=made["layers"],
        convolutions=made["convolutions"],
        onnx=source.onnx_hash,
        ranges=source.ranges_hash if options.precision.startswith("int8") else "",
        place=replace(place, tensorrt=made["tensorrt"]),
        seconds=round(made["seconds"], 2),
        command=command,
        half=source.half if "fp16" in options.precision else {},
    )


def _filled(shape: Sequence[int], batch: int) -> Tuple[int, ...]:
    return tuple(batch if size < 0 and place == 0 else size for place, size in enumerate(shape))


def _started(command: List[str], env: Dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8", errors="replace", env=env)
    except OSError as error:  # ENOMEM, EAGAIN
        fact = f"the process of the builder does not start: {error.strerror}"
        raise ModelError(fact, hint=f"close other programs, or add swap: {memory.SWAP}") from error


def _child(job: Job, path: Path, report: Report) -> Dict[str, Any]:
    atomic.replace_file(path, job.to_json().encode())
    command = [sys.executable, *WORKER, str(path)]
    same = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # the child imports what we import
    with _started(command, same) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said = _parsed(line)
                if "error" in said:
                    process.wait()
                    raise ModelError(said["error"], hint=said["hint"])
                if "done" in said:
                    made: Dict[str, Any] = said["done"]
                    process.wait()
                    return made
                if "fraction" in said:
                    report(said["fraction"], said["phase"])
        except BaseException:
            process.kill()
            raise
    raise _death(process.returncode, job.way_out)


def _parsed(line: str) -> Dict[str, Any]:
    """Returns a message of the child process. Its libraries may print other lines too."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _death(code: int, way_out: str) -> EdgeError:
    if code == -signal.SIGKILL:
        return ModelError(
            "the build was killed: most likely memory ran out",
            hint=f"close the desktop, give --workspace 256, or add swap: {memory.SWAP}",
        )
    how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return ModelError(f"TensorRT's builder ended {how}", hint=f"its last messages are above; {way_out}")


def _dotted(name: str) -> str:
    """Returns a compute capability as CUDA writes it: "8.6" for "SM86".

    Raises:
        UsageError: there is no such name.
    """
    digits = name[2:]
    if name and (not name.startswith("SM") or not digits.isdecimal() or len(digits) < 2):
        raise UsageError(f"compute capability is {name!r}", hint="write it like SM86")
    return f"{digits[:-1]}.{digits[-1]}" if name else ""
