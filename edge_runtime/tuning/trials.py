"""The two measurements of an open detector: images per second of the real source, and the time of one image alone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from statistics import median
from time import perf_counter, sleep
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime import sources as source_family
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import SourceError
from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import Source, SourceOptions
from edge_runtime.types import Frame

WINDOW_S = 0.15
IMAGES = 5  # least images in a window of latency


class Repeated:
    """A source that many pipelines read one after the other. At its end it is opened again; their end is not its own.

    It is a second reader of the file. The run that follows reads the file from its beginning, and loses no frame.
    """

    def __init__(self, target: str, options: SourceOptions) -> None:
        self._target, self._options = target, replace(options, loop=False)
        self._source: Source = source_family.open(target, self._options)
        self.name, self.live, self.fps = self._source.name, self._source.live, self._source.fps
        self.frame_count = None if options.loop else self._source.frame_count
        self.description, self.skipped = self._source.description, self._source.skipped

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`. None only if a freshly opened source has no frame."""
        try:
            frame = self._source.read(buffer)
        except SourceError:  # a file that is damaged further on
            frame = None
        if frame is None:
            self._source.close()
            self._source = source_family.open(self._target, self._options)
            frame = self._source.read(buffer)
        return frame

    def close(self) -> None:
        """Does nothing: the next pipeline reads on."""

    def end(self) -> None:
        """Closes the source."""
        self._source.close()


class Stopwatch:
    """Measures the rate of results.

    Counting begins when all slots are in work. It ends after whole turns of the streams, because their images may come
    in pairs.
    """

    def __init__(self, detector: Detector, clock: Callable[[], float] = perf_counter) -> None:
        backend = detector.backend
        self._turn = max(1, detector.options.streams) * backend.batch
        self._counted, self._began_s, self._clock = -backend.slots * backend.batch, 0.0, clock

    def rate(self) -> float:
        """Counts one result. Images per second, as soon as that is known; 0 until then."""
        now_s = self._clock()
        self._counted += 1
        if self._counted <= 0:
            self._began_s = now_s
        took_s = now_s - self._began_s
        done = self._counted >= 2 * self._turn and not self._counted % self._turn and took_s >= WINDOW_S
        return self._counted / max(took_s, 1e-9) if done else 0.0


def throughput(detector: Detector, sources: Sequence[Source]) -> float:
    """Images per second in a pipeline over the sources, with its threads for reading and preparing.

    Raises:
        SourceError: the sources have no frame. Other errors are those of a run.
    """
    watch = Stopwatch(detector)
    results = iter(Pipeline(detector, sources, warmup=0))
    with closing(results):  # type: ignore[type-var]
        for result in results:
            del result  # so that its buffer is used again
            rate = watch.rate()
            if rate:
                return rate
    raise SourceError(f"{sources[0].name} ended", hint="it has no frames")


def latency(
    detector: Detector, size_wh: Tuple[int, int], fps: float, clock: Callable[[], float] = perf_counter
) -> float:
    """1 / seconds of one image alone, with preparation and decoding: the median. Images come at the source's rate."""
    image = np.full((*size_wh[::-1], 3), 127, np.uint8)
    taken: List[float] = []
    began_s = clock()
    while len(taken) < IMAGES or clock() - began_s < WINDOW_S:
        started_s = clock()
        detector.backend.enqueue(0, [image])
        detector.backend.wait(0)
        taken.append(clock() - started_s)
        sleep(max(0.0, 1 / fps - taken[-1]))
    return 1 / max(median(taken), 1e-9)
