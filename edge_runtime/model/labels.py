"""Class names: the two well-known sets (COCO and VOC), and what users give."""

from __future__ import annotations

import os
from typing import Dict, List, Sequence, Tuple, Union

from edge_runtime.errors import UsageError
from edge_runtime.files import read
from edge_runtime.libraries import load_library
from edge_runtime.model.names import names_of, parse_names

MOST = read.MIB  # largest size of a file of names, bytes
YAML = (".yaml", ".yml")
FILES = (".txt", ".names", ".json", ".csv", ".labels", *YAML)

COCO: Tuple[str, ...] = tuple(
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,"
    "snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush".split(",")
)
VOC: Tuple[str, ...] = tuple(
    "aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,motorbike,person,pottedplant,sheep,"
    "sofa,train,tvmonitor".split(",")
)
UNUSED = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # ids of COCO's own files, 1 to 90, that no class has
_named = iter(COCO)
COCO91: Tuple[str, ...] = tuple(str(number) if number in UNUSED else next(_named) for number in range(91))
SETS: Dict[str, Tuple[str, ...]] = {"coco": COCO, "voc": VOC, "coco91": COCO91, "coco90": COCO91[1:]}


def assume_labels(count: int, notes: List[str], usual: Tuple[str, ...] = ()) -> Tuple[str, ...]:
    """Returns the usual names of a family or well-known ones if there are so many, else numbers.

    A note says what was assumed.
    """
    if count == len(usual):
        notes.append(f"the file has no class names; taken as {', '.join(usual)}: say others with --labels")
        return usual
    known = next((name for name, names in SETS.items() if len(names) == count), None)
    if known is None:
        notes.append(f"the file has no class names; classes are numbered 0..{count - 1}: name them with --labels")
        return tuple(str(number) for number in range(count))
    notes.append(f"the file has no class names; {count} classes taken as {known}: say so with --labels {known}")
    return SETS[known]


def load_labels(name: Union[str, Sequence[str]]) -> Tuple[str, ...]:
    """Returns class names from a set (`coco`, `voc`), a file, text like `a,b,c`, a single name, or a list of names.

    A file has one name per line, or holds JSON, YAML (`data.yaml`) or a Python literal, as exporters write them.

    Raises:
        UsageError: it looks like a file and is not a readable one, or the file holds no name.
    """
    if not isinstance(name, str):
        return tuple(name)
    if name.lower() in SETS:
        return SETS[name.lower()]
    if not os.path.isfile(name) and not _like_a_file(name):
        return parse_names(name) if "," in name else (name,)
    try:
        text = read.read_text(name, MOST)
        found = _yaml_names(text) if name.lower().endswith(YAML) else parse_names(text)
    except ValueError as error:
        raise UsageError(
            f"no label set or readable label file {name!r}: it {error}",
            hint="give coco, voc, a list like a,b,c or a text file with one name per line",
        ) from error
    if not found:
        raise UsageError(f"label file {name} is empty", hint="write one class name per line, in the order of class ids")
    return found


def _like_a_file(name: str) -> bool:
    return "," not in name and ("/" in name or name.lower().endswith(FILES) or not name.strip())


def _yaml_names(text: str) -> Tuple[str, ...]:
    try:
        yaml = load_library("yaml")
    except ImportError as error:
        raise ValueError(f"is YAML, and cannot be read: {error}") from error
    try:
        return names_of(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"is not YAML: {' '.join(str(error).split())[:200]}") from error
