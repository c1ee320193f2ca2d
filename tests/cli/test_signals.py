"""SIGTERM and SIGHUP end every command as Ctrl-C does: once, and not where nohup says otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import Namespace
from typing import List

import pytest

from edge_runtime.cli import _guard, _signals

NUMBERS = [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_command_ends_as_by_ctrl_c_and_finishes_although_told_again(number: signal.Signals) -> None:
    finished: List[bool] = []

    def command(_: Namespace) -> int:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            for again in NUMBERS:
                os.kill(os.getpid(), again)
            finished.append(True)
        return 0

    before = [signal.getsignal(number) for number in NUMBERS]
    assert _guard.guarded(command, Namespace(verbose=False)) == 128 + signal.SIGINT and finished == [True]
    assert [signal.getsignal(number) for number in NUMBERS] == before, "what was set before is back"


@pytest.mark.parametrize("number", NUMBERS)
def test_an_action_in_place_of_the_interrupt_is_called_once(number: signal.Signals) -> None:
    called: List[bool] = []
    with _signals.ending(lambda: called.append(True)):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert called == [True]


def test_what_is_ignored_stays_so() -> None:
    code = (
        "import os, signal\nfrom edge_runtime.cli import _signals\n"
        "with _signals.ending(): os.kill(os.getpid(), signal.SIGHUP)\nprint('went on')"
    )
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=ignore)
    assert child.stdout == "went on\n", child.stderr
