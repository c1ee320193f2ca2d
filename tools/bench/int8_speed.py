"""What INT8 brings in speed: one thread, every form and backend in turn."""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Callable, Dict, Sequence, Union

import numpy as np

from bench.int8_models import nncf, ours, subjects, tensors
from bench.report import Table
from edge_runtime.backends import onnxruntime as ours_onnxruntime
from edge_runtime.backends import openvino as ours_openvino

NAMES = ("yolo_nano_voc", "yolov8n_640_fp32deq", "yolov5n_640", "leyolo_nano_640", "yolox_nano", "nanodet_m_416")
WANTED = {"yolo_nano_voc": 2.2, "yolov8n_640_fp32deq": 1.8}
BEHIND_NNCF = 1.10
COLUMNS = ("model", "fp32 ORT", "fp32 OV", "INT8 ORT", "INT8 OV, as it is", "INT8 OV, lightened", "NNCF OV",
           "best speed-up", "wanted", "of NNCF's time")  # fmt: skip
Run = Callable[[], Any]


def measure(args: argparse.Namespace, folder: Path) -> Sequence[Table]:
    table = Table("Milliseconds of inference, one thread", COLUMNS)
    for subject in subjects(args.shared, args.only):
        if subject.name not in NAMES:
            continue
        spec = subject.spec()
        int8 = ours(subject, folder / f"{subject.name}.onnx", "--no-verdict")
        image = tensors(subject, spec, 1)
        width, height = spec.input_wh
        cases: Dict[str, Run] = {
            "fp32 ORT": on_onnxruntime(str(subject.path), image),
            "fp32 OV": on_openvino(str(subject.path), image),
            "INT8 ORT": on_onnxruntime(ours_onnxruntime._source(str(int8), 1), image),
            "INT8 OV, as it is": on_openvino(str(int8), image),
            "INT8 OV, lightened": on_openvino(ours_openvino._source(str(int8), 1), image),
        }
        try:
            cases["NNCF OV"] = on_openvino(nncf(subject.path, tensors(subject, spec)), image)
        except ImportError as error:
            table.notes.append(f"{error}.")
        table.data.append({"model": subject.name, "side": [width, height], **medians(cases, args.rounds)})
        table.rows.append(_row(table.data[-1]))
        print(*table.rows[-1], flush=True)
    table.notes.append(f"medians of {args.rounds} rounds in turn, each the best of 3; best speed-up: the faster"
                       " backend's INT8 over its own fp32.")  # fmt: skip
    return [table]


def on_onnxruntime(source: Union[str, bytes], image: np.ndarray) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image}
    return lambda: session.run(None, feed)


def on_openvino(source: Any, image: np.ndarray) -> Run:
    import openvino

    core = openvino.Core()
    if isinstance(source, (str, tuple)):
        model = core.read_model(*(source if isinstance(source, tuple) else (source,)))
    else:
        model = source
    if model.input(0).partial_shape.is_dynamic:
        model.reshape(list(image.shape))
    config = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", config).create_infer_request()
    return lambda: request.infer({0: image})


def medians(cases: Dict[str, Run], rounds: int) -> Dict[str, float]:
    times: Dict[str, list] = {name: [] for name in cases}
    for number in range(rounds + 2):
        for name, run in cases.items():
            best = min(_timed(run) for _ in range(3))
            times[name] += [best] if number >= 2 else []
    return {name: median(values) for name, values in times.items()}


def _timed(run: Run) -> float:
    started = perf_counter()
    run()
    return (perf_counter() - started) * 1e3


def _row(row: Dict[str, Any]) -> Sequence[str]:
    backends = {"ORT": row["fp32 ORT"] / row["INT8 ORT"], "OV": row["fp32 OV"] / row["INT8 OV, lightened"]}
    best = "ORT" if row["INT8 ORT"] < row["INT8 OV, lightened"] else "OV"
    row["best"], row["speedup"] = best, backends[best]
    wanted = WANTED.get(row["model"])
    said = f"{wanted} {'ok' if backends[best] >= wanted else 'MISSED'}" if wanted else ""
    part = row["INT8 OV, lightened"] / row["NNCF OV"] if "NNCF OV" in row else None
    against = f"{part:.2f} {'ok' if part <= BEHIND_NNCF else 'MISSED'}" if part else "n/a"
    figures = [f"{row[name]:.2f}" if name in row else "n/a" for name in COLUMNS[1:7]]
    return [row["model"], *figures, f"{backends[best]:.2f} {best}", said, against]
