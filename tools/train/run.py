"""A training that can be killed at any time: it goes on from its last checkpoint, with the same random numbers."""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
from contextlib import contextmanager
from time import monotonic
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import onnx
import student
import torch
from before import apart
from data import MOSAIC, Batches, prepare, split
from loss import Loss
from plot import plot
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from validate import detect, mean_ap

from edge_runtime.files import atomic
from edge_runtime.model.labels import VOC
from edge_runtime.zoo.export import to_onnx
from edge_runtime.zoo.layers import Architecture

PARTS = ("box", "objectness", "class")
WARM_UP = 0.03  # of the schedule
EMA_DECAY, EMA_RAMP = 0.9995, 1000.0
MIMIC = 2.0  # weight of the teacher's features at the start; at the end only the labels count


class Drawn(NamedTuple):
    """A batch: images, boxes, the teacher's features, and the heads of the network before compression."""

    images: Tensor
    targets: Tensor
    seen: Sequence[Tensor]
    wanted: Sequence[Tensor]


class Run:
    """One training: data, network, EMA, optimiser and the clock that the schedule follows.

    What compresses is a subclass: it changes the network (`make`), what happens behind a step (`stepped`) and at the
    end of the schedule (`next_round`), and the file that is written (`model`).
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.device = args, torch.device(args.device)
        args.out.mkdir(parents=True, exist_ok=True)
        self.architecture = self.table(args.imgsz)
        images, boxes, sizes, _ = prepare(args.data, args.imgsz, args.cache or args.out / "cache")
        held, used = split(len(images), args.limit)
        self.held = images[held], boxes[held]
        self.batches = Batches(images, boxes, sizes, used, self.device, args.seed)
        self.batches.augment = not args.limit
        self.sides = sorted(args.sides or [args.imgsz])
        self.net, self.teacher, self.mimic, self.before = self.make()
        self.ema = copy.deepcopy(self.net).eval()
        self.loss = Loss(self.architecture.spec, self.device)
        self.restart()
        self.state: Dict[str, Any] = {"elapsed_s": 0.0, "images": 0, "steps": 0, "best": -1.0, "validated_s": 0.0}
        self.recipe = student.recipe(args, len(used))
        atomic.replace_file(args.out / "recipe.json", json.dumps(self.recipe, indent=1).encode())
        self._resume()

    def table(self, imgsz: int) -> Architecture:
        """The architecture that is trained."""
        return student.table(self.args, imgsz)

    def make(self) -> student.Made:
        """The network with its first weights, and whom it learns from."""
        return student.build(self.args, self.architecture, self.batches)

    def restart(self) -> None:
        """Makes a new optimiser."""
        trained = torch.nn.ModuleList([self.net, self.mimic])
        groups = student.groups(trained, self.args.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=self.args.lr, fused=True)

    def stepped(self) -> None:
        """Called behind every step."""

    def penalty(self) -> float:
        """A further loss, a scalar tensor or 0."""
        return 0.0

    def next_round(self) -> None:
        """Called at the end of the schedule. A method with several rounds sets `state["steps"]` back."""

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Around a validation: may change the averaged network as long as it is judged and exported."""
        yield

    def model(self, metadata: Dict[str, str]) -> onnx.ModelProto:
        """The file that the averaged weights make."""
        architecture = self.table(self.args.export_imgsz or self.args.imgsz)
        return to_onnx(architecture, self.ema.table_weights(), metadata=metadata)

    def train(self) -> None:
        """Runs to the end of the schedule, validating and saving on the way; nothing where that has been reached."""
        if self.progress >= 1:  # it may have been killed just before the next round
            self.next_round()
        if self.progress >= 1:
            return
        forward = self.net if self.args.no_compile else self._compiled()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            task = progress.add_task("starting", total=1.0, completed=self.progress)
            while self.progress < 1:
                parts = self._timed_step(forward)
                waited = self.state["elapsed_s"] - self.state["validated_s"]
                if self.progress >= 1 or waited > self.args.validate_every * 60:
                    self._validate(parts)
                progress.update(task, completed=self.progress, description=self._status(parts))
                if self.progress >= 1:
                    self.next_round()

    def _timed_step(self, forward: Any) -> Sequence[float]:
        started = monotonic()
        parts = self._step(forward)
        self.state["elapsed_s"] += monotonic() - started
        self.state["steps"] += 1
        self.state["images"] += self.args.batch
        return parts

    def _compiled(self) -> Any:
        """The network, compiled for every side. That takes minutes, which are not training, and changes nothing."""
        forward = torch.compile(self.net, dynamic=False)
        modules = [self.net, *([self.mimic] if self.mimic else [])]
        kept = [copy.deepcopy(module.state_dict()) for module in modules]
        random = self.batches.random.get_state()
        for side in set(self.sides):
            self._backward(forward, *self._draw(side))
        for module, values in zip(modules, kept):
            module.load_state_dict(values)
        self.batches.random.set_state(random)
        return forward

    def _status(self, parts: Sequence[float]) -> str:
        rate = self.state["images"] / self.state["elapsed_s"]
        return f"{self.state['images']:,} images, {rate:.0f}/s, loss {sum(parts):.3f}, best {self.state['best']:.3f}"

    @property
    def progress(self) -> float:
        """Part of the schedule that is over."""
        if self.args.steps:
            return min(1.0, self.state["steps"] / self.args.steps)
        return min(1.0, self.state["elapsed_s"] / (self.args.hours * 3600))

    def _side(self) -> int:
        """Multi-scale: one of the sides so far, small ones first; the largest alone once mosaics have ended."""
        last = self.progress > 1 - self.args.plain_end
        self.batches.mosaic = 0.0 if last else MOSAIC
        return self.sides[-1] if last else self.batches.pick(self.sides[: 1 + int(self.progress * len(self.sides))])

    def _draw(self, side: int) -> Drawn:
        images, targets = self.batches.draw(self.args.batch, side)
        seen = self.teacher.features(images) if self.teacher else []
        return Drawn(images, targets, seen, self.before.heads(images) if self.before else [])

    def _step(self, forward: Any) -> Sequence[float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.lr * _schedule(self.progress)
        parts = self._backward(forward, *self._draw(self._side()))
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimizer.step()
        self.stepped()
        self._average()
        return parts

    def _backward(
        self, forward: Any, images: Tensor, targets: Tensor, seen: Sequence[Tensor], wanted: Sequence[Tensor]
    ) -> Sequence[float]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=not self.args.float32):
            values = forward(images.contiguous(memory_format=torch.channels_last))
        count = len(self.architecture.outputs)
        loss, parts = self.loss(values[:count], targets)
        further: List[Tuple[float, Tensor]] = []
        if self.mimic:
            further.append((MIMIC * (1 - self.progress), self.mimic(values[count:], seen)))
        if self.before:
            further.append((self.args.before_weight, apart(values[:count], wanted, self.architecture.spec)))
        loss = loss + len(images) * sum(weight * value for weight, value in further) + self.penalty()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return [*parts, *(float(value.detach()) for _, value in further)]

    @property
    def _parts(self) -> Sequence[str]:
        return (*PARTS, *(["teacher"] if self.mimic else []), *(["before"] if self.before else []))

    @torch.no_grad()
    def _average(self) -> None:
        decay = EMA_DECAY * (1 - math.exp(-(self.state["steps"] + 1) / EMA_RAMP))
        pairs = zip(self.ema.state_dict().values(), self.net.state_dict().values())
        mine, theirs = zip(*(pair for pair in pairs if pair[0].is_floating_point()))
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    def _validate(self, parts: Sequence[float]) -> None:
        images, boxes = self.held
        with self.judged():
            score = mean_ap(detect(self.ema, self.architecture.spec, images, 16, self.device), boxes, len(VOC))
            self.state["validated_s"] = self.state["elapsed_s"]
            if score > self.state["best"]:
                self.state["best"] = score
                self.export(score)
        row = {**self.state, "map": score, **dict(zip(self._parts, parts))}
        with open(self.args.out / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        plot(self.args.out / "log.jsonl", self.args.out / "plot.png")
        self.save()

    def export(self, score: float) -> None:
        """Writes OUT/model.onnx.

        Args:
            score: voc07_11pt on the validation split.
        """
        reached = {"images_seen": self.state["images"], "hours": round(self.state["elapsed_s"] / 3600, 2),
                   "validation_voc07_11pt": round(score, 4)}  # fmt: skip
        model = self.model({"training": json.dumps({**self.recipe, **reached})})
        atomic.replace_file(self.args.out / "model.onnx", model.SerializeToString())

    def save(self) -> None:
        """Writes the checkpoint: networks, averages, optimiser, counts and the state of the random numbers."""
        path = self.args.out / "checkpoint.pt"
        parts = {name: part.state_dict() for name, part in self.saved.items()}
        torch.save({**parts, "state": self.state, "random": self.batches.random.get_state()}, f"{path}.new")
        os.replace(f"{path}.new", path)

    def _resume(self) -> None:
        path = self.args.out / "checkpoint.pt"
        if path.exists():
            saved = torch.load(path, map_location=self.device)
            for name, part in self.saved.items():
                part.load_state_dict(saved[name])
            self.state = saved["state"]
            self.batches.random.set_state(saved["random"].cpu())

    @property
    def saved(self) -> Dict[str, Any]:
        parts = {"net": self.net, "ema": self.ema, "optimizer": self.optimizer}
        return {**parts, "mimic": self.mimic} if self.mimic else parts


def _schedule(progress: float) -> float:
    """Linear warm-up, then half a cosine down to 2 %."""
    return min(1.0, (progress + 1e-4) / WARM_UP) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
