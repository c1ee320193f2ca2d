"""Turns argparse's messages about a wrong command line into an error and a hint."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Callable, List, Match, NamedTuple, Optional, Pattern, Tuple

from edge_runtime.cli import _habits


class Told(NamedTuple):
    """One error: what is wrong, and what to do."""

    fact: str
    hint: str


def explain(parser: argparse.ArgumentParser, message: str) -> Told:
    """The fact and the hint behind a message of argparse."""
    for pattern, tell in TELLERS:
        found = pattern.match(message)
        if found:
            return tell(parser, found)
    return Told(message, "check the spelling")


def _unknown(parser: argparse.ArgumentParser, found: Match[str]) -> Told:
    words = found[1].split()
    if not words:
        return Told("an empty word has no use here", "is a variable of the shell empty?")
    flag = next((word.split("=")[0] for word in words if word.startswith("-")), "")
    return unknown(parser, flag) if flag else Told(f"{words[0]} has no use here", "does it belong to a flag?")


def unknown(parser: argparse.ArgumentParser, flag: str) -> Told:
    """A flag that does not exist, and the nearest one that does. For a flag of other tools, the answer is ours."""
    ours = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    command = parser.prog.split()[0]
    names = {name.lstrip("-"): name for name in [*_habits.known_words(command), *ours]}
    typed = _habits.even(flag).lstrip("-")
    begun = [name for name in names if names[name] in ours and len(typed) > 1 and name.startswith(typed)]
    near = begun or difflib.get_close_matches(typed, names, n=1)
    fact = f"{parser.prog} has no {flag}"
    if not near:
        return Told(fact, f"is it spelled right? {parser.prog} has nothing like it")
    name = names[near[0]]
    meant = "" if name in ours else f" {_habits.our_word(command, name)}"
    return Told(fact, f"did you mean {name}?{meant}")


def _missing(parser: argparse.ArgumentParser, found: Match[str]) -> Told:
    names = [name for name in found[1].split(", ") if name]
    actions = [action for action in parser._actions if _name(action) in names]
    wanted = [f"{_flag(action)} {_metavar(action)}".strip() for action in actions]
    return Told(f"{', '.join(map(_flag, actions)) or found[1]} is missing", f"add {' '.join(wanted) or found[1]}")


def _one_of(parser: argparse.ArgumentParser, found: Match[str]) -> Told:
    return Told(f"none of {found[1].replace(' ', ', ')} is given", "give one of them")


def _argument(parser: argparse.ArgumentParser, found: Match[str]) -> Told:
    action = next((action for action in parser._actions if _name(action) == found[1]), None)
    if action is None:
        return Told(f"{found[1]}: {found[2]}", "check its value")
    flag, said = _flag(action), found[2]
    value = re.match(r"invalid (?:\S+ )?(?:value|choice): ('.*?'|\".*?\")", said)
    if value and isinstance(action, argparse._SubParsersAction):
        commands = (" ".join([each.prog, *_positionals(each)]) for each in action.choices.values())
        return Told(f"{parser.prog} has no command {value[1]}", f"there is {', '.join(commands)}")
    if value:
        return Told(f"{flag} is {value[1]}", _expected(action, value[1].strip("'\"")))
    if said.startswith("expected"):
        hint = f"{flag} {_metavar(action)}; a value that begins with - is written {flag}=VALUE"
        return Told(f"{flag} has no value", hint)
    if said.startswith("ignored explicit argument"):
        return Told(f"{flag} takes no value", f"{flag} alone")
    if said.startswith("not allowed with"):
        return Told(f"{flag} does not go with {said.split()[-1]}", "leave one of them out")
    about = f": {action.help}" if action.help else ""
    return Told(f"{flag}: {said}", f"{flag} {_metavar(action)}{about}")


Teller = Callable[[argparse.ArgumentParser, Match[str]], Told]
TELLERS: Tuple[Tuple[Pattern[str], Teller], ...] = (
    (re.compile(r"unrecognized arguments: (.*)", re.S), _unknown),
    (re.compile(r"the following arguments are required: (.*)"), _missing),
    (re.compile(r"one of the arguments (.*) is required"), _one_of),
    (re.compile(r"argument ([^:]+): (.*)", re.S), _argument),
)


def _name(action: argparse.Action) -> Optional[str]:
    """The argument's name, like in argparse."""
    return argparse._get_action_name(action)


def _positionals(parser: argparse.ArgumentParser) -> List[str]:
    return [_flag(action) for action in parser._actions if not action.option_strings]


def _flag(action: argparse.Action) -> str:
    return max(action.option_strings, key=len, default=str(action.metavar or action.dest))


def _metavar(action: argparse.Action) -> str:
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper()) if action.option_strings else ""


def _expected(action: argparse.Action, value: str = "") -> str:
    """The values that an argument takes, with the choice nearest to the given one."""
    if action.choices is None:
        return f"expected {_metavar(action)}" + (f": {action.help}" if action.help else "")
    choices: List[str] = [str(choice) for choice in action.choices]
    near = difflib.get_close_matches(value, choices, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{guess}expected one of: {', '.join(choices)}"
