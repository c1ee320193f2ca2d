"""Work that is done once, whoever asks for it and how many at the same time."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Callable, List

import pytest

from edge_runtime import libraries
from edge_runtime.libraries.once import once


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Runs it in threads that begin together."""
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait(10)
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def test_one_thread_works_and_all_get_its_result() -> None:
    made: List[object] = []

    @once
    def make() -> object:
        time.sleep(0.1)
        made.append(object())
        return made[-1]

    got: List[object] = []
    at_once(8, lambda _: got.append(make()))
    assert len(made) == 1 and got == made * 8


def test_each_argument_has_its_own_result_and_one_may_ask_for_another() -> None:
    @once
    def up_to(number: int) -> List[int]:
        return [*up_to(number - 1), number] if number else [0]

    assert up_to(3) == [0, 1, 2, 3] and up_to(3) is up_to(3) and up_to(2) is not up_to(3)


def test_an_error_is_not_kept() -> None:
    calls: List[int] = []

    @once
    def work() -> int:
        calls.append(0)
        if len(calls) == 1:
            raise ValueError("the first time")
        return len(calls)

    with pytest.raises(ValueError, match="the first time"):
        work()
    assert (work(), work()) == (2, 2)


def test_a_result_that_is_there_is_not_waited_for() -> None:
    """A run goes on while another library is loaded."""
    inside, go_on = threading.Event(), threading.Event()

    @once
    def loaded(name: str) -> str:
        if name == "big":
            inside.set()
            assert go_on.wait(10)
        return name

    loaded("small")
    slow = threading.Thread(target=loaded, args=("big",))
    slow.start()
    assert inside.wait(10) and loaded("small") == "small"
    go_on.set()
    slow.join(10)


def test_libraries_loaded_side_by_side_leave_stderr_and_modules_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a library prints while it is loaded is held back; another thread must not take that place for stderr."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before, modules = sys.stderr, set(sys.modules)
    for number in range(6):
        (tmp_path / f"slow_{number}.py").write_text(
            f"import time\ntime.sleep({0.05 * (number % 3 + 1)})\n", encoding="utf-8"
        )
    at_once(6, lambda number: libraries.load_library(f"slow_{number}"))
    assert sys.stderr is before
    assert set(sys.modules) - modules == {f"slow_{number}" for number in range(6)}
