"""What each address of the page answers."""

from __future__ import annotations

import asyncio
import logging
import time
from math import ceil
from typing import Any, Dict, Optional
from urllib.parse import parse_qs

from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.files.read import parse_json_object
from edge_runtime.sinks import SavePlaces
from edge_runtime.sinks._web import assets, places
from edge_runtime.sinks._web.answers import JSON, Answers
from edge_runtime.sinks._web.connection import Connection, Refused, Request
from edge_runtime.sinks._web.guard import READING, Guard
from edge_runtime.sinks._web.live import Live
from edge_runtime.sinks._web.state import State, dumps, plain
from edge_runtime.sinks._web.streams import Stream, Streams
from edge_runtime.text.escape import printable

HTML = "text/html; charset=utf-8"
log = logging.getLogger("edge_runtime")


class Site(Answers):
    """Answers requests.

    Args:
        guard: who may ask.
        state, streams: what is shown.
        live: answers that do not end.
        save: see `SinkOptions`.
    """

    def __init__(self, guard: Guard, state: State, streams: Streams, live: Live, save: Optional[SavePlaces]) -> None:
        super().__init__(guard)
        self._state, self._streams, self._live, self._save = state, streams, live, save
        self._saved: Dict[str, Dict[str, Any]] = {}  # until the results show them

    def snapshot(self) -> Dict[str, Any]:
        """Everything that a page shows, but the pictures."""
        return {
            "time": time.time(),
            "streams": [self._about(stream) for stream in self._streams.all()],
            "can_save": self._save is not None,
            "login": self._guard.needs_token,
            **self._state.snapshot(),
        }

    async def _route(self, connection: Connection, request: Request) -> None:
        if request.path == "/icon.svg" and request.method in READING:
            return await self._send(connection, 200, "image/svg+xml", assets.ICON)
        if request.path == "/login":
            return await self._log_in(connection, request)
        if not self._guard.is_allowed(request.headers, request.peer):
            return await self._ask_for_token(connection, request)
        if request.path == "/logout" and request.method == "POST":
            cookie = self._guard.log_out(request.headers)
            return await self._send(connection, 303, JSON, b"", {"Location": "/", "Set-Cookie": cookie})
        if request.path == "/zones" and request.method in ("PUT", "POST"):
            return await self._put_places(connection, request)
        if request.method not in READING:
            raise Refused(405, "this address cannot be written", headers=[("Allow", "GET, HEAD")])
        await self._read(connection, request)

    async def _read(self, connection: Connection, request: Request) -> None:
        path, endless = request.path, request.method == "GET"
        if path == "/":
            html, policy = assets.page()
            return await self._send(connection, 200, HTML, html, {"Content-Security-Policy": policy})
        if path == "/state.json":
            return await self._send(connection, 200, JSON, dumps(self.snapshot()))
        if path == "/zones":
            return await self._send(connection, 200, JSON, dumps(self._all_places()))
        if path == "/events" and endless:
            return await self._live.events(connection, self.snapshot)
        if path == "/pictures" and endless:
            return await self._live.pictures(connection)
        if path.startswith("/picture/") and path.endswith(".jpg"):
            picture = self._state.picture(path[len("/picture/") : -len(".jpg")])
            if picture is not None:
                return await self._send(connection, 200, "image/jpeg", picture)
        stream = self._stream_of(path)
        if stream is None or not endless:
            raise Refused(404, "there is nothing at this address")
        await self._live.mjpeg(connection, stream)

    async def _log_in(self, connection: Connection, request: Request) -> None:
        if request.method != "POST":
            raise Refused(405, "the token is sent by POST", headers=[("Allow", "POST")])
        given = parse_qs(request.body.decode("latin-1")).get("token", [""])[0]
        if not self._guard.is_token(given, request.peer):
            return await self._ask_for_token(connection, request)
        headers = {"Location": "/", "Set-Cookie": self._guard.log_in()}
        await self._send(connection, 303, JSON, b"", headers)

    async def _ask_for_token(self, connection: Connection, request: Request) -> None:
        wait_s = self._guard.wait_s(request.peer)
        status, more = (429, {"Retry-After": str(ceil(wait_s))}) if wait_s > 0 else (401, {})
        if request.path not in ("/", "/login"):
            hint = "log in at /, or send the header Authorization: Bearer TOKEN"
            said = "too many wrong tokens" if wait_s > 0 else "this needs the token"
            raise Refused(status, said, hint, list(more.items()))
        html, policy = assets.login()
        said = f"Too many wrong tokens. Wait {ceil(wait_s)} s." if wait_s > 0 else ""
        said = said or ("This is not the token." if request.path == "/login" else "")
        html = html.replace(b"<!--SAID-->", said.encode())
        await self._send(connection, status, HTML, html, {"Content-Security-Policy": policy, **more})

    async def _put_places(self, connection: Connection, request: Request) -> None:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise Refused(415, "lines and zones are sent as application/json")
        try:
            name, lines, zones = places.read(parse_json_object(request.body.decode("utf-8")))
        except (ValueError, UsageError) as error:
            raise Refused(422, str(error), getattr(error, "hint", None) or "") from error
        stream = self._streams.named(name)
        if stream is None:
            raise Refused(404, f"no stream has the name {printable(name)}")
        if self._save is not None:
            await self._call(self._save, stream, lines, zones)
        texts = {"toml": places.toml(lines, zones), "flags": places.flags(lines, zones)}
        await self._send(connection, 200, JSON, dumps({"saved": self._save is not None, **texts}))

    async def _call(self, save: SavePlaces, stream: Stream, lines: Any, zones: Any) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(None, save, stream.source, lines, zones)
        except EdgeError as error:
            raise Refused(422, str(error), error.hint or "") from error
        except Exception as error:
            log.warning("lines and zones of the page could not be saved: %s", error)
            raise Refused(500, "they could not be saved", "the log says why") from error
        self._saved[stream.source] = places.plain(lines, zones)

    def _all_places(self) -> Dict[str, Any]:
        found = {s.name: self._saved.get(s.source, s.places) for s in self._streams.all()}
        return {"can_save": self._save is not None, "streams": plain(found)}

    def _about(self, stream: Stream) -> Dict[str, Any]:
        width, height = stream.image_wh
        return {
            "number": stream.number, "source": printable(stream.source), "name": stream.name, "size": [width, height],
        }  # fmt: skip

    def _stream_of(self, path: str) -> Optional[Stream]:
        is_stream = path.startswith("/stream/") and path.endswith(".mjpeg")
        return self._streams.named(path[len("/stream/") : -len(".mjpeg")]) if is_stream else None
