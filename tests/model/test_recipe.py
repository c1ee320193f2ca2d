"""Recipes: the flags of a model in a file."""

from __future__ import annotations

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.model import recipe
from edge_runtime.model.recipe import ModelFlags


def test_a_recipe_says_what_flags_say(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('family = "yolo_v3"\nmean = [0, 0, 0]\nanchors = [[[10, 13], [16, 30]]]\n', encoding="utf-8")
    flags = recipe.load_recipe(str(path))
    assert flags == ModelFlags(family="yolo_v3", mean=(0, 0, 0), anchors=(((10, 13), (16, 30)),))
    assert ModelFlags(family="ssd").over(flags).family == "ssd"
    assert ModelFlags(color="bgr").over(flags).mean == (0, 0, 0)


def test_an_unknown_key_names_the_nearest(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('colour = "rgb"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="colour") as caught:
        recipe.load_recipe(str(path))
    assert "'color'" in caught.value.hint


@pytest.mark.parametrize("text", ["= 3", "a = [", None])
def test_unreadable_recipes(tmp_path, text):
    path = tmp_path / "m.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not readable"):
        recipe.load_recipe(str(path))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("imgsz = 640", {"imgsz": (640, 640)}),
        ('imgsz = "1280x720"', {"imgsz": (1280, 720)}),
        ("imgsz = [320, 192]", {"imgsz": (320, 192)}),
        ("mean = 0\nstd = 255", {"mean": (0.0, 0.0, 0.0), "std": (255.0, 255.0, 255.0)}),
        ('labels = ["cat", "hot, dog"]', {"labels": ("cat", "hot, dog")}),
        ("strides = 8\nscale_xy = 1.05", {"strides": (8,), "scale_xy": (1.05,)}),
    ],
)
def test_a_recipe_takes_what_the_flag_takes(tmp_path, text, kept):
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    assert recipe.load_recipe(str(tmp_path / "m.toml")).said() == kept


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('pad_value = "x"', "pad_value"),
        ("pad_value = 256", "pad_value"),
        ("pad_value = true", "pad_value"),
        ("imgsz = 0", r"imgsz\[0\]"),
        ('imgsz = "big"', "imgsz"),
        ("imgsz = [1, 2, 3]", "imgsz"),
        ("mean = nan", r"mean\[0\]"),
        ("std = [1, 0, 1]", r"std\[1\]"),
        ("std = inf", r"std\[0\]"),
        ("labels = 3", "labels"),
        ("labels = [1, 2]", r"labels\[0\]"),
        ("labels = []", "labels"),
        ("family = 3", "family"),
        ('color = "RGB"', "color"),
        ("resize = {a = 1}", "resize"),
        ("anchors = [1, 2]", r"anchors\[0\]"),
        ("anchors = [[[1, -2]]]", r"anchors\[0\]\[0\]\[1\]"),
        ("strides = [0]", r"strides\[0\]"),
    ],
)
def test_a_value_that_does_not_fit_names_file_key_and_what_was_expected(tmp_path, text, place):
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=rf"m\.toml: {place} is ") as caught:
        recipe.load_recipe(str(tmp_path / "m.toml"))
    assert caught.value.hint.startswith("expected ")
