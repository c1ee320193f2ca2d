"""Headless Chromium, driven over WebDriver's plain HTTP."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
START_S, CALL_S = 20.0, 30.0


class Browser:
    """One window."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"
        self._session = ""

    def start(self, folder: Path) -> None:
        """Opens the window; `folder` is the user's profile."""
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={folder}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def open(self, url: str) -> None:
        """Goes to an address."""
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str) -> Any:
        """Waits until a script returns something true."""
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s:
            found = self.run(f"return {script}")
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never: {script}")

    def click(self, css: str) -> None:
        """Clicks like a mouse, so what covers the element counts."""
        self._call("POST", f"/element/{self._find(css)}/click", {})

    def type(self, css: str, text: str) -> None:
        """Types into an element."""
        self._call("POST", f"/element/{self._find(css)}/value", {"text": text})

    def press(self, css: str, places: List[List[float]], kind: str = "mouse") -> None:
        """Presses at places of an element, which are fractions of it; as a mouse or a finger ("touch")."""
        box = self.run(f"const b = document.querySelector('{css}').getBoundingClientRect();"
                       "return [b.left, b.top, b.width, b.height]")  # fmt: skip
        actions: List[Dict[str, Any]] = []
        for x, y in places:
            actions += [
                {"type": "pointerMove", "x": round(box[0] + x * box[2]), "y": round(box[1] + y * box[3])},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ]
        pointer = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}
        self._call("POST", "/actions", {"actions": [pointer]})

    def view(self, width: int, height: int, scheme: str = "light") -> None:
        """Sets the size of the window's inside, CSS pixels, and the colours that the user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._tool("Emulation.setDeviceMetricsOverride", size)
        colours = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._tool("Emulation.setEmulatedMedia", colours)

    @contextmanager
    def visit(self, url: str, *known: str) -> Iterator[None]:
        """Opens an address, and at the end leaves it. No error is in the console, but for those with a known word."""
        self.open(url)
        yield
        errors = self.errors()
        self.open("about:blank")
        assert [line for line in errors if not any(word in line for word in known)] == []

    def errors(self) -> List[str]:
        """Errors of the console since the last call."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def end(self) -> None:
        """Closes the window."""
        if self._session:
            self._call("DELETE", "", None)

    def ready(self) -> bool:
        """Whether the driver takes requests."""
        try:
            return bool(self._send("GET", "/status", None)["ready"])
        except OSError:
            return False

    def _find(self, css: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": css})
        return str(next(iter(found.values())))

    def _tool(self, command: str, parameters: Dict[str, Any]) -> None:
        self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _call(self, method: str, path: str, body: Any) -> Any:
        session = f"/session/{self._session}" if self._session else "/session"
        return self._send(method, f"{session}{path}", body)

    def _send(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._root}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=CALL_S) as answer:
            return json.load(answer)["value"]


@contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """A browser. The test is skipped where there is none."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver: apt-get install chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(folder / "driver.log", "wb") as log:
        driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=log, stderr=log)
    browser = Browser(port)
    try:
        end_s = time.monotonic() + START_S
        while not browser.ready():
            assert time.monotonic() < end_s
            assert driver.poll() is None, (folder / "driver.log").read_text(encoding="utf-8")
            time.sleep(0.05)
        browser.start(folder / "profile")
        yield browser
    finally:
        if driver.poll() is None:
            browser.end()
        driver.terminate()
        driver.wait(10)
