"""Answers requests: who may ask, errors, and the headers of every answer."""

from __future__ import annotations

from typing import Dict, Optional

from edge_runtime.sinks._web import assets
from edge_runtime.sinks._web.connection import Connection, Refused, Request
from edge_runtime.sinks._web.guard import Guard
from edge_runtime.sinks._web.state import dumps

JSON = "application/json"


class Answers:
    """The base of what is served. Args: guard: who may ask."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def answer(self, connection: Connection, request: Request) -> None:
        """Answers one request.

        Raises:
            ConnectionError: the other side has gone.
        """
        try:
            self._check(request)
            await self._route(connection, request)
        except Refused as refused:
            await self.refuse(connection, refused)

    async def refuse(self, connection: Connection, refused: Refused) -> None:
        """Answers with an error."""
        body = dumps({"error": str(refused), **({"hint": refused.hint} if refused.hint else {})})
        await self._send(connection, refused.status, JSON, body, dict(refused.headers))

    async def _route(self, connection: Connection, request: Request) -> None:
        """Answers a request that comes from no other page. Raises Refused."""
        raise NotImplementedError

    def _check(self, request: Request) -> None:
        if not self._guard.knows_host(request.headers):
            hint = "open it by its IP address, or add its name to the output: ?name=NAME"
            raise Refused(421, "the request is for a machine of another name", hint)
        if self._guard.is_from_elsewhere(request.method, request.headers):
            raise Refused(403, "the request comes from the page of another server")

    async def _send(
        self, connection: Connection, status: int, kind: str, body: bytes, more: Optional[Dict[str, str]] = None
    ) -> None:
        policy = {"Content-Security-Policy": assets.NOTHING}
        headers = {**assets.COMMON, **policy, "Content-Type": kind, **(more or {})}
        await connection.answer(status, headers.items(), body)
