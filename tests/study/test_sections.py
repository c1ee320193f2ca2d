"""Sections of a study's page."""

from __future__ import annotations

from typing import Dict, List

from study_rows import row

from edge_runtime.study import sections


def forms(*rows: Dict) -> List[Dict[str, str]]:
    section = next((one for one in sections.sections(rows) if one.title.startswith("Forms")), None)
    return [dict(zip(("name", *section.columns[1:]), line)) for line in section.rows] if section else []


def test_a_form_stands_beside_what_it_was_made_from_or_says_that_this_is_absent():
    whole, small = row("whole", 0.5, 7000), row("small", 0.49, 3500, fps=100.0)
    small["study"] = {**small["study"], "base": "whole", "form": "pruned"}
    (line,) = forms(whole, small)
    assert (line["form"], line["made from"], line["MACs"]) == ("pruned", "whole", "0.50") and line["verdict"] != "–"
    (line,) = forms(small)
    assert line["made from"] == "whole, which was not measured here" and line["MACs"] == line["verdict"] == "–"
    assert not forms(whole)


def test_the_first_table_says_which_networks_know_the_pictures():
    known = row("known", 0.9, 7000)
    known["study"] = {**known["study"], "seen": "trained on them"}
    first = sections.sections([row("a", 0.3, 7000), known])[0]
    assert "AP too high, and not in the fronts. known: trained on them." in first.notes
    assert not any("too high" in note for note in sections.sections([row("a", 0.3, 7000)])[0].notes)
