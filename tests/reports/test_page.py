"""The parts that pages are made of."""

from __future__ import annotations

from edge_runtime.reports import page


def test_long_words_get_a_wide_column_and_figures_do_not():
    made = page.table(("", "why"), [("1", "a <b>" * 20), ("2", "short")])
    assert made.count('<td class="long">') == 1 and "<b>" not in made and "<td>short</td>" in made
