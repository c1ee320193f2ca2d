"""Features of a trained detector as further targets: the student's heads learn to see what the teacher sees.

FitNets (Romero et al. 2015, arXiv 1412.6550) at the detection heads: what each of the teacher's last convolutions reads
is predicted, by a 1x1 convolution, from what the student's head of the same stride reads. A dense target for every cell
of every augmented picture teaches a network that starts from nothing far more than a few thousand boxes do.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from onnx.utils import Extractor
from torch import Tensor, nn
from torch.nn import functional as F

from edge_runtime.errors import BackendUnavailable
from edge_runtime.libraries.extras import install_hint

Network = Callable[[Tensor], List[Tensor]]


class Teacher:
    """A COCO-trained YOLOX (input BGR, 0..255) at any multiple of 32: run by PyTorch on a GPU, else by OpenVINO.

    Args:
        path: ONNX file.
        strides: levels whose features are wanted, finest first.
        device: that trains.
    """

    def __init__(self, path: str, strides: Sequence[int], device: torch.device) -> None:
        trunk = headless(onnx.load(path))
        self._strides, self._run = strides, (_torch if device.type == "cuda" else _openvino)(trunk, device)

    def features(self, images: Tensor) -> List[Tensor]:
        """(B, C, H / stride, W / stride) float32 per stride, of (B, 3, H, W) RGB images in 0..1."""
        side, values = images.shape[-1], self._run(images.flip(1) * 255)
        levels = [[v for v in values if v.shape[-1] * stride == side] for stride in self._strides]
        return [torch.cat(level, 1).float().to(images.device) for level in levels]


def _openvino(trunk: onnx.ModelProto, device: torch.device) -> Network:
    openvino = _needed("openvino")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(trunk.SerializeToString()), "CPU")
    requests: Dict[int, Any] = {}  # one per image size: a request recompiles when its shape changes

    def run(images: Tensor) -> List[Tensor]:
        request = requests.setdefault(images.shape[-1], compiled.create_infer_request())
        request.infer([np.ascontiguousarray(images.cpu().numpy())])
        return [torch.from_numpy(request.get_output_tensor(i).data.copy()) for i in range(len(trunk.graph.output))]

    return run


def _torch(trunk: onnx.ModelProto, device: torch.device) -> Network:
    net = _needed("onnx2torch").convert(trunk).eval().to(device, memory_format=torch.channels_last)

    def run(images: Tensor) -> List[Tensor]:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            return list(net(images.contiguous(memory_format=torch.channels_last)))

    return run


def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        hint = f"{install_hint('train')}, and on a GPU onnx2torch"
        raise BackendUnavailable(f"{name}, which runs the teacher, does not load: {error}", hint=hint) from error


def headless(model: onnx.ModelProto) -> onnx.ModelProto:
    """The file cut at the inputs of its last convolutions, with free batch, height and width."""
    maker = {name: node for node in model.graph.node for name in node.output}
    found: List[str] = []
    open_ends = [output.name for output in model.graph.output]
    while open_ends:
        node = maker.get(open_ends.pop())
        if node is None:
            continue
        if node.op_type != "Conv":
            open_ends.extend(node.input)
        elif node.input[0] not in found:
            found.append(node.input[0])
    del model.graph.value_info[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in found)
    trunk = Extractor(model).extract_model([model.graph.input[0].name], found)
    dims = trunk.graph.input[0].type.tensor_type.shape.dim
    for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
        dims[axis].dim_param = name
    return trunk


class Mimic(nn.Module):
    """Mean squared error between the teacher's standardised features and 1x1 convolutions of the student's.

    Args:
        student, teacher: channels per level.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(nn.Conv2d(mine, theirs, 1) for mine, theirs in zip(student, teacher))
        self.standards = nn.ModuleList(nn.BatchNorm2d(theirs, affine=False) for theirs in teacher)

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """The mean over levels; 1 for a student that knows nothing."""
        losses = [
            F.mse_loss(adapter(mine.float()), standard(theirs))
            for adapter, standard, mine, theirs in zip(self.adapters, self.standards, student, teacher)
        ]
        return torch.stack(losses).mean()
