"""Uses of a binding module's names, and whether a version has what they need."""

from __future__ import annotations

from typing import Any, FrozenSet, List, NamedTuple, Optional, Tuple

from tests.standins.names.bindings import Members


class Condition(NamedTuple):
    """`hasattr(owner, name) is there`."""

    owner: str
    name: str
    there: bool


Needs = FrozenSet[Condition]
NONE: Needs = frozenset()


class Use(NamedTuple):
    """One use of a name.

    Attributes:
        owner: class, "" the module.
        how: "read", "set", "call" or "override".
        given: number of arguments and names of those given by name; None where that is not known.
        needs: guards that hold there.
        where: file:line.
    """

    owner: str
    name: str
    how: str
    given: Optional[Tuple[int, Tuple[str, ...]]]
    needs: Needs
    where: str

    def reached(self, members: Members) -> bool:
        """Whether the code is run with a version that has these members."""
        return all((need.name in members.get(need.owner, {})) == need.there for need in self.needs)

    def fault(self, members: Members) -> str:
        """What is wrong with it there; "" where nothing is."""
        said = f"{self.where}: {self.owner or 'the module'}.{self.name}"
        found = members.get(self.owner, {}).get(self.name)
        if found is None:
            return f"{said} is not there"
        if self.how == "set" and found["kind"] == "property":
            return f"{said} cannot be set"
        if self.given is not None and found["calls"] and not any(map(self._fits, found["calls"])):
            return f"{said} takes {found['calls']}, it is given {self.given}"
        return ""

    def _fits(self, signature: List[List[Any]]) -> bool:
        assert self.given is not None
        count, named = self.given
        open_ended = {str(name)[:1] for name, _ in signature if str(name).startswith("*")}
        plain = [(name, must) for name, must in signature if not str(name).startswith("*")]
        names = [name for name, _ in plain]
        if self.how == "override":  # TensorRT passes all of them
            return count == len(plain)
        enough = all(name in named for name, must in plain[count:] if must)
        return enough and (count <= len(plain) or bool(open_ended)) and set(named) <= set(names[count:])
