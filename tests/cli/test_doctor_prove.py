"""edge-doctor --prove, --read and --record as a user calls them; the steps themselves are tested in tests/prove."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest

from edge_runtime.cli import doctor
from edge_runtime.prove import child
from edge_runtime.prove.steps import FAILED, PASSED, Step, StepResult, listed
from tests.hearing import heed_signals

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> List[StepResult]:
    """What the steps come to, instead of processes."""
    found: List[StepResult] = []
    monkeypatch.setattr("edge_runtime.prove.listed", lambda *_: [Step(each.name, "") for each in found])
    monkeypatch.setattr(child, "run", lambda step, task: next(each for each in found if each.name == step.name))
    return found


def test_exit_code_text_file_and_json(outcomes, tmp_path, capsys, monkeypatch):
    outcomes += [StepResult("one", PASSED, "fine"), StepResult("two", PASSED, "too")]
    monkeypatch.chdir(tmp_path)
    assert doctor.main(["--prove", "--sysroot", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "passed   one " in out and "Everything is proved." in out and "Send back proof.json" in out and err == ""
    assert doctor.main(["--prove", "--json", "--sysroot", str(tmp_path), "-o", "p.json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads((tmp_path / "p.json").read_text(encoding="utf-8")) and "passed   one" in err
    outcomes.append(StepResult("three", FAILED, "it broke", hint="mend it"))
    assert doctor.main(["--prove", "--sysroot", str(tmp_path)]) == 1
    assert "failed   three                it broke\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))["ok"] is False


def test_nobodys_name_is_in_it(outcomes, tmp_path, capsys):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("marys-board\n", encoding="utf-8")
    (tmp_path / "etc/passwd").write_text("mary:x:1000:1000::/home/mary:/bin/sh\nsaid:x:1001:\n", encoding="utf-8")
    outcomes.append(
        StepResult(
            "one", FAILED, "/home/mary/x.py on marys-board", "ask mary at 10.0.0.7", figures={"stderr": ["by mary"]}
        )
    )
    doctor.main(["--prove", "-o", str(tmp_path / "p.json"), "--sysroot", str(tmp_path)])
    text = (tmp_path / "p.json").read_text(encoding="utf-8")
    assert "mary" not in text and "10.0.0.7" not in text and "/home/<name>/x.py on <name>" in text
    assert json.loads(text)["steps"][1]["said"], "a user may be called like a key"


@pytest.mark.parametrize(
    "arguments",
    [["--prove", "--read", "x"], ["-o", "x"], ["--power-mode", "15W"], ["--record", "a", "--read", "b"],
     ["--read", "a", "--power-mode", "15W"]],
)  # fmt: skip
def test_flags_that_do_not_go_together(capsys, arguments):
    assert doctor.main(arguments) == 2 and "hint: " in capsys.readouterr().err


def test_files_that_cannot_be_read_or_written(outcomes, tmp_path, capsys):
    (tmp_path / "notes.json").write_text('{"my": "notes"}', encoding="utf-8")
    assert doctor.main(["--read", str(tmp_path / "none.json")]) == 1
    assert "cannot be read: it is not there" in capsys.readouterr().err
    assert doctor.main(["--read", str(tmp_path / "notes.json")]) == 1 and "is no proof" in capsys.readouterr().err
    assert doctor.main(["--prove", "-o", str(tmp_path / "notes.json"), "--sysroot", str(tmp_path)]) == 1
    assert (tmp_path / "notes.json").read_text(encoding="utf-8") == '{"my": "notes"}', (
        "what is no proof is not overwritten"
    )
    for names in (["--record", str(tmp_path / "no/x.json")], ["--prove", "-o", str(tmp_path / "no/x.json")]):
        assert doctor.main([*names, "--sysroot", str(tmp_path)]) == 1
        err = capsys.readouterr().err
        assert "error: no folder" in err and f"hint: mkdir -p {tmp_path}/no" in err


def test_ctrl_c_leaves_the_steps_before(tmp_path):
    """For real: the file is written after each step, and the process of the step is ended with ours."""
    proof = tmp_path / "p.json"
    code = (
        "import sys, edge_runtime.prove as p; from edge_runtime.prove.steps import Step;"
        "p.listed = lambda *_: [Step('import numpy', 'basics', 'numpy'), Step('slow', 'slow')];"
        "from edge_runtime.cli.doctor import main; sys.exit(main())"
    )
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\nmodule = types.ModuleType('edge_runtime.prove.slow')\n"
        "def prove(task):\n    import time\n    time.sleep(60)\nmodule.prove = prove\n"
        "sys.modules['edge_runtime.prove.slow'] = module\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "--prove", "-o", str(proof), "--sysroot", str(tmp_path)], encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=heed_signals,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY), *sys.path])},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while "import numpy" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    content = json.loads(proof.read_text(encoding="utf-8"))
    assert process.returncode == 130 and "holds the steps before" in err
    assert [step["name"] for step in content["steps"]] == ["board", "import numpy"] and not content["ok"]


def test_on_this_machine_up_to_the_gpu(tmp_path, capsys, monkeypatch):
    """Real processes, real libraries; what a board has is not here."""
    every, wanted = listed(Path("/")), ("import numpy", "import native core", "GPU", "compiler", "caps")
    monkeypatch.setattr("edge_runtime.prove.listed", lambda *_: [step for step in every if step.name in wanted])
    (tmp_path / "empty").mkdir()
    code = doctor.main(["--prove", "-o", str(tmp_path / "p.json"), "--sysroot", str(tmp_path / "empty")])
    content: Any = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    states = {step["name"]: step["state"] for step in content["steps"]}
    assert states["import numpy"] == states["import native core"] == PASSED and FAILED not in states.values()
    if states["GPU"] != PASSED:
        assert code == 1 and content["missing"].startswith("no GPU: ")
        assert "Not proved: no GPU: " in capsys.readouterr().out
