"""A network that grows node by node. Each node is computed when it is added, so that a network is always valid."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Sequence, Set, Tuple, Union

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fuzzing.graphs import evaluate

LARGEST = 300.0  # float16 shall hold sums of some of them
MOST = 1 << 15  # values of one activation


class Unsuitable(Exception):
    """What was drawn does not fit here: another layer is drawn."""


class Builder:
    """Nodes, constants, and the value of each tensor for one picture.

    Attributes:
        kind: numpy dtype of the activations.
        values: array of each tensor.
        constant: names of the tensors that do not depend on the picture.
        maps, rows: names of the activations (N, C, H, W), and (N, C) or (N, T, C), the newest last.
    """

    def __init__(self, seed: str, opset: int, kind: Any, style: str) -> None:
        self.chance = random.Random(seed)
        self.numbers = np.random.default_rng(self.chance.getrandbits(32))
        self.opset, self.kind, self.style = opset, np.dtype(kind), style
        self.nodes: List[onnx.NodeProto] = []
        self.initializers: List[onnx.TensorProto] = []
        self.overridable: List[str] = []  # initializers that are inputs of the graph too
        self.values: Dict[str, np.ndarray] = {}
        self.constant: Set[str] = set()
        self.maps: List[str] = []
        self.rows: List[str] = []
        self.used: Set[str] = set()

    def name(self) -> str:
        """A tensor name that is new, in the style of this network."""
        number = len(self.used)
        forms = {
            "torch": f"/model.{number}/op/Op_output_0", "numbers": f"{number}", "plain": f"t{number}",
            "keras": f"net/block_{number}/BiasAdd:0", "spaces": f"layer {number} ü",
            "ours": self.chance.choice([f"q{number}.dq", f"q{number}.s", f"u8.{number}", f"i8.{number}",
                                        f"{number}.half", f"t{number}.bias", f"q{number}", f"t{number}.folded"]),
        }  # fmt: skip
        self.used.add(forms[self.style])
        return forms[self.style]

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node and computes it.

        Returns:
            Its output's name; with several outputs a list of names.

        Raises:
            Unsuitable: it cannot be computed, or its result is too large.
        """
        made = [self.name() for _ in range(outputs)]
        node = helper.make_node(op, list(inputs), made, **attributes)
        try:
            found = evaluate.compute(node, self.values, self.opset)
        except Exception as error:  # ONNX Runtime's own types
            raise Unsuitable(f"{op}: {error}") from error
        for value in found.values():
            self._check(value)
        if all(name in self.constant for name in evaluate.outer_names(node)) or op == "Shape":
            self.constant.update(made)
        self.nodes.append(node)
        self.values.update(found)
        return made if outputs > 1 else made[0]

    def _check(self, value: np.ndarray) -> None:
        large = value.dtype.kind == "f" and not np.abs(value.astype(np.float64)).max(initial=0.0) < LARGEST
        if large or value.size > MOST or not value.size:
            raise Unsuitable("too large")

    def initializer(self, value: np.ndarray) -> str:
        """Adds an initializer, with its bytes raw or as numbers."""
        name = self.name()
        tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
        if value.dtype == np.float32 and value.size and self.chance.random() < 0.2:
            tensor = helper.make_tensor(name, tensor.data_type, value.shape, value.reshape(-1).tolist())
        self.initializers.append(tensor)
        self.values[name] = value
        self.constant.add(name)
        return name

    def floats(self, value: Union[float, np.ndarray]) -> np.ndarray:
        """The value in the type of the activations."""
        return np.asarray(value).astype(self.kind)

    def map(self) -> Tuple[str, np.ndarray]:
        """An activation (N, C, H, W): the newest, or an older one."""
        return self._one(self.maps)

    def row(self) -> Tuple[str, np.ndarray]:
        """An activation (N, C) or (N, T, C)."""
        return self._one(self.rows)

    def any(self) -> Tuple[str, np.ndarray]:
        """An activation of any shape."""
        return self._one([*self.rows, *self.maps])

    def _one(self, names: Sequence[str]) -> Tuple[str, np.ndarray]:
        if not names:
            raise Unsuitable("there is none")
        name = names[-1] if self.chance.random() < 0.7 else self.chance.choice(names)
        return name, self.values[name]

    def keep(self, name: str) -> str:
        """Puts an activation among those that later layers read."""
        value = self.values[name]
        if value.dtype == self.kind:
            (self.maps if value.ndim == 4 else self.rows).append(name)
        return name

    def state(self) -> Tuple[int, int, int, int, int, Set[str]]:
        """What `back` needs."""
        counted = (self.nodes, self.initializers, self.overridable, self.maps, self.rows)
        return (*map(len, counted), set(self.values))  # type: ignore[return-value]

    def back(self, state: Tuple[int, int, int, int, int, Set[str]]) -> None:
        """Takes back everything that was added since."""
        for held, count in zip((self.nodes, self.initializers, self.overridable, self.maps, self.rows), state):
            del held[count:]  # type: ignore[attr-defined, misc]
        for name in set(self.values) - state[5]:
            del self.values[name]
            self.constant.discard(name)
