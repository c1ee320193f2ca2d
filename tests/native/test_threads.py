"""One Decoder, one thread: a second one is refused, and the first one's result stays right."""

from __future__ import annotations

import threading
from typing import List

import numpy as np
import pytest

from edge_runtime.errors import SpecError
from edge_runtime.model.decode import DecodeSpec, Level, View
from edge_runtime.model.thresholds import Thresholds
from edge_runtime.native import ops

CELLS, CLASSES, RUNS = 80, 80, 150
ONE_LEVEL = Level((CELLS, CELLS), View(0, 0, 0, 1, CELLS**2), View(0, 4 * CELLS**2, 0, 1, CELLS**2))
SPEC = DecodeSpec("cxcywh", (ONE_LEVEL,), num_classes=CLASSES, class_activation="sigmoid")
LIMITS = Thresholds(conf=0.3, iou=0.5, max_det=300)
FRAME = np.array([(1.0, 1.0, 0.0, 0.0, 640.0, 640.0)])


class Work:
    """Decodes a tensor of its own again and again, and counts what came of it."""

    def __init__(self, decoder: ops.Decoder, seed: int) -> None:
        random = np.random.default_rng(seed)
        values = random.normal(-4, 2, (1, 4 + CLASSES, CELLS**2)).astype(np.float32)
        values[:, :4] = random.uniform(10, 600, (1, 4, CELLS**2))
        self.tensors, self.decoder = [values], decoder
        self.boxes, self.counts = np.zeros((1, 300, 6), np.float32), np.zeros(1, np.int32)
        self.expected = self.decode()
        self.refused: List[SpecError] = []
        self.wrong = 0

    def decode(self) -> bytes:
        mask = self.decoder.class_mask(range(CLASSES))
        self.decoder(self.tensors, FRAME, LIMITS, mask, self.boxes, self.counts)
        return self.boxes[0, : self.counts[0]].tobytes()

    def run(self) -> None:
        for _ in range(RUNS):
            try:
                self.wrong += self.decode() != self.expected
            except SpecError as error:
                self.refused.append(error)


def test_a_second_thread_is_refused_and_disturbs_nothing() -> None:
    decoder = ops.Decoder(SPEC, [(1, 4 + CLASSES, CELLS**2)])
    works = [Work(decoder, seed) for seed in range(4)]
    threads = [threading.Thread(target=work.run) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [error for work in works for error in work.refused]
    assert [work.wrong for work in works] == [0] * 4
    assert refused and "another thread" in str(refused[0]) and "for each thread" in str(refused[0].hint)
    assert all(work.decode() == work.expected for work in works), "it is free again"


def test_a_refused_call_leaves_the_decoder_free() -> None:
    decoder = ops.Decoder(SPEC, [(1, 4 + CLASSES, CELLS**2)])
    work = Work(decoder, 0)
    with pytest.raises(SpecError, match="float32"):
        decoder([work.tensors[0].astype(np.float64)], FRAME, LIMITS, decoder.class_mask([0]), work.boxes, work.counts)
    with pytest.raises(SpecError, match="tensors"):
        decoder([], FRAME, LIMITS, decoder.class_mask([0]), work.boxes, work.counts)
    assert work.decode() == work.expected
