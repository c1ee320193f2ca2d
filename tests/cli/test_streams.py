"""What a command prints on stderr arrives at once, in pipes too, and with Python's own buffers off as in containers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Dict

import pytest

SAYS = """
import os, sys
from edge_runtime.cli import _streams
with _streams.escaped():
    print("it was said", file=sys.stderr)
    os.write(2, b"and then done\\n")
    print("a result")
    {end}
"""


def said(env: Dict[str, str], end: str = "pass") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", SAYS.format(end=end)], env={**environment, **env}, capture_output=True, encoding="utf-8"
    )


@pytest.mark.parametrize("env", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_stderr_is_in_order(env: Dict[str, str]) -> None:
    done = said(env)
    assert (done.stdout, done.stderr) == ("a result\n", "it was said\nand then done\n")


@pytest.mark.parametrize("env", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_what_was_said_is_there_should_the_process_die(env: Dict[str, str]) -> None:
    assert said(env, "os._exit(0)").stderr == "it was said\nand then done\n"


def test_stdout_is_unbuffered_where_it_was_asked_for() -> None:
    assert said({"PYTHONUNBUFFERED": "1"}, "os._exit(0)").stdout == "a result\n"
