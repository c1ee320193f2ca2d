"""Class names: the two well-known sets (COCO and VOC), and files with one name per line."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple, Union

from edge_runtime.errors import UsageError
from edge_runtime.files import read

MOST = read.MIB  # largest size of a file of names, bytes

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
SETS: Dict[str, Tuple[str, ...]] = {"coco": COCO, "voc": VOC}


def load_labels(name: Union[str, Sequence[str]]) -> Tuple[str, ...]:
    """Returns class names from a set (`coco`, `voc`), from a file with one name per line, or from a list of names.

    Raises:
        UsageError: `name` is neither a set nor a readable text file, or the file holds no name.
    """
    if not isinstance(name, str):
        return tuple(name)
    if name.lower() in SETS:
        return SETS[name.lower()]
    if "," in name:
        return tuple(part.strip() for part in name.split(","))
    try:
        lines = read.read_text(name, MOST).split("\n")
    except ValueError as error:
        raise UsageError(
            f"no label set or readable label file {name!r}: it {error}",
            hint="give coco, voc, a list like a,b,c or a text file with one name per line",
        ) from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise UsageError(f"label file {name} is empty", hint="write one class name per line, in the order of class ids")
    return names
