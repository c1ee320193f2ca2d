"""Inputs tried in forked children, so that a crash, a hang or too much memory ends one child and is noted."""

from __future__ import annotations

import gc
import os
import resource
import signal
import struct
import sys
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

SECONDS, BYTES = 30, 2 << 30
Fault = Tuple[int, str]


def tried(count: int, work: Callable[[int], str], room: int = BYTES) -> Tuple[Dict[str, int], List[Fault]]:
    """Runs `work(number)` for each number; what it returns is counted.

    A child goes on with the next number until it dies; the one it dies of is a fault.

    Args:
        room: bytes of address space of a child beside what Python and the libraries hold already.

    Returns:
        How often each outcome was seen, and the faults: number and reason. What `work` returns after "FAULT " is one.
    """
    outcomes: Dict[str, int] = {}
    faults: List[Fault] = []
    number = 0
    while number < count:
        for said in _child(number, count, work, room):
            if said.startswith("FAULT "):
                faults.append((number, said[6:]))
                said = "faults"
            outcomes[said] = outcomes.get(said, 0) + 1
            number += 1
    return outcomes, faults


def _child(first: int, count: int, work: Callable[[int], str], room: int) -> Iterator[str]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()  # else a child may destroy what has threads in the parent, such as a network of OpenVINO, and hang
    child = os.fork()
    if not child:
        os.close(reading)
        _work(range(first, count), work, writing, room)
    os.close(writing)
    done = first
    with os.fdopen(reading, "rb") as pipe:
        while True:
            head = pipe.read(4)
            if len(head) < 4:
                break
            yield pipe.read(struct.unpack("<I", head)[0]).decode("utf-8", "replace")
            done += 1
    status = os.waitpid(child, 0)[1]
    if done < count:
        yield f"FAULT {_death(status)}"


def _work(numbers: Any, work: Callable[[int], str], writing: int, room: int) -> None:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        held = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + room, held + room))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number in numbers:
            signal.alarm(SECONDS)
            try:
                said = work(number)
            except BaseException:
                said = f"FAULT {traceback.format_exc()[-3000:]}"
            signal.alarm(0)
            text = said.encode("utf-8", "replace")[: 1 << 14]
            os.write(writing, struct.pack("<I", len(text)) + text)
    finally:
        os._exit(0)


def _death(status: int) -> str:
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"no end in {SECONDS} s" if name == "SIGALRM" else f"killed by {name}"
    return f"left with exit code {os.WEXITSTATUS(status)}"
