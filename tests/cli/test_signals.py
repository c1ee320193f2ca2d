"""SIGTERM and SIGHUP end every command as Ctrl-C does: once, and not where nohup says otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.hearing import heed_signals

NUMBERS = [signal.SIGTERM, signal.SIGHUP]


COMMAND = """
import os, signal, sys
from argparse import Namespace
from edge_runtime.cli import _guard, _signals
number, both = int(sys.argv[1]), _signals.ENDING
def command(_):
    try:
        os.kill(os.getpid(), number)
        signal.pause()
    finally:
        for again in both:
            os.kill(os.getpid(), again)
        print("finished")
    return 0
before = [signal.getsignal(number) for number in both]
code = _guard.guarded(command, Namespace(verbose=False))
assert [signal.getsignal(number) for number in both] == before, "what was set before is back"
sys.exit(code)
"""
ACTION = """
import os, sys
from edge_runtime.cli import _signals
with _signals.ending(lambda: print("called")):
    for _ in range(2):
        os.kill(os.getpid(), int(sys.argv[1]))
"""
INTERRUPTED = """
import signal
from edge_runtime.cli import _signals
class Careless:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
with _signals.interrupting(lambda: print("called", flush=True)):
    Careless()
    print("went on", flush=True)
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("raised")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def run(code: str, number: int) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a signal that no handler took would end the tests. Under nohup it heeds SIGHUP again."""

    command = [sys.executable, "-c", code, str(int(number))]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, preexec_fn=heed_signals)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_command_ends_as_by_ctrl_c_and_finishes_although_told_again(number: signal.Signals) -> None:
    child = run(COMMAND, number)
    assert child.returncode == 128 + signal.SIGINT and child.stdout == "finished\n", child.stderr


@pytest.mark.parametrize("number", NUMBERS)
def test_an_action_in_place_of_the_interrupt_is_called_once(number: signal.Signals) -> None:
    child = run(ACTION, number)
    assert child.returncode == 0 and child.stdout == "called\n", child.stderr


def test_what_is_ignored_stays_so() -> None:
    code = (
        "import os, signal\nfrom edge_runtime.cli import _signals\n"
        "with _signals.ending(): os.kill(os.getpid(), signal.SIGHUP)\nprint('went on')"
    )
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", preexec_fn=ignore)
    assert child.stdout == "went on\n", child.stderr


def test_ctrl_c_calls_its_action_although_python_loses_the_exception() -> None:
    child = run(INTERRUPTED, signal.SIGINT)
    assert child.stdout.split("\n")[:3] == ["called", "went on", "raised"], child.stderr
