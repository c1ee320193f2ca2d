"""Finds out, on pictures, what float16 would spoil in a network, and keeps it in float32.

Everything runs in float32. The float16 form is emulated: each result is rounded to float16 (see `graph/half.py`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Sequence, Set, Tuple

import numpy as np

from edge_runtime.calibrate import runs
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.graph import probes
from edge_runtime.graph.float32_kinds import LARGEST, WEIGHTS, float32_kinds, largest_constant
from edge_runtime.graph.half import MOVING, float16_tensors
from edge_runtime.graph.network import WEIGHTED, Network
from edge_runtime.machine import cores
from edge_runtime.model.spec import ModelSpec

if TYPE_CHECKING:
    import onnx

MARGIN = 2  # other pictures may reach larger values than these
SMALLEST, NORMAL = 2.0**-25, 2.0**-14  # below: a weight becomes 0; it has less than 11 bits
SPOILT, JUMP = 0.02, 4  # relative error of a tensor that is too much, and by how much it exceeds that of the inputs
COMPARED, ROUNDS = 1, 8  # pictures on which tensors are compared; searches for what is spoilt
Progress = Callable[[str, int], Callable[[], None]]


@dataclass(frozen=True)
class Layer:
    """A node that stays in float32 because of what it does to these pictures or with its weights.

    Attributes:
        output: its first output.
        name: its operator and name.
        reason: why.
    """

    output: str
    name: str
    reason: str


@dataclass(frozen=True)
class Study:
    """What was found out about the float16 form of a network.

    Attributes:
        kept: nodes that stay in float32 because float16 would spoil them.
        kinds: {reason: number of nodes} that stay in float32 because of what they are.
        halves: number of tensors in float16.
        peaks: (tensor, node, largest absolute value) of tensors that float16 cannot hold, the largest first.
        largest: the same of the largest tensor that stays in float16.
        vanished: weights in float16 that become 0 although they are not; `weights` is the number of all of them.
        pictures: number of pictures that were run.
    """

    kept: Tuple[Layer, ...]
    kinds: Dict[str, int]
    halves: int
    peaks: Tuple[Tuple[str, str, float], ...]
    largest: Tuple[str, str, float]
    vanished: int
    weights: int
    pictures: int

    @property
    def keep(self) -> Tuple[str, ...]:
        """The first outputs of `kept`, as `half` takes them."""
        return tuple(layer.output for layer in self.kept)

    def summary(self) -> Dict[str, Any]:
        """Returns plain data for the passport."""
        return {
            "float32_layers": {layer.name: layer.reason for layer in self.kept}, "float32_kinds": self.kinds,
            "float16_tensors": self.halves, "overflows": [list(peak) for peak in self.peaks],
            "largest": list(self.largest), "vanished_weights": self.vanished, "weights": self.weights,
            "pictures": self.pictures,
        }  # fmt: skip


def study(network: Network, spec: ModelSpec, pictures: Sequence[str], progress: Progress) -> Study:
    """Runs a float network, with an input of fixed size, and finds what float16 would spoil.

    Args:
        network: from `forms.float_form`; it is not changed.
        spec: how pictures are prepared.
        pictures: picture files.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed.
        ModelError: ONNX Runtime does not run the network.
        SourceError: a picture cannot be read.
    """
    return _Search(network, spec, pictures, progress).result()


class _Search:
    """The search in one network."""

    def __init__(self, network: Network, spec: ModelSpec, pictures: Sequence[str], progress: Progress) -> None:
        self._network, self._spec, self._pictures, self._progress = network, spec, pictures, progress
        self._kinds = float32_kinds(network)
        self._body = [n for n in network.nodes if self._kinds.get(n.output[0], WEIGHTS) == WEIGHTS]
        self._kept: Dict[str, str] = {}

    def result(self) -> Study:
        """Returns what is found."""
        peaks = self._peaks()
        self._keep_heavy()
        self._keep_peaks(peaks)
        self._keep_spoilt()
        network, kinds = self._network, [reason for reason in self._kinds.values() if reason != WEIGHTS]
        held = {name: peaks[name] for name in float16_tensors(network, self._kept)}
        order = sorted(peaks.items(), key=lambda item: -item[1])
        named = [(name, self._name(network.producer(name)), size) for name, size in order]
        over = tuple(entry for entry in named if not entry[2] <= LARGEST)
        return Study(
            tuple(Layer(output, self._name(network.producer(output)), why) for output, why in self._kept.items()),
            {reason: kinds.count(reason) for reason in dict.fromkeys(kinds)}, len(held), over,
            next((entry for entry in named if entry[0] in held), ("", "", 0.0)), *self._vanished(), len(self._pictures),
        )  # fmt: skip

    def _peaks(self) -> Dict[str, float]:
        """Returns the largest absolute value of each tensor over the pictures; infinity if one is not finite."""
        names = float16_tensors(self._network)
        model = probes.with_extremes(self._network, names)
        peaks = dict.fromkeys(names, 0.0)
        for values in self._run(model, [f"{n}.{end}" for n in names for end in ("most", "least")], self._pictures):
            for number, name in enumerate(names):
                size = float(max(abs(value) for value in values[2 * number : 2 * number + 2]))
                peaks[name] = max(peaks[name], size if isfinite(size) else inf)
        return peaks

    def _run(self, model: onnx.ModelProto, outputs: List[str], pictures: Sequence[str]) -> Any:
        with _explained():
            run = runs.runner(model, outputs)
        tick = self._progress("float16", len(pictures))
        with ThreadPoolExecutor(cores()) as pool:
            for _, tensor in runs.prepared(pictures, self._spec, pool):
                with _explained():
                    values = run(tensor)
                yield values
                tick()

    def _keep_heavy(self) -> None:
        for node in self._body:
            if self._kinds.get(node.output[0]) == WEIGHTS:
                what = "its weights reach" if node.op_type in WEIGHTED else "it reads a constant of"
                self._kept[node.output[0]] = f"{what} {largest_constant(self._network, node):.3g}"

    def _keep_peaks(self, peaks: Dict[str, float]) -> None:
        """Keeps what writes or reads a tensor with values that float16 cannot hold, or that other pictures may lift."""
        large = {name: size for name, size in peaks.items() if not size <= LARGEST / MARGIN}
        for node in self._body:
            found = [name for name in (*node.output, *node.input) if name in large]
            if found:
                worst = max(found, key=lambda name: large[name])
                does = "its values reach" if worst in node.output else "it reads values up to"
                self._kept.setdefault(node.output[0], f"{does} {large[worst]:.3g}")

    def _keep_spoilt(self) -> None:
        """Keeps the nodes at which the error begins, until there are none."""
        for _ in range(ROUNDS):
            errors, before = self._errors(), set(self._kept)
            for node in self._body:
                own = errors.get(node.output[0], 0.0)
                given = max((errors.get(name, 0.0) for name in node.input), default=0.0)
                if own > SPOILT and own > JUMP * given:
                    self._blame(node, own)
            if before == set(self._kept):
                return

    def _blame(self, node: onnx.NodeProto, error: float) -> None:
        """Keeps a node. If it is kept already, its inputs were spoilt unseen: what writes them is kept."""
        if node.output[0] not in self._kept:
            self._kept[node.output[0]] = f"float16 would change its values by {min(error, 1):.0%}"
            return
        for source in self._writers(node):
            self._kept.setdefault(source, f"{self._name(node)} needs its small values")

    def _writers(self, node: onnx.NodeProto) -> Set[str]:
        """Returns the first outputs of the nodes that compute a node's inputs, and of those that move them to it."""
        found, body = set(), {part.output[0] for part in self._body}
        for name in node.input:
            maker = self._network.producer(name)
            if maker is not None and maker.output[0] in body:
                found.add(maker.output[0])
                found.update(self._writers(maker) if maker.op_type in MOVING else ())
        return found

    def _errors(self) -> Dict[str, float]:
        """Returns the relative error of each tensor, with `kept` in float32; infinity if it is not finite."""
        wanted = [name for node in self._body for name in node.output]
        known = set(float16_tensors(self._network))
        names = [name for name in wanted if name in known]
        model = probes.side_by_side(self._network, names, self._kept)
        outputs = [f"{name}.{what}" for name in names for what in ("power", "error")]
        sums = np.zeros(len(outputs))
        for values in self._run(model, outputs, self._pictures[:COMPARED]):
            sums += np.array([float(value) for value in values])
        return {name: _relative(*sums[2 * k : 2 * k + 2]) for k, name in enumerate(names)}

    def _vanished(self) -> Tuple[int, int]:
        """Counts the weights in float16 that become 0, and all of them."""
        read = {name for n in self._body if n.output[0] not in self._kept for name in n.input}
        values = [self._network.constants[name] for name in read if name in self._network.constants]
        weights = [np.abs(value) for value in values if value.dtype == np.float32]
        return sum(int(((v > 0) & (v < SMALLEST)).sum()) for v in weights), sum(v.size for v in weights)

    def _name(self, node: Any) -> str:
        return "the input" if node is None else f"{node.op_type} {node.name or node.output[0]}"


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except EdgeError:
        raise
    except Exception as error:  # onnxruntime's own exception types are not public
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"ONNX Runtime does not run the network: {reason}", hint="--no-verdict compares nothing"
        ) from error


def _relative(power: float, error: float) -> float:
    if not (isfinite(power) and isfinite(error)):
        return inf
    return sqrt(error / power) if power else inf * error if error else 0.0
