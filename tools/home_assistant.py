"""A real Home Assistant, a real Mosquitto and edge-detect: whether what is announced comes, goes and comes back.

python -m venv hass && hass/bin/pip install homeassistant==2025.4.4       # with Python 3.13
python tools/home_assistant.py --hass hass/bin/hass      # into tools/reference/home_assistant.{json,md}; 5 minutes

Home Assistant runs in a folder of its own, with MQTT and an integration of ours that writes down what it knows. At its
first start it installs the packages of its page. edge-detect is killed and started again, Home Assistant too, then it
runs with another source, and then names that mean something to templates and topics come through the sink.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from bench import report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from hass.running import HomeAssistant  # noqa: E402

from edge_runtime.sinks import mqtt  # noqa: E402
from edge_runtime.sinks._entities import topic_of  # noqa: E402
from edge_runtime.sinks._topics import level  # noqa: E402
from tests.sinks.brokers import Broker, Subscriber, event, until  # noqa: E402
from tests.sources.mjpeg import MjpegServer  # noqa: E402
from tests.text.nasty import NASTY  # noqa: E402

TARGET = ROOT / "tools" / "reference" / "home_assistant.json"
ENGINE, PHOTOS = ROOT / "engines" / "yolo_nano_voc_int8.onnx", ROOT / "edge_runtime" / "sources" / "photos"
JPEG = (PHOTOS / "astronaut.jpg").read_bytes()
PREFIX = "küche"  # Home Assistant takes no such topic of discovery, so ours must be another
WORDS = (*(name for name in NASTY if name), "keys", "connection", "picture", "😀", "a/b", "{{ 1 }}", PREFIX)
LIMIT_S = 60.0
STREAM = '[[stream]]\nname = "{}"\nsource = "{}"\nloop = {}\n'


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hass", type=Path, required=True, help="the executable of Home Assistant")
    args = parser.parse_args(argv)
    conditions = report.machine(("paho-mqtt",))
    conditions["versions"]["homeassistant"] = _said([str(args.hass), "--version"]).strip()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trial = Trial(stack, folder, args.hass)
        tables = [trial.real(), trial.names()]
        complaints = trial.home.complaints()
    tables.append(report.figures("What Home Assistant complained of", {"warnings and errors": len(complaints)}))
    tables[-1].notes += complaints[:20]
    report.save(TARGET, "MQTT discovery in a real Home Assistant", conditions, tables)
    for table in tables:
        print(table.markdown())
    return 0


class Trial:
    """A broker, a camera and Home Assistant, all running until the stack ends."""

    def __init__(self, stack: ExitStack, folder: Path, hass: Path) -> None:
        (folder / "broker").mkdir()
        self._stack, self._folder = stack, folder
        self.figures: Dict[str, Any] = {}
        self._broker = Broker(folder / "broker")
        stack.callback(self._broker.kill)
        self._heard = Subscriber(self._broker.port)
        stack.callback(self._heard.close)
        self._camera = MjpegServer(jpegs=[JPEG], pause_s=0.2)
        stack.callback(self._camera.stop)
        self.home = HomeAssistant(hass, folder / "hass", self._broker.port)
        self.home.start()
        stack.callback(lambda: self.home.stop())

    def real(self) -> report.Table:
        """edge-detect with a camera and a clip; killed, started again, and started with another source."""
        door, clip, yard = ("door", self._camera.url, "false"), ("clip", "demo", "true"), ("yard", "demo", "true")
        run = self._detect(door, clip)
        classes = "door/count/person", "clip/count/person"
        self._step("all that was announced has values", lambda: self._all_live(*classes))
        self._values()
        run.kill()
        self._step("edge-detect was killed: all are unavailable", self._all_away)
        run = self._detect(door, clip)
        self._step("edge-detect started again: all have values", self._all_live)
        self._restart()
        self._step("Home Assistant started again: all have values", lambda: self._all_live("door/picture"))
        _end(run)
        run = self._detect(clip, yard)
        self._step(
            "edge-detect started with `yard` in place of `door`: those of `door` are gone",
            lambda: self._all_live("yard/count/person") and not self._has("door/"),
        )
        self.figures["entities of `clip` then"] = sum("/clip/" in name for name in self._mine())
        self._restart()
        self._step("Home Assistant started again: the same", lambda: self._all_live("yard/count/person"))
        self._reload(run, clip, yard, door)
        self._step("a reload added `door`: its entities are there", lambda: self._all_live("door/picture"))
        self._reload(run, clip, yard)
        self._step("a reload removed `door`: they are gone", lambda: self._all_live() and not self._has("door/"))
        _end(run)
        device = next(each for each in self.home.devices() if each[1] == "edge-runtime")
        notes = (f"The device: {', '.join(device)}.", "Seconds: until it was so.")
        return report.figures("edge-detect with a camera and a clip", self.figures, *notes)

    def names(self) -> report.Table:
        """Names of sources and classes that mean something elsewhere. Every other source has its class in view."""
        sink = mqtt.open_events(f"mqtt://127.0.0.1:{self._broker.port}/{PREFIX}?spool={self._folder / 'names'}")
        assert sink._discovery is not None
        for number, word in enumerate(WORDS):
            in_view = {word: number} if number % 2 else {}
            sink.take(event(3 * number + 1, "counts", word, data={"in_view": in_view, "objects": {word: 99}}))
            sink.take(event(3 * number + 2, "source", word, data={"state": "live"}))
            sink.take(event(3 * number + 3, "new", word, data={"label": word}, picture=JPEG))
        sink.take(event(3 * len(WORDS) + 1, "status", "", data={"fps": 1.5, "dropped": dict.fromkeys(WORDS, 0)}))
        topic, front = sink._discovery.topic, f"{sink._discovery._id}/"
        took = self._timed(lambda: self._announced(topic) and len(self._live(front)) == len(self._announced(topic)))
        found = {name[len(front) :]: each for name, each in self._live(front).items()}
        sink.close()
        counts = [found[f"{level(word)}/count/{level(word)}"]["state"] for word in WORDS]
        figures = {
            "sources, with as many classes": len(WORDS),
            "announced": len(self._announced(topic)),
            "entities with values": len(found),
            "counts that are right": sum(said == str(place % 2 * place) for place, said in enumerate(counts)),
            "connections that are on": sum(each["state"] == "on" for each in found.values()),
            "pictures that are right": sum(each["picture"] == _sha(JPEG) for each in found.values()),
            "seconds until it was so": took,
        }
        return report.figures("Names that mean something to templates and topics", figures)

    def _write(self, *streams: Sequence[str]) -> Path:
        site = self._folder / "site.toml"
        site.write_text(
            f'engine = "{ENGINE}"\ntrack = true\n' + "".join(STREAM.format(*each) for each in streams), encoding="utf-8"
        )
        return site

    def _detect(self, *streams: Sequence[str]) -> Any:
        """Starts edge-detect."""
        site = self._write(*streams)
        target = f"mqtt://127.0.0.1:{self._broker.port}/site/hall?spool={self._folder / 'spool'}"
        command = [sys.executable, "-m", "edge_runtime.cli.detect", "--config", str(site), "--target-fps", "5"]
        said = self._stack.enter_context((self._folder / "said.txt").open("a"))
        run = subprocess.Popen([*command, "--output", target], cwd=ROOT, stdout=said, stderr=said)
        self._stack.callback(run.wait)
        self._stack.callback(run.kill)
        return run

    def _reload(self, run: Any, *streams: Sequence[str]) -> None:
        self._write(*streams)
        run.send_signal(signal.SIGHUP)

    def _restart(self) -> None:
        self.home.stop()
        self.home.start()

    def _step(self, what: str, true: Callable[[], Any]) -> None:
        self.figures[what] = f"{self._timed(true)} s"

    def _timed(self, true: Callable[[], Any]) -> float:
        """Seconds until it is so. Says what there is if it does not come."""
        began_s = time.monotonic()
        try:
            until(true, LIMIT_S)
        except AssertionError:
            print(self._announced(), json.dumps(self.home.entities(), indent=1), *self.home.complaints(), sep="\n")
            raise
        return round(time.monotonic() - began_s, 1)

    def _announced(self, topic: str = "") -> List[str]:
        """Unique ids of the newest message, without those that it removes."""
        messages = (text for name, text, _ in reversed(list(self._heard.messages)) if _is_discovery(name, topic))
        components = json.loads(next(messages, b'{"components":{}}'))["components"]
        return [each["unique_id"] for each in components.values() if topic_of(each)]

    def _mine(self) -> Dict[str, Dict[str, Any]]:
        return {name: each for name, each in self.home.entities().items() if name.startswith("edge_site_hall")}

    def _has(self, part: str) -> bool:
        return any(f"/{part}" in name for name in self._mine())

    def _live(self, front: str) -> Dict[str, Dict[str, Any]]:
        away = ("unavailable", "unknown")
        found = self.home.entities().items()
        return {name: each for name, each in found if name.startswith(front) and each["state"] not in away}

    def _all_live(self, *parts: str) -> bool:
        announced = self._announced()
        whole = bool(announced) and set(announced) == set(self._mine()) == set(self._live("edge_site_hall"))
        return whole and all(map(self._has, parts))

    def _all_away(self) -> bool:
        return {each["state"] for each in self._mine().values()} == {"unavailable"}

    def _values(self) -> None:
        mine, topic = self._mine(), "site/hall/sources/door/picture"
        counts = [each["state"] for name, each in mine.items() if "/count/" in name]
        self.figures["entities"] = len(mine)
        self.figures["frames per second"] = next(each["state"] for name, each in mine.items() if name.endswith("/fps"))
        self.figures["connection of the camera"] = next(
            each["state"] for name, each in mine.items() if name.endswith("door/connection")
        )
        self.figures["counts; those that are whole numbers"] = f"{len(counts)}; {sum(map(str.isdigit, counts))}"
        self._step("the picture is the one that was sent", lambda: self._shown("door") == _sha(self._heard.last(topic)))

    def _shown(self, source: str) -> str:
        return next(each["picture"] for name, each in self._mine().items() if name.endswith(f"/{source}/picture"))


def _end(run: Any) -> None:
    run.terminate()
    run.wait(LIMIT_S)


def _is_discovery(name: str, topic: str) -> bool:
    return name == topic if topic else name.startswith("homeassistant/device/edge_site_hall")


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
