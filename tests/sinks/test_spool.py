from __future__ import annotations

import resource
from pathlib import Path
from typing import List

import pytest

from edge_runtime import sinks
from edge_runtime.errors import UsageError
from edge_runtime.sinks._address import SPOOL, parse
from edge_runtime.sinks._spool import HELD_BYTES, Spool
from edge_runtime.sinks._topics import Message
from tests.sinks.brokers import event, until
from tests.sinks.hooks import Receiver

RECORD = b"r" * 1000


def numbers(spool: Spool) -> List[int]:
    return [number for number, _ in iter(spool.read, None)]  # type: ignore[misc]


def test_what_was_not_acknowledged_comes_again_and_a_torn_record_does_not(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20)
    for _ in range(10):
        spool.append(RECORD)
    spool.acknowledge(3)
    spool.close()
    (part,) = tmp_path.glob("*.spool")
    part.write_bytes(part.read_bytes()[:-1])
    again = Spool(tmp_path, 1 << 20)
    assert (again.torn, again.waiting, again.next) == (1, 5, 9)
    again.append(b"new")
    assert numbers(again) == [4, 5, 6, 7, 8, 9]
    again.close()


def test_the_oldest_are_dropped_and_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20)
    for _ in range(3000):
        spool.append(RECORD)
    assert spool.lost > 0 and spool.waiting + spool.lost == 3000
    assert numbers(spool) == list(range(spool.lost, 3000))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1 << 20
    spool.close()


def test_a_full_disk_is_said_and_what_memory_keeps_is_written_later(tmp_path: Path) -> None:
    spool, (soft, hard) = Spool(tmp_path, 1 << 28), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        for _ in range(HELD_BYTES // 1000 + 200):
            spool.append(RECORD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "takes nothing" in spool.trouble and spool.lost > 0
    kept = spool.waiting
    spool.append(RECORD)
    assert spool.trouble == "" and spool.waiting == kept + 1
    found = numbers(spool)
    assert len(found) == kept + 1 and found == sorted(found)
    spool.close()


def test_what_a_full_disk_left_in_memory_comes_once_and_in_order(tmp_path: Path) -> None:
    spool, (soft, hard) = Spool(tmp_path, 1 << 20), resource.getrlimit(resource.RLIMIT_FSIZE)
    count = HELD_BYTES // 1000 + 200
    for number in range(count):
        if number == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # a file can be made, and nothing be written into it
        spool.append(b"%d" % number + bytes(1000))
    try:
        found = [(number, int(record.rstrip(b"\0"))) for number, record in iter(spool.read, None)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [number for number, _ in found] == [*range(5), *range(count - len(found) + 5, count)]
    assert all(number == written for number, written in found) and spool.lost == count - len(found)
    spool.close()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20)
    with pytest.raises(UsageError, match="being written"):
        Spool(tmp_path, 1 << 20)
    spool.close()


def test_after_the_end_a_record_is_lost_and_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20)
    spool.append(RECORD)
    spool.close()
    before = sorted(tmp_path.iterdir())
    spool.append(RECORD)
    spool.sync()
    assert (spool.lost, spool.waiting) == (1, 1) and sorted(tmp_path.iterdir()) == before
    again = Spool(tmp_path, 1 << 20)
    assert numbers(again) == [0]
    again.close()


def test_what_mqtt_left_in_the_same_folder_stops_no_webhook(tmp_path: Path) -> None:
    broker, receiver = parse(f"mqtt://127.0.0.1/a?spool={tmp_path}", {"mqtt": 1883}, SPOOL), Receiver()
    left = broker.spool("mqtt")
    left.append(Message("a/b", b"on").pack())
    sink = sinks.open_events(f"webhook+http://127.0.0.1:{receiver.port}/x#spool={tmp_path}")
    sink.take(event(1))
    until(lambda: sink.summary()["sent"] == 1)
    assert receiver.numbers() == [1] and left.waiting == 1
    for opened in (sink, left, receiver):
        opened.close()
