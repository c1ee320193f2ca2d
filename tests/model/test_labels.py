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
    assert labels.COCO == tuple((shared / "data/coco128/coco.names").read_text(encoding="utf-8").splitlines())


def test_files_and_lists(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("cat\n\n dog \n", encoding="utf-8")
    assert labels.load_labels(str(path)) == ("cat", "dog") == labels.load_labels("cat, dog")


def test_a_single_name_is_one_class():
    assert labels.load_labels("person") == labels.load_labels("person,") == ("person",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.yaml", "path: x\nnames:\n  0: cat\n  1: hot dog\nnc: 2\n"),
        ("data.yml", "names: [cat, hot dog]\n"),
        ("names.json", '{"1": "hot dog", "0": "cat"}'),
        ("classes.txt", "\ufeffcat\r\nhot dog\r\n"),
        ("obj.names", "cat,hot dog"),
    ],
)
def test_files_of_other_tools(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    assert labels.load_labels(str(tmp_path / name)) == ("cat", "hot dog")


@pytest.mark.parametrize("name", ["coco.txt", "my/labels", "data.yaml", "", " "])
def test_a_file_that_is_not_there_is_no_class(name):
    with pytest.raises(UsageError, match="it is not there"):
        labels.load_labels(name)


def test_a_broken_yaml_file_is_an_error(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a, b", encoding="utf-8")
    with pytest.raises(UsageError, match="is not YAML"):
        labels.load_labels(str(tmp_path / "data.yaml"))


@pytest.mark.parametrize("content", [None, "", "\n \n", b"\xff\xfe\x00"])
def test_what_is_not_a_label_file_is_an_error(tmp_path, content):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        labels.load_labels(str(path))
    assert caught.value.hint
