"""A network that is to be built, run by ONNX Runtime: in float32 or in the rounding of INT8, and never in float16."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict

from edge_runtime.backends import BackendOptions
from edge_runtime.build import forms
from edge_runtime.build.forms import BuildInput
from edge_runtime.detect import golden
from edge_runtime.detect.detector import Detector
from edge_runtime.errors import EdgeError
from edge_runtime.files import atomic
from edge_runtime.model.spec import GOLDEN_KEY, METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    import onnx


def opened(network: onnx.ModelProto, spec: ModelSpec, folder: Path, options: BackendOptions) -> Detector:
    """Opens a network that has another description in its metadata, or none. It is written into `folder`.

    Raises:
        BackendUnavailable: ONNX Runtime is not installed.
        ModelError: ONNX Runtime does not run the network, or its outputs are not of this family.
    """
    kept = [entry for entry in network.metadata_props if entry.key not in (METADATA_KEY, GOLDEN_KEY)]
    del network.metadata_props[:]
    network.metadata_props.extend(kept)
    network.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    path = folder / "form.onnx"
    atomic.replace_file(path, network.SerializeToString())
    return Detector.open(path, options=options, backend="onnxruntime")


def golden_frames(source: BuildInput, precision: str, strong: bool, depthwise: bool) -> Dict[str, Any]:
    """Returns what an engine of this precision must find, for its passport; or the reason why this is not known."""
    options = BackendOptions(device="cpu", slots=1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            if not precision.startswith("int8"):
                with opened(forms.float_form(source).model, source.spec, Path(folder), options) as plain:
                    return golden.record(plain.model, plain.backend)
            network = forms.form(source, "int8", strong, depthwise=depthwise)
            with opened(network, source.spec, Path(folder), options) as rounded:
                found = golden.record(rounded.model, rounded.backend)
            with opened(forms.float_form(source).model, source.spec, Path(folder), options) as plain:
                return golden.widened(found, plain.model, plain.backend)
    except EdgeError as error:
        return {"reason": error.message}
