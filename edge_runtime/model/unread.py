"""Names files that are no detectors, or of kinds that are not read, by their inputs; see also `unread_outputs`."""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Optional, Tuple

Shape = Tuple[int, ...]
Inputs = Mapping[str, Shape]
DETECTOR = "give a detector instead, such as the file that `yolo export model=yolo11n.pt format=onnx` writes"
ONE_IMAGE = "export the network without its preprocessing, with one input (batch, 3, height, width)"


class Unread(NamedTuple):
    """A kind of file that is not read.

    Attributes:
        name: completes the sentence "the file is ...".
        hint: the way out.
    """

    name: str
    hint: str


TEXT = ("input_ids", "attention_mask", "token_type_ids", "inputs_embeds", "decoder_input_ids", "past_key_values")
SOUND = ("input_features", "input_values", "audio", "waveform", "wav", "speech", "mel", "spectrogram")


def by_inputs(inputs: Inputs) -> Optional[Unread]:
    """Returns what a file with these inputs is, if it is of a known kind that is not read.

    Args:
        inputs: name -> shape, -1 for an open size, (0,) or fewer sizes if the file says none.
    """
    return next((kind for fits, kind in RULES if fits(inputs)), None)


def _named(words: Tuple[str, ...]) -> Callable[[Inputs], bool]:
    return lambda inputs: any(name.lower().startswith(words) for name in inputs)


def _of_darknet(inputs: Inputs) -> bool:
    return len(inputs) == 2 and "image_shape" in inputs


def _is_one_picture(inputs: Inputs) -> bool:
    return len(inputs) == 1 and all(len(shape) == 3 and shape[0] == 3 for shape in inputs.values())


def _is_grey(inputs: Inputs) -> bool:
    return len(inputs) == 1 and all(len(shape) == 4 and shape[1] == 1 for shape in inputs.values())


def _is_video(inputs: Inputs) -> bool:
    return len(inputs) == 1 and all(len(shape) == 5 and 3 in shape[1:3] for shape in inputs.values())


def _has_no_picture(inputs: Inputs) -> bool:
    return bool(inputs) and all(0 < len(shape) < 3 for shape in inputs.values())


def _is_pair_of_pictures(inputs: Inputs) -> bool:
    return len(inputs) > 1 and sum(len(shape) == 4 for shape in inputs.values()) > 1


RULES: Tuple[Tuple[Callable[[Inputs], bool], Unread], ...] = (
    (_named(TEXT), Unread("a language model, or one of pictures and texts", DETECTOR)),
    (_named(SOUND), Unread("a model of sound", DETECTOR)),
    (
        _of_darknet,
        Unread(
            "YOLOv3 of the ONNX model zoo, with NMS and a second input for the size of the picture",
            "make it from the Darknet files: tools/import_darknet.py net.cfg net.weights -o net.onnx",
        ),
    ),
    (
        _is_one_picture,
        Unread(
            "a network of one picture without a batch axis, like Faster R-CNN and Mask R-CNN of torchvision and of the"
            " ONNX model zoo",
            f"two-stage detectors are not read: {DETECTOR}",
        ),
    ),
    (_is_grey, Unread("a network of grey pictures", "export a network of colour pictures (batch, 3, height, width)")),
    (_is_video, Unread("a network of several frames at a time", DETECTOR)),
    (
        _is_pair_of_pictures,
        Unread("a network of several pictures or maps, like trackers", DETECTOR),
    ),
    (_has_no_picture, Unread("a network without a picture as input", DETECTOR)),
)
