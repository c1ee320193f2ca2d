"""GStreamer: loads it late, and says which of its elements are here. It needs PyGObject (extra `[stream]`)."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from importlib import import_module
from typing import Any, Optional

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries import causes
from edge_runtime.libraries.extras import install_hint
from edge_runtime.libraries.once import once
from edge_runtime.libraries.preload import inherited

PACKAGES = "sudo apt install libgirepository1.0-dev libcairo2-dev gstreamer1.0-plugins-good gstreamer1.0-libav"
FILES = {"nvv4l2decoder": "nvvideo4linux2", "v4l2src": "video4linux2", "decodebin": "playback", "jpegdec": "jpeg"}


@once
def load_gst() -> Any:
    """The module `Gst`, started.

    Raises:
        BackendUnavailable: PyGObject or GStreamer is missing.
    """
    with suppress(OSError):  # before GStreamer's libunwind; after it, exceptions of C++ libraries loaded later abort
        ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)
    try:
        import_module("gi").require_version("Gst", "1.0")
        gst = import_module("gi.repository.Gst")
    except (ImportError, ValueError) as error:
        fact, hint = causes.explain(f"no GStreamer: {error}", f"{PACKAGES}; {install_hint('stream')}")
        raise BackendUnavailable(fact, hint=hint) from error
    with inherited():
        gst.init(None)
    return gst


def has(element: str) -> bool:
    """Whether a kind of element is installed."""
    return load_gst().ElementFactory.find(element) is not None


def left_out(element: str) -> Optional[BackendUnavailable]:
    """Why an element is missing although its file exists: GStreamer never loads a file again that failed once."""
    gst = load_gst()
    for plugin in gst.Registry.get().get_plugin_list():
        path = plugin.get_filename() or ""
        named = os.path.basename(path).startswith(f"libgst{FILES.get(element, element)}")
        if named and plugin.flags & int(gst.PluginFlags.BLACKLISTED):
            return _refused(path)
    return None


def _refused(path: str) -> BackendUnavailable:
    try:
        ctypes.CDLL(path)
        reason = "it could not be loaded once"
    except OSError as error:
        reason = str(error)
    fact, hint = causes.explain(f"GStreamer leaves out {os.path.basename(path)}: {reason}", causes.REGISTRY)
    again = "" if hint is None or causes.REGISTRY in hint else f", then {causes.REGISTRY}"
    return BackendUnavailable(fact, hint=f"{hint}{again}")
