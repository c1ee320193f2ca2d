"""Runs everything that needs a GPU on the one that is here, prints one table and writes it down.

    python tools/gpu_check.py [--only NAME] [--frames 100000] [--output tools/reference/gpu_NAME.json]

Kernels against the host's own code, graphs against calls one by one, the loop without a network (outputs are copied in
its place), memory over many frames, TensorRT where it runs on this GPU, and compute-sanitizer where it is installed.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from edge_runtime import build
from edge_runtime.backends import BackendOptions, tensorrt
from edge_runtime.build import BuildOptions
from edge_runtime.detect.detector import Detector
from edge_runtime.gpu import cuda, cuda_driver, trt
from edge_runtime.gpu.slot import DeviceSlot
from edge_runtime.model.spec import ModelSpec
from edge_runtime.prove import kernels
from edge_runtime.prove.kernels import Row, row
from edge_runtime.prove.lab import Lab
from edge_runtime.prove.scenes import scene
from edge_runtime.types import Images

ROOT = Path(__file__).resolve().parents[1]

NANO = ROOT / "engines" / "yolo_nano_voc_int8.onnx"
WARM = 50


def v8(lab: Lab) -> Tuple[DeviceSlot, DeviceSlot]:
    """Slots of a YOLOv8 at 640 px with about 300 candidates: calls one by one, and a graph."""
    random = np.random.default_rng(0)
    decode, _ = scene("cxcywh", "planar", "none", classes=80, num_anchors=1, grids=((8400, 1),), batch=1)
    output = np.concatenate([random.uniform(20, 600, (1, 2, 8400)), random.uniform(20, 90, (1, 2, 8400)),
                             random.uniform(0, 0.2, (1, 80, 8400))], axis=1).astype(np.float32)  # fmt: skip
    output[0, 4, random.choice(8400, 300, replace=False)] = random.uniform(0.3, 0.9, 300)
    spec = ModelSpec("yolo_v8", (640, 640), tuple(str(k) for k in range(80)))
    slots = lab.slot(spec, decode, [output]), lab.slot(spec, decode, [output])
    image = [np.zeros((720, 1280, 3), np.uint8)]
    for slot in slots:
        lab.run(slot, image)
    slots[1].capture()
    return slots


def loop(lab: Lab, frames: int) -> Iterator[Row]:
    """Graph and single calls, their results, their time, and memory over many frames."""
    eager, graph = v8(lab)
    image = [np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)]
    lab.run(eager, image)
    lab.run(graph, image)
    same = np.array_equal(eager.boxes, graph.boxes) and np.array_equal(eager.counts, graph.counts)
    yield row("graph: same boxes as call by call", str(bool(same)), "True", bool(same))
    for name, slot in (("call by call", eager), ("graph", graph)):
        spent = [timed(slot, image) for _ in range(WARM + 500)][WARM:]
        yield row(f"loop, {name}: median us on the GPU, no network", float(np.median(spent)), "", None)
    spent = []
    for _ in range(WARM + 500):
        started = perf_counter()
        graph.enqueue(image)
        spent.append((perf_counter() - started) * 1e6)
        graph.wait()
    yield row("loop: median us of the host to copy and launch", float(np.median(spent[WARM:])), "", None)
    before = lab.device.free_memory()[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = perf_counter()
    for _ in range(frames):
        graph.enqueue(image)
        graph.wait()
    seconds = perf_counter() - started
    after = lab.device.free_memory()[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield row(f"{frames} frames: device memory taken, bytes", before[0] - after[0], "0", before[0] <= after[0])
    yield row(f"{frames} frames: host memory taken, KiB", after[1] - before[1], "1024", after[1] - before[1] < 1024)
    yield row("loop: frames per second, no network, one slot", frames / seconds, "", None)


def stages(lab: Lab, frames: int) -> Iterator[Row]:
    """What comes behind the network, alone; and torchvision's NMS on as many boxes."""
    eager, _ = v8(lab)
    behind = partial(eager.behind, eager.batch)
    median = median_us(lab, eager.stream, behind)
    yield row("decode + NMS, 8400 boxes, 300 candidates, call by call: median us", median, "", None)
    graph = lab.device.graph(eager.stream, behind)
    median = median_us(lab, eager.stream, lambda: launch(graph, eager.stream)) if graph else float("nan")
    yield row("decode + NMS, the same calls as a graph: median us", median, "60", median <= 60)
    try:
        import torch
        import torchvision
    except ImportError as error:
        yield row("torchvision's batched_nms, 300 boxes: median us", f"n/a: {error}", "", None)
        return
    random = torch.Generator().manual_seed(0)
    corner, size = torch.rand(300, 2, generator=random) * 600, torch.rand(300, 2, generator=random) * 90 + 20
    given = [torch.cat([corner, corner + size], 1), torch.rand(300, generator=random), torch.arange(300) % 80]
    boxes, scores, classes = (tensor.cuda() for tensor in given)
    spent = []
    for _ in range(WARM + 500):
        torch.cuda.synchronize()
        started = perf_counter()
        torchvision.ops.batched_nms(boxes, scores, classes, 0.45)
        torch.cuda.synchronize()
        spent.append((perf_counter() - started) * 1e6)
    yield row("torchvision's batched_nms, 300 boxes: median us", float(np.median(spent[WARM:])), "", None)


def median_us(lab: Lab, stream: Any, calls: Callable[[], None]) -> float:
    """Median microseconds that a stream takes for these calls, between two events."""
    begin, end, spent = lab.device.event(), lab.device.event(), []
    for _ in range(WARM + 500):
        lab.device.record(begin, stream)
        calls()
        lab.device.record(end, stream)
        lab.device.wait(end)
        spent.append(lab.device.milliseconds(begin, end) * 1e3)
    return float(np.median(spent[WARM:]))


def launch(graph: cuda_driver.Graph, stream: Any) -> None:
    """Puts a captured graph into a stream, as the core does for each frame."""
    if cuda_driver.driver().cuGraphLaunch(graph.handle, stream.handle):
        raise RuntimeError("the graph cannot be launched")


def timed(slot: DeviceSlot, images: Images) -> float:
    """Microseconds from letterbox to boxes."""
    slot.enqueue(images)
    slot.start()
    return slot.wait()[2] * 1e3


def network(lab: Lab, frames: int) -> Iterator[Row]:
    """TensorRT on this GPU: YOLO Nano in INT8, beside ONNX Runtime on the CPU, and the loop beside the bare engine."""
    reason = tensorrt.available()
    if reason:
        yield row("TensorRT", f"n/a: {reason}", "", None)
        return
    image = np.random.default_rng(2).integers(0, 256, (720, 1280, 3), np.uint8)
    plan = ROOT / "engines" / "plans" / "gpu_check.plan"
    plan.parent.mkdir(parents=True, exist_ok=True)
    with Detector.open(str(NANO), options=BackendOptions("onnxruntime"), conf=0.05) as host, ExitStack() as stack:
        try:
            build.build(build.load_input(str(NANO), host.model.spec), plan, BuildOptions("fp16"))
            device = stack.enter_context(Detector.open(str(plan), conf=0.05))
        except Exception as error:  # which GPUs it accepts is what is to be found out
            yield row("TensorRT", f"n/a: {type(error).__name__}: {error}", "", None)
            return
        yield row("TensorRT", device.backend.description, "", None)
        gap = abs(len(host(image)) - len(device(image)))
        yield row("TensorRT: boxes more or fewer than ONNX Runtime", gap, "", None)
        spent = []
        for _ in range(WARM + 500):
            device(image)
            spent.append(device.backend.stage_ms(0)["inference"] * 1e3)
        ours, bare = float(np.median(spent[WARM:])), bare_engine(device.backend)
        yield row("TensorRT: median us from letterbox to boxes", ours, "", None)
        yield row("TensorRT: of these beyond the bare engine", ours - bare, "30", ours - bare <= 30)


def bare_engine(backend: Any) -> float:
    """Median microseconds of execute_async_v3 alone, on the backend's own slot and in its thread."""
    state, device = backend._slots[0], backend._device

    def measure() -> float:
        begin, end, spent = device.event(), device.event(), []
        for _ in range(WARM + 500):
            device.record(begin, state.stream)
            state.network(state.batch)
            device.record(end, state.stream)
            device.wait(end)
            spent.append(device.milliseconds(begin, end) * 1e3)
        return float(np.median(spent[WARM:]))

    return float(backend._owned(measure))


def providers(lab: Lab, frames: int) -> Iterator[Row]:
    """ONNX Runtime's CUDA provider on the float model: what one has without TensorRT."""
    image, spent = np.zeros((720, 1280, 3), np.uint8), []
    try:
        detector = Detector.open(
            str(NANO.with_name("yolo_nano_voc.onnx")), options=BackendOptions("onnxruntime", "cuda")
        )
    except Exception as error:
        yield row("ONNX Runtime on CUDA", f"n/a: {error}", "", None)
        return
    with detector:
        for _ in range(WARM + 500):
            detector(image)
            spent.append(detector.backend.stage_ms(0)["inference"] * 1e3)
    yield row("ONNX Runtime on CUDA, fp32: median us of inference", float(np.median(spent[WARM:])), "", None)


def once(lab: Lab, frames: int) -> Iterator[Row]:
    """Decoding and NMS a few times, for tools that slow a program down a thousandfold."""
    eager, _ = v8(lab)
    yield row("decode + NMS once: boxes", int(eager.counts[0]), "", None)


def sanitizer(lab: Lab, frames: int) -> Iterator[Row]:
    """Itself under compute-sanitizer: no access outside of memory, no race between the threads that suppress."""
    tool = shutil.which("compute-sanitizer")
    for kind, checks in (("memcheck", ("letterbox", "decoding", "once")), ("racecheck", ("once",))):
        if tool is None:
            yield row(f"compute-sanitizer {kind}", "n/a: not installed", "", None)
            continue
        command = [tool, "--tool", kind, "--kernel-regex", "kns=edge_", "--error-exitcode", "9", sys.executable]
        done = subprocess.run([*command, __file__, "--only", *checks], capture_output=True, encoding="utf-8")
        yield row(f"compute-sanitizer {kind}: exit code", done.returncode, "0", done.returncode == 0)


def compared(check: Callable[[Lab], Iterator[Row]]) -> Callable[[Lab, int], Iterator[Row]]:
    """One of the comparisons that users make too, by `edge-doctor --prove`."""
    return lambda lab, frames: check(lab)


CHECKS: Dict[str, Callable[[Lab, int], Iterator[Row]]] = {
    **{
        check.__name__: compared(check)
        for check in (kernels.letterbox, kernels.pixels, kernels.decoding, kernels.suppression, kernels.device_loop)
    },
    **{check.__name__: check for check in (loop, stages, network, providers, once, sanitizer)},
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    args = parser.parse_args(argv)
    reason = cuda.missing()
    if reason:
        print(
            f"error: {reason}\nhint: this checks a GPU; without one tests/backends/test_tensorrt.py runs",
            file=sys.stderr,
        )
        return 1
    rows: List[Row] = []
    for name in args.only:
        lab = Lab()
        try:
            for line in CHECKS[name](lab, args.frames):
                rows.append(line)
                mark = {True: "ok", False: "MISSED", None: ""}[line["good"]]
                print(f"{line['what']:60} {line['figure']!s:>24} {line['wanted']:>10} {mark}", flush=True)
        finally:
            lab.close()
    if args.output:
        about = {"gpu": lab.device.capability, "driver": cuda_driver.driver_version(), "rows": rows,
                 "tensorrt": "" if trt.missing() else trt.version()}  # fmt: skip
        args.output.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return 0 if all(line["good"] is not False for line in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
