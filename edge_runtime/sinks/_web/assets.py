"""The HTML of the page, in one file, and the policy that lets a browser run nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Dict, Tuple

FOLDER = Path(__file__).parent
SCRIPTS = ("shown.js", "charts.js", "pictures.js", "editor.js", "main.js")
COMMON: Dict[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser sends the form of the token with "Origin: null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#0b63ce"/>'
    b'<path d="M4 7V4h3M9 4h3v3M12 9v3H9M7 12H4V9" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=None)
def page() -> Tuple[bytes, str]:
    """The page, and its content security policy."""
    script = "'use strict';\n" + "\n".join(map(_read, SCRIPTS))
    return _made(_read("page.html"), script)


@lru_cache(maxsize=None)
def login() -> Tuple[bytes, str]:
    """The page that asks for the token, and its content security policy. It runs no script."""
    return _made(_read("login.html"), "")


def _made(html: str, script: str) -> Tuple[bytes, str]:
    style = _read("style.css")
    html = html.replace("<!--HEAD-->", _read("head.html")).replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    scripts = f"script-src {_hash(script)}; " if script else ""
    policy = (
        f"default-src 'none'; {scripts}style-src {_hash(style)}; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return html.encode(), policy


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
