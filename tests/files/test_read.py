"""Files of the user are read within bounds."""

from __future__ import annotations

import os

import pytest

from edge_runtime.files import read


def test_a_text_is_read_with_any_line_ends_and_without_its_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfcat\r\ndog\rb\xc3\xa4r\n")
    assert read.read_text(path) == "cat\ndog\nbär\n"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.write_bytes(b"a" * 2049), "is larger than"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40), "is larger than"),
        (lambda path: path.write_bytes(b"abc\xff"), "byte 3 is 0xff"),
    ],
    ids=["missing", "folder", "pipe", "device", "large", "sparse", "not UTF-8"],
)
def test_what_is_no_text_file_says_why(tmp_path, make, reason):
    make(tmp_path / "a")
    with pytest.raises(ValueError, match=reason):
        read.read_text(tmp_path / "a", 2048)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[" * 200_000, "too deeply|not JSON"),
        ('{"a":' * 200_000, "too deeply|not JSON"),
        ("1" * 10_000_000, "digits"),
        ('"\\udc00"', "surrogate"),
    ],
    ids=["cut", "nan", "infinity", "lists", "objects", "digits", "surrogate"],
)
def test_what_is_no_json(text, reason):
    with pytest.raises(ValueError, match=reason):
        read.parse_json(text)


def test_json_that_is_good():
    assert read.parse_json_object('{"a": [1, -2.5, "\\ud83d\\ude00"]}') == {"a": [1, -2.5, "\U0001f600"]}
    with pytest.raises(ValueError, match="a list and not an object"):
        read.parse_json_object("[]")


@pytest.mark.parametrize("text", ["a =", "a = " + "[" * 50_000, "a = {b = " * 50_000, "\0", "a = 1\na = 2"])
def test_what_is_no_toml(text):
    with pytest.raises(ValueError, match=r"not TOML|too deeply"):
        read.parse_toml(text)
