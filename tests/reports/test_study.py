"""The page and the Markdown of a study: every table, marks of what is not valid, names that are no markup."""

from __future__ import annotations

import pytest
from study_rows import row

from edge_runtime.reports import study
from edge_runtime.study.fronts import fronts

FP32 = row("nano", 0.30, 2 * 10**9)
INT8 = row("nano int8", 0.29, 2 * 10**9, fps=90.0)
INT8["study"] = {**INT8["study"], "form": "INT8, PTQ", "base": "nano", "system": "yolo_nano"}
INT8["counts"] = {**INT8["counts"], "bytes_file": 123}
BAD = row(
    "a|b <i>*x*</i>", 0.1, 10**8, valid=False, reasons=["other processes used 50% of the cores"], no_watts="no sensor"
)
ROWS = [FP32, INT8, BAD]


def test_markdown_has_every_table():
    text = study.write_study_markdown(ROWS, "edge-bench study.toml")
    parts = {part.partition("\n")[0]: part for part in text.split("## ")}
    assert [
        title for title in parts if title.startswith(("All", "Fronts", "Net", "Acc", "Forms", "Sys", "Pub", "Rows"))
    ] == list(parts)[1:]
    assert len(parts) == 9 and text.startswith("# T\n")
    assert "50.0 \\*" not in parts["All rows"].split("nano ")[1].split("\n")[0], "a valid row has no mark"
    assert "a\\|b \\<i\\>\\*x\\*\\</i\\>" in text and "50.0 \\*" in parts["All rows"]
    assert "No watts and joules of AMD, cores 2: no sensor." in parts["All rows"]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(
        line.replace("\\|", "").count("|") == lines[0].count("|")
        for line in parts["All rows"].splitlines()
        if line.startswith("|")
    )


def test_a_form_stands_beside_what_it_was_made_from():
    (forms,) = [section for section in study.sections(ROWS) if section.title.startswith("Forms")]
    ((name, form, base, macs, size, speed, verdict),) = forms.rows
    assert (name, form, base, macs, size, speed) == ("nano int8", "INT8, PTQ", "nano", "1.00", "0.30", "1.80")
    assert "points of AP lost" in verdict
    slow = [FP32, {**INT8, "valid": False}]
    (forms,) = [section for section in study.sections(slow) if section.title.startswith("Forms")]
    assert forms.rows[0][5] == "–" and "as fast" not in forms.rows[0][6], "no speed of a row that is not valid"


def test_published_rows_stand_beside_ours_with_the_reason():
    (table,) = [section for section in study.sections(ROWS) if section.title.startswith("Published")]
    nano = next(line for line in table.rows if "Salvi" in line[1])
    assert "2,082,423,381 THOP MACs" in nano[3] and "nano int8: " in nano[4] and "from scratch" in nano[6]
    assert not [section for section in study.sections([FP32]) if section.title.startswith("Published")]


def test_the_page_has_plots_and_escapes_names():
    pytest.importorskip("matplotlib")
    text = study.write_study_page(ROWS, "edge-bench study.toml")
    assert text.count("<img") == 3 and "<i>" not in text and 'src="http' not in text
    assert "a|b &lt;i&gt;" in text


def test_a_row_without_figures_is_no_crash():
    bare = {"engine": "x.plan", "batch": 1, "streams": 1, "valid": False, "reasons": ["r"], "notes": []}
    text = study.write_study_markdown([bare], "c")
    assert "x.plan" in text and "## Rows whose speed is not valid" in text


@pytest.mark.parametrize("wide", [1, 40])
def test_no_name_in_a_plot_is_crossed_by_its_front(wide):
    """On a level and on a logarithmic axis: the texts as they are drawn, and the steps of the front."""
    agg = pytest.importorskip("matplotlib.backends.backend_agg")
    rows = [row(f"network {n}", 0.2 + 0.05 * n, 10**9 + wide * n * 10**8) for n in range(5)]
    one = fronts(rows)[0]
    drawn = study._draw(one)
    renderer = agg.FigureCanvasAgg(drawn).get_renderer()
    drawn.draw(renderer)
    (axes,) = drawn.axes
    texts = {text.get_text(): text.get_window_extent(renderer) for text in axes.texts}
    assert len(texts) == len(one.points) == len(one.best) == 5
    for left, bottom, right, top in study._lines(axes, one)[len(one.points) :]:
        scale = drawn.dpi / 72
        for name, box in texts.items():
            apart = (box.x1 < scale * left or box.x0 > scale * right
                     or box.y1 < scale * bottom or box.y0 > scale * top)  # fmt: skip
            assert apart, name
