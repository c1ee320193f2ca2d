"""What is trained: the table as a network, its first weights, and a teacher beside it if there is one."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence

import torch
from anchors import box_sizes, k_means, levels
from before import Before
from channels import resized, widths_in
from data import Batches
from teacher import Mimic, Teacher
from torch import nn
from torch_net import TorchNet

from edge_runtime import zoo
from edge_runtime.errors import UsageError
from edge_runtime.model import onnx_file
from edge_runtime.model.labels import VOC
from edge_runtime.zoo import weights
from edge_runtime.zoo.layers import Architecture

SETTLING = 128  # images that measure the statistics of folded weights


class Made(NamedTuple):
    """A network, and whom it learns from: a teacher and the loss towards it, and the network before compression."""

    net: TorchNet
    teacher: Optional[Teacher] = None
    mimic: Optional[Mimic] = None
    before: Optional[Before] = None


def table(args: argparse.Namespace, imgsz: int) -> Architecture:
    """The architecture, with centres that reach beyond their cell, as the loss's assignment needs.

    Its convolutions have as many filters as those of the file to start from.

    Raises:
        UsageError: the loss does not know heads of its family.
    """
    architecture = zoo.build(args.arch, VOC, imgsz)
    if architecture.spec.family != "yolo_v3":
        raise UsageError(
            f"{args.arch} has heads of {architecture.spec.family}, and the loss trains those of yolo_v3",
            hint="--arch yolo_nano, tiny_yolo_v3 or yolo_v3",
        )
    if args.init:
        architecture = resized(architecture, widths_in(onnx_file.load_onnx(args.init)))
    spec = replace(architecture.spec, scale_xy=(2.0,) * len(architecture.spec.strides), resize="letterbox")
    if args.anchors == "kmeans":
        found = k_means(box_sizes(args.data, args.imgsz), sum(map(len, spec.anchors)))
        spec = replace(spec, anchors=levels(found, len(spec.anchors)))
    return replace(architecture, spec=spec)


def build(args: argparse.Namespace, architecture: Architecture, batches: Batches) -> Made:
    """The network with its first weights, and whom it learns from."""
    inputs = {layer.name: layer.inputs[0] for layer in architecture.layers}
    read = [inputs[name] for name in architecture.outputs] if args.teacher else []
    net = TorchNet(architecture, read)
    net.load_table(first_weights(architecture, args.init, args.seed))
    if args.init:
        net.settle(batches.draw(SETTLING, args.imgsz)[0].cpu())
    net.to(args.device, memory_format=torch.channels_last)
    before = Before(args) if args.before else None
    if not args.teacher:
        return Made(net, before=before)
    teacher, sizes = Teacher(args.teacher, architecture.spec.strides, torch.device(args.device)), architecture.sizes()
    seen = teacher.features(torch.zeros(1, 3, args.imgsz, args.imgsz, device=args.device))
    mimic = Mimic([sizes[name][0] for name in read], [level.shape[1] for level in seen])
    return Made(net, teacher, mimic.to(args.device), before)


def first_weights(architecture: Architecture, init: Optional[str], seed: int) -> weights.Weights:
    """Those of an exported file, or random ones whose heads start quiet: few cells hold an object."""
    if init:
        return weights.from_onnx(onnx_file.load_onnx(init), architecture)
    values = weights.random(architecture, seed)
    for name in architecture.outputs:
        values[f"{name}.weight"] *= 0.1
        bias = values[f"{name}.bias"].reshape(len(architecture.spec.anchors[0]), -1)
        bias[:, 4], bias[:, 5:] = -5.0, -3.0
    return values


def groups(net: nn.Module, decay: float) -> Sequence[Dict[str, Any]]:
    """Weights of convolutions decay; biases, normalisation and gates do not."""
    decays = {name: p.ndim > 1 and not name.endswith(".soft") for name, p in net.named_parameters()}
    return [
        {"params": [p for name, p in net.named_parameters() if decays[name]], "weight_decay": decay},
        {"params": [p for name, p in net.named_parameters() if not decays[name]], "weight_decay": 0.0},
    ]


def recipe(args: argparse.Namespace, count: int) -> Dict[str, Any]:
    """What the weights will have been made of, for the file's metadata."""
    about = (
        json.loads((args.data / "instances.json").read_text(encoding="utf-8"))
        .get("info", {})
        .get("description", args.data.name)
    )
    names = ("arch", "imgsz", "sides", "plain_end", "batch", "lr", "weight_decay", "anchors", "seed", "device")
    methods = ("rounds", "rewind", "share", "scope", "gate", "penalty", "bits", "scales")
    stated = {name: getattr(args, name) for name in (*names, *methods) if hasattr(args, name)}
    files = {
        name: Path(getattr(args, name)).name
        for name in ("teacher", "init", "before", "int8")
        if getattr(args, name, None)
    }
    return {**stated, **files, "images": count, "data": about, "torch": str(torch.__version__)}
