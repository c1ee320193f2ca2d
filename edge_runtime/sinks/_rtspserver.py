"""A server of RTSP, by GStreamer, in a thread of its own."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any, Callable, NamedTuple, Set

from edge_runtime.errors import BackendUnavailable, SinkError
from edge_runtime.imaging.gst import load_gst
from edge_runtime.libraries.once import once
from edge_runtime.libraries.rounds import Rounds
from edge_runtime.sinks._address import Address

PACKAGE = "sudo apt install gir1.2-gst-rtsp-server-1.0"
MOST = 32  # connections, and sessions
TICK_S = 2
END_S = 3.0
ROLE = "viewer"
PUSH = "this serves pictures, and sends them to no other server: MediaMTX and others can take them from here"


class Library(NamedTuple):
    """GStreamer's modules for Python."""

    gst: Any
    glib: Any
    rtsp: Any
    server: Any


@once
def load_library() -> Library:
    """GStreamer with its server.

    Raises:
        BackendUnavailable: a part is missing.
    """
    gst = load_gst()
    try:
        require = import_module("gi").require_version
        require("GstRtsp", "1.0")
        require("GstRtspServer", "1.0")
        names = ("GLib", "GstRtsp", "GstRtspServer")
        return Library(gst, *(import_module(f"gi.repository.{name}") for name in names))
    except (ImportError, ValueError) as error:
        raise BackendUnavailable(f"no RTSP server of GStreamer: {error}", hint=PACKAGE) from error


class RtspServer:
    """Serves mounts until it is closed. Pictures go over the connection of each viewer, and by no other port.

    Args:
        address: where; with user and password it asks for them, by Digest.
        tick: called every few seconds, in the server's thread.

    Raises:
        BackendUnavailable: GStreamer or its server is missing.
        SinkError: the address is taken, or is not of this machine.
    """

    def __init__(self, address: Address, tick: Callable[[], None]) -> None:
        self._library = load_library()
        self._rounds = (
            Rounds("ending sessions of RTSP", lambda: self._sessions.cleanup()),
            Rounds("limiting connections of RTSP", self._limit),
            Rounds("looking after streams of RTSP", tick),
        )
        self._closed = threading.Event()
        self._paths: Set[str] = set()
        self._server = self._library.server.RTSPServer()
        self._server.set_address(address.host)
        self._server.set_service(str(address.port))
        self._mounts = self._server.get_mount_points()
        self._sessions = self._server.get_session_pool()
        self._sessions.set_max_sessions(MOST)
        self._server.get_thread_pool().set_max_threads(0)  # connections live and end in one thread, see `end`
        self._asks = bool(address.user)
        if self._asks:
            self._ask(address)
        self._context = self._library.glib.MainContext.new()
        self._listen(address)
        self._thread = threading.Thread(target=self._work, name="rtsp server", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._server.get_bound_port())

    def factory(self, launch: str, configure: Callable[[Any], None]) -> Any:
        """A place for one stream, whose pipeline runs once for all viewers, and only while there are some.

        Args:
            configure: called with the media when the pipeline is made for the first viewer.
        """
        factory = self._library.server.RTSPMediaFactory(launch=launch, shared=True)
        factory.set_protocols(self._library.rtsp.RTSPLowerTrans.TCP)
        factory.connect("media-configure", lambda _, media: configure(media))
        if self._asks:
            permissions = self._library.server.RTSPPermissions()
            role = f"{ROLE},media.factory.access=true,media.factory.construct=true"
            permissions.add_role_from_structure(self._library.gst.Structure.new_from_string(role))
            factory.set_permissions(permissions)
        return factory

    def mount(self, path: str, factory: Any) -> None:
        """Serves a stream at a path from now on."""
        self._mounts.add_factory(path, factory)
        self._paths.add(path)

    def unmount(self, path: str) -> None:
        """Serves nothing at a path any more. Viewers stay until `end`."""
        self._mounts.remove_factory(path)
        self._paths.discard(path)

    def end(self, media: Any) -> None:
        """Ends the connections of all who watch this, soon.

        A connection that is closed in another thread while it is read may be read for ever.
        """
        if self._closed.is_set():  # the thread ends all connections itself
            return
        answers = self._library.server.RTSPFilterResult

        def watches(client: Any) -> bool:
            sessions = client.session_filter(None)
            return any(each.get_media() is media for session in sessions for each in session.filter(None))

        def drop(*_: Any) -> bool:
            self._server.client_filter(lambda _, client: answers.REMOVE if watches(client) else answers.KEEP)
            return False

        soon = self._library.glib.idle_source_new()
        soon.set_callback(drop)
        soon.attach(self._context)

    def close(self) -> None:
        """Ends all connections and the thread. It may be called more than once."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._context.wakeup()
        self._thread.join(END_S)
        for path in list(self._paths):  # a factory and its stream keep each other in memory
            self.unmount(path)

    def _ask(self, address: Address) -> None:
        auth, token = self._library.server.RTSPAuth(), self._library.server.RTSPToken()
        auth.set_supported_methods(self._library.rtsp.RTSPAuthMethod.DIGEST)
        token.set_string("media.factory.role", ROLE)
        auth.add_digest(address.user, address.password, token)
        self._server.set_auth(auth)

    def _listen(self, address: Address) -> None:
        place = f"{address.host}:{address.port}"
        try:
            self._server.create_socket(None).close()  # says why it cannot, which `attach` does not
        except Exception as error:  # GLib.Error, which has no name here before gi is imported
            fact = f"pictures cannot be served on {place}: {getattr(error, 'message', error)}"
            raise SinkError(fact, hint=f"does another server run there? give another port; {PUSH}") from error
        self._source = self._server.attach(self._context)
        if not self._source:
            raise SinkError(f"pictures cannot be served on {place}", hint="does another server run there?")

    def _work(self) -> None:
        self._context.push_thread_default()
        timer = self._library.glib.timeout_source_new_seconds(TICK_S)
        timer.set_callback(self._look_after)
        timer.attach(self._context)
        while not self._closed.is_set():
            self._context.iteration(True)
        timer.destroy()
        remove = self._library.server.RTSPFilterResult.REMOVE
        self._context.find_source_by_id(self._source).destroy()
        self._server.client_filter(lambda *_: remove)
        self._sessions.filter(lambda *_: remove)
        self._context.pop_thread_default()

    def _look_after(self, *_: Any) -> bool:
        """Ends sessions of viewers that have gone without a word, and looks after all else.

        GLib forgets a timer whose function raises.
        """
        for look in self._rounds:
            look()
        return True

    def _limit(self) -> None:
        """Ends, of too many connections, those that show nothing. The oldest of them are first in the list."""
        clients = sorted(self._server.client_filter(None), key=lambda client: bool(client.session_filter(None)))
        for client in clients[: max(0, len(clients) - MOST)]:
            client.close()
