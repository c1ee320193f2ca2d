"""How a command ends: a reader that leaves is no error, any other broken pipe is one."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace

import pytest

from edge_runtime.cli import _guard

PRINTS = """
import sys
from argparse import Namespace
from edge_runtime.cli import _guard
def main(args):
    {body}
    return 0
sys.exit(_guard.guarded(main, Namespace(verbose=False)))
"""


@pytest.mark.parametrize("body", ["print('x' * 100_000)", "print('x')", "sys.stdout.write('x'); sys.stdout.flush()"])
def test_a_reader_that_leaves_is_a_normal_end(body: str) -> None:
    """Whether the text is written at once or only when all is done."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", PRINTS.format(body=body)],
        stdout=write,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stdout_is_no_error() -> None:
    code = PRINTS.format(body="print('x')")
    done = subprocess.run(
        f'"{sys.executable}" -c "{code}" >&-', shell=True, stderr=subprocess.PIPE, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_another_pipe_that_breaks_is_an_error() -> None:
    code = PRINTS.format(body="raise BrokenPipeError('the worker is gone')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1 and "error: BrokenPipeError: the worker is gone" in done.stderr


def test_ctrl_c_is_130() -> None:
    def main(args: Namespace) -> int:
        raise KeyboardInterrupt

    assert _guard.guarded(main, Namespace(verbose=False)) == 130
