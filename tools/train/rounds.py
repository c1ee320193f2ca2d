"""Trainings in rounds: behind each, weights go, and the others go back to what they were early in the first one."""

from __future__ import annotations

import argparse
import copy
import json
from contextlib import contextmanager
from typing import Any, Dict, Iterator

import arguments
import masks
import onnx
from data import MOSAIC
from importance import recalibrate
from masks import Masks
from run import Run
from torch import Tensor

from edge_runtime.errors import UsageError

MEASURED = 16  # batches


def parser(doc: str) -> argparse.ArgumentParser:
    """The flags that such methods share."""
    parser = arguments.parser(doc, rounds=True)
    parser.add_argument("--rounds", type=int, default=5, help="prunings; magnitude.py trains once more, default 5")
    parser.add_argument("--rewind", type=int, default=0, metavar="STEPS", help="batches after which weights are kept")
    return parser


class Start:
    """What a checkpoint needs to know beside the networks: the weights to go back to, and the masks."""

    def __init__(self) -> None:
        self.weights: Dict[str, Tensor] = {}
        self.masks: Masks = {}

    def state_dict(self) -> Dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"weights": self.weights, "masks": self.masks}

    def load_state_dict(self, saved: Dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        self.weights, self.masks = saved["weights"], saved["masks"]


class Rounds(Run):
    """A method says what is known behind a round (`prune`), and what the next one begins with (`begin`).

    Attributes:
        last: number of the last round.
    """

    method = ""

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises UsageError if the weights to go back to are never reached."""
        if not 0 <= args.rewind < args.steps or args.rounds < 1:
            fact = f"--rewind is {args.rewind}, --steps {args.steps}, --rounds {args.rounds}"
            raise UsageError(fact, hint="go back to less than the steps of a round, and prune once or more")
        self.start = Start()
        super().__init__(args)
        self.state.setdefault("round", 0)
        self._keep_start(self.state["steps"])

    @property
    def last(self) -> int:
        return int(self.args.rounds)

    def prune(self) -> Masks:
        """Returns by convolution what the weights of the round that ended say about the next."""
        raise NotImplementedError

    def begin(self, found: Masks) -> None:
        """Puts what `prune` returned into the network, whose weights are those of the start."""
        raise NotImplementedError

    def stepped(self) -> None:
        self._keep_start(self.state["steps"] + 1)

    def _keep_start(self, steps: int) -> None:
        if steps == self.args.rewind and not self.start.weights:
            self.start.weights = copy.deepcopy(self.net.state_dict())

    def next_round(self) -> None:
        if self.state["round"] == self.last:
            return
        found = self.prune()
        self.net.load_state_dict(self.start.weights)
        self.begin(found)
        self.ema.load_state_dict(self.net.state_dict())
        self.restart()
        self.state.update(steps=self.args.rewind, round=self.state["round"] + 1, best=-1.0)
        self.save()

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Measures the statistics of the normalisation again: in a short round they lag behind the weights.

        On mosaics, because most batches of the training are. What whole pictures give suits the weights badly.
        """
        kept, random = copy.deepcopy(self.ema.state_dict()), self.batches.random.get_state()
        self.batches.mosaic = MOSAIC
        recalibrate(self.ema, lambda: self.batches.draw(self.args.batch, self.sides[-1]), MEASURED)
        yield
        self.ema.load_state_dict(kept)
        self.batches.random.set_state(random)

    def model(self, metadata: Dict[str, str]) -> onnx.ModelProto:
        left, count = masks.counted(self.ema)
        facts = {"method": self.method, "weights_left": left, "weights": count}
        return super().model({**metadata, "pruned": json.dumps(facts)})

    @property
    def saved(self) -> Dict[str, Any]:
        return {**super().saved, "start": self.start}
