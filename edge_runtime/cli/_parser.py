"""The parser of every command: it takes files in any place and other tools' flags. An error has three lines."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import Any, Iterator, List, NoReturn, Optional, Sequence

from edge_runtime import __version__
from edge_runtime.cli import _habits, _streams, _usage
from edge_runtime.cli._usage import Told
from edge_runtime.downloads import listed
from edge_runtime.model import shipped

MODELS = (".onnx", ".plan", ".engine", ".trt", ".replay.npz")
RESULTS = (".jsonl", ".csv", ".json", ".txt", ".mp4", ".avi", ".mkv")
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Parser(argparse.ArgumentParser):
    """argparse with our changes. It also parses the commands of a command.

    Args:
        prog: the command, "edge-detect" or "edge-bench compare".
    """

    def __init__(self, prog: str, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog, allow_abbrev=False, **options)
        self._optionals.title = "general"
        self._command = prog.split()[0]
        self._others: Optional[str] = None
        self.add_argument("--version", action="version", version=__version__, help="print the version and exit")

    def take_files(self, metavar: str, others: str, about: str) -> None:
        """Takes files without a flag, in any place. Model files become `engine`, other files become values of a flag.

        Args:
            others: the destination of that flag; "" if only models are taken.
            about: help text.
        """
        self.add_argument("files", nargs="*", default=[], metavar=metavar, help=about)
        self._positionals.title, self.usage = "files", f"%(prog)s {metavar} ... [flags]"
        self._others = others

    def parse_args(self, args: Optional[Sequence[str]] = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parses like argparse. Wrong usage ends the process with exit code 2."""
        words = list(self._ours(list(sys.argv[1:] if args is None else args)))
        if self._others is None:
            return super().parse_args(words, namespace)
        parsed = self.parse_intermixed_args(words, namespace)
        self._sort(parsed, self._others)
        return parsed

    def typed(self, args: Sequence[str]) -> Any:
        """What is typed: a namespace with None for each flag that is not."""
        unsaid = argparse.Namespace(**{action.dest: None for action in self._actions if action.option_strings})
        found = self.parse_intermixed_args(list(self._ours(list(args))), unsaid)
        files = found.files or []
        if any(map(_is_model, files)):
            found.engine = found.engine or []
        if self._others and not all(map(_is_model, files)):
            setattr(found, self._others, getattr(found, self._others) or [])
        return found

    def error(self, message: str) -> NoReturn:
        """Reports wrong usage that argparse found."""
        self.stop(_usage.explain(self, message))

    def stop(self, told: Told) -> NoReturn:
        """Ends the process with an error and its hint."""
        self.exit(2, f"error: {told.fact}\nhint: {told.hint}\n{self.prog} --help shows all flags\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        with contextlib.suppress(BrokenPipeError):  # of help; Python 3.8 raises it here, if stdout has no buffer
            super()._print_message(message, file)

    def exit(self, status: int = 0, message: Optional[str] = None) -> NoReturn:
        """Prints help. Its reader may end early, like `head`."""
        try:
            if sys.stdout:
                sys.stdout.flush()
        except BrokenPipeError:
            _streams.forget(sys.stdout.fileno())
        super().exit(status, message)
        raise AssertionError

    def _ours(self, words: List[str]) -> Iterator[str]:
        """The words of the command line, with flags of other tools replaced by ours."""
        self._leave_task_out(words)
        action: Optional[argparse.Action] = None
        while words:
            word = words.pop(0)
            if word == "--":
                yield from (word, *words)
                return
            if action is not None and (not word.startswith("-") or not word[1:2].isalpha()):
                yield _value(action, word, words)
                yield from self._more(action, words)
                action = None
                continue
            ours = self._flag(word)
            yield from ours
            action = self._option_string_actions.get(ours[-1]) if ours else None
            action = action if action is not None and action.nargs is None else None

    def _more(self, action: argparse.Action, words: List[str]) -> Iterator[str]:
        """Gives a flag the files after its first one too: `--video a.mp4 b.mp4`."""
        several = self._others is not None and action.dest == self._others and isinstance(action.default, list)
        while several and words and not words[0].startswith("-") and not _is_model(words[0]):
            if "=" in words[0] and self._flag(words[0]) != [words[0]]:
                return
            yield from (action.option_strings[-1], words.pop(0))

    def _leave_task_out(self, words: List[str]) -> None:
        """Drops a first word that names the command's own task, like `edge-detect predict`. Refuses other tasks."""
        own = self._subparsers._group_actions[0].choices or () if self._subparsers else ()
        while words and words[0] in _habits.TASKS and words[0] not in own and not os.path.exists(words[0]):
            word = words.pop(0)
            answer = _habits.TASKS[word]
            if " " in answer:
                self.stop(Told(f"{self._command} has no command {word!r}", answer))
            if answer != self._command:
                self.stop(Told(f"{self._command} does not {word}", f"{answer} does"))

    def _flag(self, word: str) -> List[str]:
        """Replaces a flag, or `key=value`, by our words. Other words stay as they are."""
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            name, value = f"--{name}", value.strip("[]()")
            if not equals or os.path.exists(word) or not self._knows(name):
                return [word]
        if name in self._option_string_actions:
            answer: Optional[str] = name
        else:
            known, answer = _habits.meaning(self._command, name)
            if not known and _habits.even(name) in self._option_string_actions:
                known, answer = True, _habits.even(name)
            if not known and name.startswith("--") and self._subparsers is None:
                self.stop(_usage.unknown(self, name))
            if not known:
                return [word]
        if answer is None or (equals and value.lower() in NO and (" " in answer or self._is_switch(answer))):
            return []
        if " " in answer:
            self.stop(Told(f"{self._command} has no {name}", answer))
        if not equals or self._is_switch(answer):
            return [answer] if answer and (not equals or value.lower() in YES) else [word] if equals else []
        action = self._option_string_actions.get(answer)
        value = _value(action, value, []) if action else value
        return [f"{answer}={value}"] if answer.startswith("--") else [answer, value] if answer else [value]

    def _knows(self, flag: str) -> bool:
        options = self._option_string_actions
        return flag in options or _habits.even(flag) in options or _habits.meaning(self._command, flag)[0]

    def _is_switch(self, answer: str) -> bool:
        """Whether the flag takes no value: `--show`, `--precision=fp16`."""
        action = self._option_string_actions.get(answer)
        return "=" in answer or (action is not None and action.nargs == 0)

    def _sort(self, parsed: Any, others: str) -> None:
        """Gives files without a flag to the arguments that they belong to."""
        models = [file for file in parsed.files if _is_model(file)]
        rest = [file for file in parsed.files if file not in models]
        said = getattr(parsed, "engine", None)  # in commands that make one file from another, the model is never a flag
        several = isinstance(said, list)
        named = list(said or []) if several else [said] if said else []
        models = [*named, *models]
        for model in models:
            what = _habits.foreign(model)
            if what:
                self.stop(Told(f"{model} is {what[0]}", what[1]))
        if not models:
            runs = self._command in _habits.RUN.split()
            more = f", or a .plan file of edge-build; {shipped.INT8} comes along" if runs else ""
            self.stop(Told("no model file", f"{self._command} MODEL.onnx{more}"))
        if not several and len(models) > 1:
            self.stop(Told(f"two models: {models[0]} and {models[1]}", "one at a time; -o names what is written"))
        parsed.engine = models if several else models[0]
        del parsed.files
        self._give(parsed, rest, others)

    def _give(self, parsed: Any, files: List[str], flag: str) -> None:
        """Makes files that are not models values of a flag."""
        said = getattr(parsed, flag, None) if flag else None
        if isinstance(said, list):
            setattr(parsed, flag, [*said, *files])
            if files and len(said) + len(files) > 1 and not getattr(parsed, "output", None):
                self._refuse_output(files[-1])
        elif files and (not flag or len(files) > 1 or said != self.get_default(flag)):
            self.stop(Told(f"{files[-1]} has no use here", f"one at a time: --{flag} {files[-1]}" if flag else
                           "it takes one model file; the rest is said with flags"))  # fmt: skip
        elif files:
            setattr(parsed, flag, files[0])

    def _refuse_output(self, last: str) -> None:
        """Refuses `IN OUT` of other tools. A file that follows a source flag is a source, even if it does not exist."""
        if last.lower().endswith(RESULTS) and not (set(last) & set(":*?[") or os.path.exists(last)):
            self.stop(Told(f"no such file: {last}", f"to write it: --output {last}"))


def _is_model(file: str) -> bool:
    """Whether the name is that of a model: one that we run or can fetch, or one of another program that we know."""
    fetched = file in listed.names() and not os.path.exists(file)
    return fetched or file.lower().endswith(MODELS) or _habits.foreign(file) is not None


def _value(action: argparse.Action, word: str, rest: List[str]) -> str:
    """Writes a value in our form. If it has several numbers, the others are taken from the rest."""
    if action.dest == "device":
        return _habits.DEVICES.get(word.lower(), word)
    separator = next((_habits.JOINED[flag] for flag in action.option_strings if flag in _habits.JOINED), "")
    parts = [word]
    while separator and word.isdigit() and rest and rest[0].isdigit():
        parts.append(rest.pop(0))
    return separator.join(reversed(parts) if separator == "x" else parts)
