"""What is tried: the few arrangements that can win, and nothing that the user has named."""

from __future__ import annotations

from typing import List

from edge_runtime.backends import BackendOptions
from edge_runtime.tuning.arrangements import LATENCY, THROUGHPUT, Arrangement, Candidate, arrangements

BOTH = (Candidate("openvino", False), Candidate("onnxruntime", True))


def tried(cores: int, goal: str = THROUGHPUT, sources: int = 1, **named) -> List[str]:
    candidates = [each for each in BOTH if named.get("backend") in (None, each.name)]
    base, rest = arrangements(candidates, BackendOptions(**named), cores, goal, sources)
    return [str(each) for each in (*base, *rest)]


def test_files_are_tried_with_two_halves_all_cores_and_all_but_one():
    assert tried(4) == [
        "openvino, 4 threads in 2 streams", "onnxruntime, 4 threads in 2 streams, spinning",
        "onnxruntime, 4 threads in 2 streams, not spinning",
        "openvino, 4 threads", "onnxruntime, 4 threads, spinning", "onnxruntime, 4 threads, not spinning",
        "openvino, 3 threads", "onnxruntime, 3 threads, spinning", "onnxruntime, 3 threads, not spinning",
    ]  # fmt: skip


def test_a_stream_of_one_thread_has_nobody_to_wait_for():
    assert tried(2) == [
        "openvino, 2 threads in 2 streams", "onnxruntime, 2 threads in 2 streams",
        "openvino, 2 threads", "onnxruntime, 2 threads, spinning", "onnxruntime, 2 threads, not spinning",
        "openvino, 1 thread", "onnxruntime, 1 thread",
    ]  # fmt: skip
    assert tried(1) == ["openvino, 1 thread", "onnxruntime, 1 thread"]


def test_one_image_is_no_faster_in_two_streams():
    assert not [line for line in tried(4, LATENCY) if "streams" in line]


def test_several_files_are_tried_in_batches_that_they_can_fill():
    def batches(*args, **named):
        return [line for line in tried(*args, backend="openvino", **named) if "batches" in line]

    assert batches(4, sources=2) == ["openvino, 4 threads, batches of 2"]
    assert batches(4, sources=5) == ["openvino, 4 threads, batches of 2", "openvino, 4 threads, batches of 4"]
    assert batches(4, sources=2, threads=3, streams=2) == ["openvino, 3 threads in 2 streams, batches of 2"]
    assert not batches(4, sources=1) and not batches(4, LATENCY, sources=4)
    assert not batches(4, sources=4, batch=2), "it is named"


def test_what_is_named_is_not_varied():
    assert tried(4, threads=3) == [
        "openvino, 3 threads in 2 streams", "onnxruntime, 3 threads in 2 streams",
        "openvino, 3 threads", "onnxruntime, 3 threads, spinning", "onnxruntime, 3 threads, not spinning",
    ]  # fmt: skip
    assert all("2 streams" in line for line in tried(4, streams=2)) and len(tried(4, streams=2)) == 6 - 1
    assert all(line.startswith("openvino") for line in tried(4, backend="openvino"))
    assert not [line for line in tried(4, spinning=False) if line.endswith(", spinning")]
    assert tried(4, backend="openvino", threads=2, streams=1) == ["openvino, 2 threads"], "nothing is left to try"


def test_an_arrangement_becomes_options_and_keeps_the_others():
    options = Arrangement("onnxruntime", 4, 2, True).applied(BackendOptions(batch=3, device="cpu"))
    assert options == BackendOptions("onnxruntime", "cpu", batch=3, threads=4, streams=2, spinning=True)
    assert Arrangement("onnxruntime", 4, batch=2).applied(BackendOptions()).batch == 2
