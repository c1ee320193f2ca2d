"""Trains a detector of the zoo. Kill it at any time: the same command goes on from the last checkpoint.

    python tools/train/train.py --data ../shared/data/voc2007/train --out runs/nano --hours 2
    python tools/train/train.py --data ... --out runs/nano2 --hours 8 --init runs/nano/model.onnx
    python tools/train/train.py --data ... --out runs/nano3 --hours 2 --teacher yolox_nano.onnx --sides 256 320

Writes OUT/checkpoint.pt (resumable), log.jsonl, plot.png and model.onnx, the best EMA weights on the validation split.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import sys
from pathlib import Path
from time import monotonic
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import student
import torch
from data import Batches, prepare
from loss import Loss
from plot import plot
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from validate import detect, mean_ap

from edge_runtime.errors import EdgeError
from edge_runtime.model.labels import VOC
from edge_runtime.zoo.export import to_onnx

Drawn = Tuple[Tensor, Tensor, Sequence[Tensor]]  # images, boxes, the teacher's features
PARTS = ("box", "objectness", "class", "teacher")
VALIDATION = 208
SPLIT_SEED = 7
WARM_UP = 0.03  # of the schedule
PLAIN_END = 0.1  # of the schedule, without mosaics
EMA_DECAY, EMA_RAMP = 0.9995, 1000.0
MIMIC = 2.0  # weight of the teacher's features at the start; at the end only the labels count


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = _parser().parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True  # for depthwise convolutions, the first choice is often not the fastest
    try:
        Run(args).train()
    except (EdgeError, OSError) as error:
        print(f"error: {error}\nhint: {getattr(error, 'hint', None) or 'check the paths'}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with instances.json and images/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arch", default="yolo_nano")
    parser.add_argument("--imgsz", type=int, default=320, help="side of the training square")
    parser.add_argument("--sides", type=int, nargs="+", help="multi-scale: sides of batches, default --imgsz alone")
    parser.add_argument("--teacher", help="ONNX file of a YOLOX (BGR, 0..255) whose features are learnt as well")
    parser.add_argument("--export-imgsz", type=int, default=None, help="side of the exported input, default --imgsz")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--hours", type=float, help="length of the schedule by the clock, over all resumed runs")
    length.add_argument("--steps", type=int, help="the same in batches: repeatable")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--limit", type=int, help="train and validate on the first N images only: an overfitting check")
    parser.add_argument("--validate-every", type=float, default=10.0, metavar="MINUTES")
    parser.add_argument(
        "--anchors", choices=("table", "kmeans"), default="table", help="the table's own, or the labels'"
    )
    parser.add_argument("--init", help="start from the weights of an exported ONNX file")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    return parser


class Run:
    """One training: data, network, EMA, optimiser and the clock that the schedule follows."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.device = args, torch.device(args.device)
        args.out.mkdir(parents=True, exist_ok=True)
        self.architecture = student.table(args, args.imgsz)
        images, boxes, sizes, _ = prepare(args.data, args.imgsz, args.out / "cache")
        order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
        held, used = (order[:VALIDATION], order[VALIDATION:]) if not args.limit else (order[: args.limit],) * 2
        self.held = images[np.sort(held)], boxes[np.sort(held)]
        self.batches = Batches(images, boxes, sizes, np.sort(used), self.device, args.seed)
        self.batches.augment = not args.limit
        self.sides = sorted(args.sides or [args.imgsz])
        self.net, self.teacher, self.mimic = student.build(args, self.architecture, self.batches)
        self.ema = copy.deepcopy(self.net).eval()
        self.loss = Loss(self.architecture.spec, self.device)
        trained = torch.nn.ModuleList([self.net, self.mimic])
        self.optimizer = torch.optim.AdamW(student.groups(trained, args.weight_decay), lr=args.lr, fused=True)
        self.state: Dict[str, Any] = {"elapsed_s": 0.0, "images": 0, "steps": 0, "best": -1.0, "validated_s": 0.0}
        self.recipe = student.recipe(args, len(used))
        _replace(args.out / "recipe.json", json.dumps(self.recipe, indent=1).encode())
        self._resume()

    def train(self) -> None:
        """Runs to the end of the schedule, validating and saving on the way; nothing where that has been reached."""
        if self.progress >= 1:
            return
        forward = self.net if self.args.no_compile else torch.compile(self.net, dynamic=False)
        for side in set(self.sides):  # compiles, which takes minutes that are not training
            self._backward(forward, *self._draw(side))
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            task = progress.add_task("starting", total=1.0, completed=self.progress)
            while self.progress < 1:
                started = monotonic()
                parts = self._step(forward)
                self.state["elapsed_s"] += monotonic() - started
                self.state["steps"] += 1
                self.state["images"] += self.args.batch
                if self.state["elapsed_s"] - self.state["validated_s"] > self.args.validate_every * 60:
                    self._validate(parts)
                progress.update(task, completed=self.progress, description=self._status(parts))
            self._validate(parts)

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
        last = self.progress > 1 - PLAIN_END
        self.batches.mosaic = 0.0 if last else 0.9
        return self.sides[-1] if last else self.batches.pick(self.sides[: 1 + int(self.progress * len(self.sides))])

    def _draw(self, side: int) -> Drawn:
        images, targets = self.batches.draw(self.args.batch, side)
        return images, targets, self.teacher.features(images) if self.teacher else []

    def _step(self, forward: Any) -> Sequence[float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.lr * _schedule(self.progress)
        parts = self._backward(forward, *self._draw(self._side()))
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimizer.step()
        self._average()
        return parts

    def _backward(self, forward: Any, images: Tensor, targets: Tensor, seen: Sequence[Tensor]) -> Sequence[float]:
        with torch.autocast(self.device.type, torch.bfloat16):
            values = forward(images.contiguous(memory_format=torch.channels_last))
        count = len(self.architecture.outputs)
        loss, parts = self.loss(values[:count], targets)
        if self.mimic:
            apart = self.mimic(values[count:], seen)
            loss = loss + MIMIC * (1 - self.progress) * len(images) * apart
            parts = [*parts, float(apart.detach())]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return parts

    @torch.no_grad()
    def _average(self) -> None:
        decay = EMA_DECAY * (1 - math.exp(-(self.state["steps"] + 1) / EMA_RAMP))
        pairs = zip(self.ema.state_dict().values(), self.net.state_dict().values())
        mine, theirs = zip(*(pair for pair in pairs if pair[0].is_floating_point()))
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    def _validate(self, parts: Sequence[float]) -> None:
        images, boxes = self.held
        score = mean_ap(detect(self.ema, self.architecture.spec, images, 16, self.device), boxes, len(VOC))
        self.state["validated_s"] = self.state["elapsed_s"]
        if score > self.state["best"]:
            self.state["best"] = score
            self._export(score)
        row = {**self.state, "map": score, **dict(zip(PARTS, parts))}
        with open(self.args.out / "log.jsonl", "a") as log:
            log.write(json.dumps(row) + "\n")
        plot(self.args.out / "log.jsonl", self.args.out / "plot.png")
        self._save()

    def _export(self, score: float) -> None:
        reached = {"images_seen": self.state["images"], "hours": round(self.state["elapsed_s"] / 3600, 2),
                   "validation_voc07_11pt": round(score, 4)}  # fmt: skip
        metadata = {"training": json.dumps({**self.recipe, **reached})}
        architecture = student.table(self.args, self.args.export_imgsz or self.args.imgsz)
        model = to_onnx(architecture, self.ema.table_weights(), metadata=metadata)
        _replace(self.args.out / "model.onnx", model.SerializeToString())

    def _save(self) -> None:
        path = self.args.out / "checkpoint.pt"
        parts = {name: getattr(self, name).state_dict() for name in self._saved}
        torch.save({**parts, "state": self.state}, f"{path}.new")
        os.replace(f"{path}.new", path)

    def _resume(self) -> None:
        path = self.args.out / "checkpoint.pt"
        if path.exists():
            saved = torch.load(path, map_location=self.device)
            for name in self._saved:
                getattr(self, name).load_state_dict(saved[name])
            self.state = saved["state"]
            self.batches.random.manual_seed(self.args.seed + self.state["steps"])

    @property
    def _saved(self) -> Sequence[str]:
        return ("net", "ema", "optimizer", "mimic") if self.mimic else ("net", "ema", "optimizer")


def _schedule(progress: float) -> float:
    """Linear warm-up, then half a cosine down to 2 %."""
    return min(1.0, (progress + 1e-4) / WARM_UP) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


if __name__ == "__main__":
    raise SystemExit(main())
