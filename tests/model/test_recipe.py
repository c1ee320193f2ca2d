"""Recipes: the flags of a model in a file."""

from __future__ import annotations

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.model import recipe
from edge_runtime.model.recipe import ModelFlags


def test_a_recipe_says_what_flags_say(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('family = "yolo_v3"\nmean = [0, 0, 0]\nanchors = [[[10, 13], [16, 30]]]\n')
    flags = recipe.load_recipe(str(path))
    assert flags == ModelFlags(family="yolo_v3", mean=(0, 0, 0), anchors=(((10, 13), (16, 30)),))
    assert ModelFlags(family="ssd").over(flags).family == "ssd"
    assert ModelFlags(color="bgr").over(flags).mean == (0, 0, 0)


def test_an_unknown_key_names_the_nearest(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('colour = "rgb"\n')
    with pytest.raises(UsageError, match="colour") as caught:
        recipe.load_recipe(str(path))
    assert "'color'" in caught.value.hint


@pytest.mark.parametrize("text", ["= 3", "a = [", None])
def test_unreadable_recipes(tmp_path, text):
    path = tmp_path / "m.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match="not readable"):
        recipe.load_recipe(str(path))
