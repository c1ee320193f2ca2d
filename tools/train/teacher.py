"""Features of a trained detector as further targets: the student's heads learn to see what the teacher sees.

FitNets (Romero et al. 2015, arXiv 1412.6550) at the detection heads: what each of the teacher's last convolutions reads
is predicted, by a 1x1 convolution, from what the student's head of the same stride reads. A dense target for every cell
of every augmented picture teaches a network that starts from nothing far more than a few thousand boxes do.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from onnx.utils import Extractor
from torch import Tensor, nn
from torch.nn import functional as F

from edge_runtime.errors import BackendUnavailable
from edge_runtime.extras import install_hint


class Teacher:
    """A COCO-trained YOLOX (input BGR, 0..255) run by OpenVINO on the CPU, at any size that is a multiple of 32.

    Args:
        path: ONNX file.
        strides: levels whose features are wanted, finest first.
    """

    def __init__(self, path: str, strides: Sequence[int]) -> None:
        try:
            import openvino
        except ImportError as error:
            raise BackendUnavailable(
                "openvino, which runs the teacher, is not installed", hint=install_hint("train")
            ) from error
        trunk = headless(onnx.load(path))
        core = openvino.Core()
        self._strides, self._names = strides, [value.name for value in trunk.graph.output]
        self._compiled = core.compile_model(core.read_model(trunk.SerializeToString()), "CPU")
        self._requests: Dict[int, Any] = {}  # one per image size: a request recompiles when its shape changes

    def features(self, images: Tensor) -> List[Tensor]:
        """(B, C, H / stride, W / stride) float32 per stride, of (B, 3, H, W) RGB images in 0..1."""
        side = images.shape[-1]
        request = self._requests.setdefault(side, self._compiled.create_infer_request())
        request.infer([np.ascontiguousarray((images.flip(1) * 255).cpu().numpy())])
        values = [torch.from_numpy(request.get_output_tensor(i).data.copy()) for i in range(len(self._names))]
        levels = [[v for v in values if v.shape[-1] * stride == side] for stride in self._strides]
        return [torch.cat(level, 1).to(images.device) for level in levels]


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
