"""TLS before a server on the loopback, with a certificate of its own."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest


def certificate(folder: Path, *more: str) -> Path:
    """A file with a key and a certificate that nobody vouches for, as cameras have. Args: more: of openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    path = folder / "camera.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera", *more]
    subprocess.run(["openssl", *made, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(
        path.read_text(encoding="utf-8") + Path(f"{path}.crt").read_text(encoding="utf-8"), encoding="utf-8"
    )
    return path


class Front:
    """Takes connections with TLS and hands them on, from construction to `stop()`."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._to, self._context = port, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(str(certificate))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                plain = self._listening.accept()[0]
                with suppress(OSError):  # of the handshake: the client trusts us not
                    self._connect(self._context.wrap_socket(plain, server_side=True))

    def _connect(self, near: ssl.SSLSocket) -> None:
        far = socket.create_connection(("127.0.0.1", self._to))
        for here, there in ((near, far), (far, near)):
            threading.Thread(target=self._copy, args=(here, there), daemon=True).start()

    @staticmethod
    def _copy(here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while True:
                content = here.recv(65536)
                if not content:
                    break
                there.sendall(content)
        with suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)
        here.close()
