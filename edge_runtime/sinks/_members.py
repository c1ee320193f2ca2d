"""Finds the member of the family that opens a target."""

from __future__ import annotations

import re
from types import ModuleType

from edge_runtime import plugins
from edge_runtime.errors import UsageError
from edge_runtime.files import given
from edge_runtime.sinks._paths import AN_ADDRESS, SOURCE, written_path
from edge_runtime.sinks._unknown import ADDRESS, unknown
from edge_runtime.text import secrets


def resolved(target: str) -> str:
    """What stands in a variable or a file, `env:NAME` or `@FILE`; from here on no error shows its password.

    Raises:
        UsageError: there is no such text.
    """
    target = given.address(target, *AN_ADDRESS, options=True)
    secrets.public(target)
    return target


def member_of(target: str) -> ModuleType:
    """The member for a resolved target.

    Raises:
        UsageError: there is none.
    """
    try:
        member = plugins.pick("sinks", target)
    except UsageError as error:
        raise unknown(target) from error
    if ADDRESS.match(target) and not any(handle.endswith("://") for handle in member.HANDLES):
        raise unknown(target)  # https://host/hook/ is no folder, and kafka://host/out.csv no file
    return member


def of_events(member: ModuleType) -> bool:
    """Whether a member takes events alone."""
    return hasattr(member, "open_events")


def refuse_odd(target: str, member: ModuleType) -> None:
    """Refuses words in braces that have no meaning for this member.

    Raises:
        UsageError: there are some.
    """
    other = re.search(r"\{\w*\}", target.replace(SOURCE, ""))
    if of_events(member):
        if SOURCE in target:
            raise UsageError(f"{SOURCE} in {target!r}", hint="events of all sources go together; each names its source")
    elif other:
        raise UsageError(f"{other[0]} in {target!r} has no meaning", hint=f"{SOURCE} is the name of a source")
    elif SOURCE in target and written_path(target) is None:
        raise UsageError(f"{target!r} names no file", hint=f"{SOURCE} stands in names of files; leave it out here")
