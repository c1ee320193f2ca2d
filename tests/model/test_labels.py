"""Class names from sets, lists and files."""

from __future__ import annotations

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.model import labels


def test_the_known_sets_are_complete():
    assert len(labels.COCO) == 80 and len(set(labels.COCO)) == 80
    assert len(labels.VOC) == 20 and len(set(labels.VOC)) == 20
    assert labels.load_labels("COCO")[0] == "person" and labels.load_labels("voc")[14] == "person"


def test_coco_names_are_those_of_the_data_set(shared):
    assert labels.COCO == tuple((shared / "data/coco128/coco.names").read_text().splitlines())


def test_files_and_lists(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("cat\n\n dog \n")
    assert labels.load_labels(str(path)) == ("cat", "dog") == labels.load_labels("cat, dog")


@pytest.mark.parametrize("content", [None, "", "\n \n", b"\xff\xfe\x00"])
def test_what_is_not_a_label_file_is_an_error(tmp_path, content):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        labels.load_labels(str(path))
    assert caught.value.hint
