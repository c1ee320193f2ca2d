"""Damaged copies of good files: bytes, words and values changed at random, the same for the same seed."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any, List

WORDS = (
    b"NaN",
    b"Infinity",
    b"-1",
    b"0",
    b"1e999",
    b"-1e-45",
    b"1e30",
    b"1e-30",
    b"9" * 5000,
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b'"\\ud800"',
    b"\0",
    b"\xff\xfe",
    b"\xc2\xb2",
    b"\r",
    b"\n\n",
    b"[" * 5000,
    b"{" * 3000,
    b'{"a":' * 3000,
    b"a" * 70000,
    b"../../x",
    b"/dev/zero",
    b"0x7fffffffffffffff",
    b"4294967296",
    b"1.5",
    b'"',
    b"'",
    b"<",
    b",,,,",
    b"=",
    b"%s%n",
    b"1e3",
)
VALUES: List[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    1.5,
    -0.0,
    1e-45,
    1e30,
    1e-30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "a",
    "\0",
    "\ud800",
    "9" * 5000,
    "²",
    [],
    {},
    [[]],
    [0, 0],
    [None],
    {"a": 1},
    "../../etc",
    "x" * 70000,
    [1] * 5000,
    [[[[[1]]]]],
]


def mutated(good: bytes, chance: random.Random) -> bytes:
    """A copy with one to four faults; where it is JSON, half of the copies are whole JSON with odd values."""
    if chance.random() < 0.5:
        changed = _with_odd_values(good, chance)
        if changed is not None:
            return changed
    data = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        chance.choice((_flip, _cut, _remove, _repeat, _insert, _replace_word, _replace_word, _splice))(data, chance)
    return bytes(data)


def _with_odd_values(good: bytes, chance: random.Random) -> Any:
    try:
        content = json.loads(good)
    except ValueError:
        return None
    for _ in range(chance.randint(1, 3)):
        content = _odd(content, chance)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _odd(content: Any, chance: random.Random) -> Any:
    """The same with one value, key or entry changed, somewhere below."""
    if not isinstance(content, (dict, list)) or not content or chance.random() < 0.05:
        return copy.deepcopy(chance.choice(VALUES))
    place = chance.choice(list(content) if isinstance(content, dict) else range(len(content)))
    how = chance.random()
    if how < 0.1:
        del content[place]
    elif how < 0.2 and isinstance(content, dict):
        content[str(chance.choice(VALUES))] = content.pop(place)
    else:
        content[place] = _odd(content[place], chance)
    return content


def _at(data: bytearray, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        if data:
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[_at(data, chance) :]


def _remove(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    del data[at : at + chance.randint(1, 64)]


def _repeat(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    data[at:at] = bytes(data[at : at + chance.randint(1, 200)]) * chance.choice((1, 2, 50, 500))


def _insert(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    data[at:at] = chance.choice((*WORDS, bytes(chance.randrange(256) for _ in range(16))))


def _replace_word(data: bytearray, chance: random.Random) -> None:
    """A number or a word becomes another: what changes the meaning of a text and leaves its form."""
    found = list(re.finditer(rb"-?\d[\d.eE+-]*|\w+", bytes(data[: 1 << 16])))
    if found:
        word = chance.choice(found)
        data[word.start() : word.end()] = chance.choice(WORDS)


def _splice(data: bytearray, chance: random.Random) -> None:
    one, other = _at(data, chance), _at(data, chance)
    data[one:one] = bytes(data[other : other + chance.randint(1, 400)])
