"""A real Prometheus on a free port of loopback, which scrapes a sink; what a sink answers; a live source."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import urlencode, urlsplit

import pytest

from edge_runtime.loop.pipeline import Pipeline
from edge_runtime.sources import SourceState
from edge_runtime.types import Frame
from tests.loop.parts import Numbers
from tests.sinks.brokers import free_port, until

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: edge
    {more}
    static_configs: [{{targets: ["{target}"]}}]
"""


class Camera(Numbers):
    """Gives a frame every 20 ms; it has a state."""

    def __init__(self, count: int = 10_000, **about: Any) -> None:
        super().__init__(count, **about)
        if self.live:
            self.state = SourceState(self.name)

    def read(self, buffer: Any = None) -> Optional[Frame]:
        time.sleep(0.02)
        if self.live and self.state.name == "connecting":
            self.state.become("live")
        return super().read(buffer)


@contextmanager
def running(pipeline: Pipeline) -> Iterator[Any]:
    """Its first output, while it runs."""
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    try:
        yield pipeline.sinks[0]
    finally:
        pipeline.stop()
        thread.join()


def get(sink: Any, path: str, **headers: str) -> Tuple[int, str]:
    """Status and text of an answer."""
    place = urlsplit(sink.url)
    request = urllib.request.Request(f"http://{place.netloc}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metrics(sink: Any) -> Dict[str, Dict[Tuple[Tuple[str, str], ...], float]]:
    """The samples by name and labels, as Prometheus' own library reads them."""
    parser = pytest.importorskip("prometheus_client.parser")
    found: Dict[str, Dict[Tuple[Tuple[str, str], ...], float]] = {}
    status, text = get(sink, "/metrics")
    for family in parser.text_string_to_metric_families(text if status == 200 else ""):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), "a series comes twice"
            found[sample.name][labels] = sample.value
    return found


class Prometheus:
    """Args: more: of the configuration of the scrape."""

    def __init__(self, folder: Path, target: str, more: str = "") -> None:
        if PROMETHEUS is None:
            pytest.skip("no prometheus here")
        (folder / "prometheus.yml").write_text(CONFIG.format(target=target, more=more), encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        listen = f"--web.listen-address={urlsplit(self.url).netloc}"
        command = [
            PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", listen,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def query(self, text: str) -> List[Tuple[Dict[str, str], float]]:
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{urlencode({'query': text})}", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def targets(self) -> List[Dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/api/v1/targets", timeout=10) as answer:
            return list(json.load(answer)["data"]["activeTargets"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "prometheus did not start"
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=1).close()
        except OSError:
            return False
        return True
