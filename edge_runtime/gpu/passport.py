"""A plan's passport: what the plan holds, what it was built from, and where it runs. A JSON file beside the plan.

It is beside the plan and not in it, so that trtexec and other programs can read the plan. A plan runs only with the
TensorRT version and the GPU that it was built with. So the passport is read before CUDA is used.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional

from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.files import fields, read
from edge_runtime.files.fields import check_fields, show
from edge_runtime.gpu import trt
from edge_runtime.jetson import board, nvpmodel
from edge_runtime.model.spec import IO_FIELDS, ModelIO, ModelSpec

FORMAT = 1


@dataclass(frozen=True)
class Platform:
    """The machine where a plan was built, or where it should run. What is not known is an empty text.

    Attributes:
        tensorrt: name and version, "tensorrt 10.3.0".
        compute_capability: that of the GPU, "8.7".
        board: name of a Jetson, "Jetson Orin Nano 8GB".
        cuda: CUDA version of the driver, "12.6".
        jetpack, l4t: versions, "6" and "36.4.3".
        power_mode: name of the nvpmodel mode.
    """

    tensorrt: str = ""
    compute_capability: str = ""
    board: str = ""
    cuda: str = ""
    jetpack: str = ""
    l4t: str = ""
    power_mode: str = ""


@dataclass(frozen=True)
class Passport:
    """What is known about a plan.

    Attributes:
        spec: how images are prepared, and the classes.
        io: names and shapes of its tensors; `metadata` is that of the ONNX file.
        precision: the precision that was asked for.
        layers: how many layers of the engine read which type, {"int8": 10}: numpy's names, or "unknown". Empty if
            TensorRT does not list them.
        convolutions: the same for convolutions only.
        onnx, ranges: SHA-256 of the ONNX file and of its range table; "" if there is none.
        place: the machine where it was built, or for which it was built.
        seconds: how long the build took.
        command: the command that builds it again.
        half: what is known about its float16 form: what was compared, and what stays in float32; empty if nothing is.
        golden: what it must find on photographs that come along, see `detect.golden`; empty if nothing is known.
        least_batch: fewest images that it runs; the most is the batch of `io`.
    """

    spec: ModelSpec
    io: ModelIO
    precision: str
    layers: Mapping[str, int]
    convolutions: Mapping[str, int]
    onnx: str
    ranges: str
    place: Platform
    seconds: float
    command: str
    half: Mapping[str, Any] = field(default_factory=dict)
    golden: Mapping[str, Any] = field(default_factory=dict)
    least_batch: int = 1

    def to_json(self) -> str:
        """Returns the content of the file."""
        data = asdict(self)
        del data["io"]["produced_by"]  # of the ONNX graph, which a plan no longer has
        return json.dumps({"format": FORMAT, **data}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Passport:
        """Reads what `to_json` wrote.

        Raises:
            ModelError: the text is not a passport, or has an unknown format.
        """
        try:
            data = read.parse_json_object(text)
            if data.get("format") != FORMAT:
                fact = f"the passport has the unknown format {show(data.get('format'))}"
                raise ModelError(fact, hint="build the plan again with this version")
            data = {"half": {}, "golden": {}, **data}  # older passports say nothing about these
            data.setdefault("least_batch", max(1, data["io"]["input_shape"][0]))
            kept = check_fields({name: data[name] for name in FIELDS}, FIELDS, "passport: ", ModelError)
            io = check_fields(kept["io"], IO_FIELDS, "passport: io: ", ModelError)
            place = check_fields(kept["place"], PLACE, "passport: place: ", ModelError)
            described = ModelSpec.from_json(json.dumps(kept["spec"]))
            return cls(**{**kept, "spec": described, "io": ModelIO(**io), "place": Platform(**place)})
        except (LookupError, TypeError, ValueError) as error:
            if isinstance(error, EdgeError):
                raise
            fact = f"not a passport: {read.why(error)}"
            raise ModelError(fact, hint="edge-build writes one beside every plan") from error

    def refusal(self, here: Platform) -> Optional[str]:
        """Returns why the plan does not run here, without a full stop; None if there is no reason."""
        reasons, there = [], self.place
        if here.tensorrt and there.tensorrt != here.tensorrt:
            reasons.append(f"it was built with {there.tensorrt}, but here is {here.tensorrt}")
        capabilities = there.compute_capability, here.compute_capability
        if all(capabilities) and capabilities[0] != capabilities[1]:
            reasons.append("it was built for a GPU of compute capability {}, but this one has {}".format(*capabilities))
        elif not all(capabilities) and bool(there.board) != bool(here.board):
            reasons.append(f"it was built on {there.board or 'a computer'}, but this is {here.board or 'a computer'}")
        return ", and ".join(reasons) or None


_COUNTS = fields.mapping(fields.whole(0, 1 << 31))
PLACE = {field.name: fields.text() for field in dataclasses.fields(Platform)}
FIELDS = {
    **dict.fromkeys(("spec", "io", "place", "half", "golden"), fields.mapping(fields.anything())),
    **dict.fromkeys(("precision", "onnx", "ranges"), fields.text()),
    **dict.fromkeys(("layers", "convolutions"), _COUNTS),
    "seconds": fields.number(0),
    "command": fields.text(1 << 16),
    "least_batch": fields.whole(1, 1 << 16),
}


def this_platform(root: Optional[Path] = None, cuda: str = "", compute_capability: str = "") -> Platform:
    """Returns what is known without CUDA about this machine, or the one whose files are below `root`.

    A Jetson's chip tells which GPU it has.
    """
    root = root or board.root()
    release = board.l4t(root)
    return Platform(
        tensorrt="" if trt.missing() else trt.version(),
        compute_capability=compute_capability or board.compute_capability(root),
        board=board.name(root),
        cuda=cuda,
        jetpack=board.jetpack(release),
        l4t=release,
        power_mode=nvpmodel.current_name(root),
    )


def passport_path(plan: Path) -> Path:
    """Returns the path of a plan's passport."""
    return plan.with_name(f"{plan.name}.json")


def read_passport(plan: Path) -> Optional[Passport]:
    """Reads the passport of a plan; None if it has none.

    Raises:
        ModelError: the passport is damaged.
    """
    path = passport_path(plan)
    if not path.is_file():
        return None
    try:
        return Passport.from_json(read.read_text(path))
    except ValueError as error:
        fact = f"{path}: {error}" if isinstance(error, EdgeError) else f"{path} cannot be read: it {error}"
        raise ModelError(fact, hint=getattr(error, "hint", None) or "build the plan again") from error
