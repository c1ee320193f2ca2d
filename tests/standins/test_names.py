"""Our code and the stand-ins, held against the names and arguments that NVIDIA's own bindings have.

What our code uses is derived from its source. Each real version is imported over libraries that do nothing; one that
cannot be had here skips with its reason.
"""

from __future__ import annotations

from typing import List

import pytest

from tests.standins.names import bindings, samples, source
from tests.standins.names.bindings import PYCUDA, RTX, Members, Unavailable
from tests.standins.names.source import Source
from tests.standins.names.uses import Use
from tests.standins.tensorrt_api import VERSIONS

# what each stand-in is held against: the same version, or the nearest that can be had
REAL = {
    "8.0": "8.6.1", "8.2": "8.6.1", "8.4": "8.6.1", "8.5": "8.6.1", "10.3": "10.3.0", "10.13": "10.13.3", "11": "11.4",
    "rtx": RTX,
}  # fmt: skip
SAME = ("8.5", "10.3", "10.13", "11", "rtx")


def real(version: str) -> Members:
    """Members of a real version, or a skip."""
    try:
        return bindings.members(version)
    except Unavailable as reason:
        pytest.skip(str(reason))


def faults(used: Source, members: Members) -> List[str]:
    """What is wrong with what is used, where the code gets to it."""
    return sorted(filter(None, (use.fault(members) for use in used.uses if use.reached(members))))


def lacking(standin: Members, members: Members) -> List[str]:
    """What a stand-in has and the real one has not."""
    return sorted(
        f"{owner}.{name}" for owner in standin for name in standin[owner] if name not in members.get(owner, {})
    )


def taken(standin: Members, members: Members) -> List[str]:
    """Where a stand-in can be called with a number of arguments that the real one does not take."""
    found = set()
    for owner, names in standin.items():
        for name, given in ((name, given) for name, member in names.items() for given in member["calls"]):
            if not any(argument.startswith("*") for argument, _ in given):
                counts = {sum(must for _, must in given), len(given)}
                calls = [Use(owner, name, "call", (count, ()), frozenset(), "the stand-in") for count in counts]
                found.update(call.fault(members) for call in calls)
    return sorted(found - {""})


def missed(used: Source, standin: Members, members: Members) -> List[str]:
    """What our code calls in the real one, and the stand-in has not."""
    called = [use for use in used.uses if use.reached(members)]
    return sorted({f"{use.owner}.{use.name}" for use in called if use.name not in standin.get(use.owner, {})})


@pytest.mark.parametrize("version", bindings.VERSIONS)
def test_the_real_version_has_what_our_code_uses(version: str) -> None:
    members, used = real(version), source.of_tensorrt()
    assert sum(use.reached(members) for use in used.uses) > 50  # an inference that finds nothing would prove nothing
    assert not faults(used, members)


def test_no_use_of_tensorrt_is_overlooked() -> None:
    for version in bindings.VERSIONS:
        real(version)
    used = source.of_tensorrt()
    assert not used.unknown, "which names are asked for here cannot be derived: write them out"
    assert not used.strangers, "names of TensorRT on objects that the inference does not follow"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stand_in_has_no_name_that_the_real_one_lacks(version: str) -> None:
    members, standin = real(REAL[version]), samples.tensorrt(version)
    assert not lacking(standin, members)
    assert not taken(standin, members)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stand_in_has_what_our_code_uses(version: str) -> None:
    members, standin = real(REAL[version]), samples.tensorrt(version)
    assert not faults(source.of_tensorrt(), standin)
    if version in SAME:
        assert not missed(source.of_tensorrt(), standin, members)


def test_pycuda_has_what_our_code_uses() -> None:
    members, used = real(PYCUDA), source.of_pycuda()
    assert sum(use.reached(members) for use in used.uses) > 30
    assert not faults(used, members)
    assert not used.unknown and not used.strangers
    assert len(used.held) == 1, "an expression in the table is no longer in the source"


def test_pycudas_stand_in_has_the_real_names() -> None:
    members, standin = real(PYCUDA), samples.pycuda()
    assert not lacking(standin, members)
    assert not taken(standin, members)
    assert not faults(source.of_pycuda(), standin)
    assert not missed(source.of_pycuda(), standin, members)
