"""Trials in a child process: it may fail, crash, hang or talk."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.doctor import trials
from edge_runtime.doctor.trial import attempt


def test_a_library_that_works_goes_all_the_way() -> None:
    found = attempt("cv2")
    assert found.reason == "" and found.fix is None
    assert found.said[1:] == ("reads pictures", "writes and reads video")


def test_quick_only_loads() -> None:
    found = attempt("cv2", quick=True)
    assert len(found.said) == 1 and found.reason == ""


def test_a_crash_is_told_by_its_signal_and_its_last_words(library) -> None:
    library("cv2", "import os\nos.write(2, b'terminate called\\n')\nos.abort()")
    found = attempt("cv2")
    assert found.reason == "it ended by SIGABRT: terminate called"
    assert found.fix == "python -m edge_runtime.doctor.trials cv2 shows all that it prints"


def test_the_cause_is_looked_for_in_the_last_words(library) -> None:
    library("cv2", "import os\nos.write(2, b'std::bad_alloc\\n')\nos.abort()")
    assert attempt("cv2").reason == "it ended by SIGABRT: std::bad_alloc; memory ran out"


def test_one_that_leaves_without_a_word(library) -> None:
    library("cv2", "import os\nos._exit(3)")
    assert attempt("cv2").reason == "it ended with exit code 3"
    library("cv2", "import os\nos._exit(0)")
    assert attempt("cv2").reason == "it ended with exit code 0"


def test_one_that_hangs_is_ended_with_all_its_children(library) -> None:
    """A child of the child holds the pipes, too: nobody may wait for it."""
    library("cv2", "import subprocess, time\nsubprocess.Popen(['sleep', '1000'])\ntime.sleep(1000)")
    found = attempt("cv2", limit_s=3)
    assert found.reason == "it did not end within 3 s" and found.said == ()


@pytest.mark.parametrize("noise", ["loading...", "{}", '{"level": 3}', "[1, 2]", "null"])
def test_what_a_library_prints_is_not_taken_for_an_answer(library, noise: str) -> None:
    library("openvino", f"print({noise!r})\nraise ImportError('no such plugin')")
    found = attempt("openvino")
    assert found.said == () and found.reason == "no such plugin"


def test_an_error_of_many_lines_is_one(library) -> None:
    library("openvino", "raise RuntimeError('\\n\\n  first\\nsecond\\n')")
    assert attempt("openvino").reason == "first"


def test_every_trial_stands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand, as the fix says; what is not known is wrong usage, not a trial that passed."""
    assert trials.main(["kernel_compiler", "--quick"]) == 0
    assert capsys.readouterr().out.endswith('{"done": true}\n')
    with pytest.raises(KeyError):
        trials.main(["nothing"])
