"""edge-detect --config: every flag is a key, errors name file, line and key, and typed flags go first."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.cli import _config, _config_paths, _site, _written, detect
from edge_runtime.errors import EdgeError, UsageError
from edge_runtime.model import shipped
from edge_runtime.track.options import TrackOptions
from edge_runtime.track.places import Line, Zone

PARSER = detect._parser()
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "site.toml"
TEXTS = (
    "1",
    "0.5",
    "x",
    "auto",
    "640x480",
    "a=1,2,3,4",
    "a=1,2,3,4,5,9",
    "a=0.5",
    "5,6/7,8",
    "raw",
    "2M",
    "/",
    "sigmoid",
)


def load(folder: Path, text: str) -> _config.Site:
    (folder / "site.toml").write_text(text, encoding="utf-8")
    return _config.load(str(folder / "site.toml"), PARSER)


def told(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, text)
    return f"{caught.value} / {caught.value.hint}".replace(f"{folder}/", "")


def arguments(folder: Path, text: str, *words: str) -> argparse.Namespace:
    (folder / "site.toml").write_text(text, encoding="utf-8")
    typed = ["--config", str(folder / "site.toml"), *words]
    return _site.arguments(PARSER, typed, PARSER.typed(typed))


def _fits(parser: Any, flag: str, action: argparse.Action) -> str:
    """A text that the flag takes."""
    for text in [*map(str, action.choices or ()), *TEXTS]:
        try:
            parser._get_value(action, text)
            if action.choices is None or text in action.choices:
                return text
        except argparse.ArgumentError:
            continue
    raise AssertionError(f"no text for {flag}: add one to TEXTS")


def test_every_flag_is_a_key(tmp_path: Path) -> None:
    for key, action in _config.keys(PARSER).items():
        flag = f"--{key.replace('_', '-')}"
        text = "" if action.nargs == 0 else _fits(PARSER, flag, action)
        typed = getattr(PARSER.typed([flag, *([text] if text else [])]), action.dest)
        site = load(tmp_path, f"{key} = {json.dumps(text) if text else 'true'}")
        written = site.flags[action.dest]
        if action.dest in (*_config_paths._files.READS, *_config_paths.WRITTEN):
            written = json.loads(json.dumps(written).replace(f"{tmp_path}/", ""))
        assert written == typed, key
    every = {option for action in PARSER._actions for option in action.option_strings if option.startswith("--")}
    keys = {f"--{key.replace('_', '-')}" for key in _config.keys(PARSER)}
    assert every - keys == {"--help", "--version", "--config", "--check"}
    assert set(_config_paths.WRITTEN) | {"own_output"} == set(_written.WRITES)


WRONG = [
    ("conf = ", "site.toml is not readable: it is not TOML"),
    ("\nconf = 2", "site.toml:2: conf: '2' is not a number from 0 to 1"),
    ("conf = true", "site.toml:1: conf: True does not fit / expected 0..1"),
    ("track = 1", "site.toml:1: track: 1 is not true or false / expected true or false"),
    ("confi = 0.2", "site.toml:1: unknown key confi / did you mean 'conf'?"),
    ("backend = 'onnxruntme'", "backend: 'onnxruntme' is none of them / did you mean onnxruntime?"),
    ("[[stream]]\nname = 'a'", "site.toml:1: stream[0] has no source"),
    ("[[stream]]\nsource = 0\n\nzone = 3", "site.toml:4: stream[0].zone: '3' is not NAME=x1,y1"),
    ("[[stream]]\nsource = 0\nengine = 'x'", "site.toml:3: unknown key stream[0].engine / engine is for all"),
    ("[[stream]]\nsource = 0\n[stream.engine]", "site.toml:3: unknown key stream[0].engine"),
    ("[[stream]]\nsource = 0\n[[stream]]\nsource = 1\nclases = ['a']", "site.toml:5: unknown key stream[1].clases /"),
    ("[[stream]]\nsource = 0\nname = 'a'\n[[stream]]\nsource = 1\nname = 'a'", "site.toml:6: stream[1].name is 'a' / "
     "stream[0] has it too"),
    ("[[stream]]\nsource = 0\n[[stream]]\nsource = 0", "site.toml:4: stream[1].source is '0' / stream[0] has it too"),
    ("stream = 3", "site.toml:1: stream is 3 / expected tables: [[stream]]"),
    ("[[stream]]\nsource = ['a']", "site.toml:2: stream[0].source is ['a']"),
    ("name = 'a'", "site.toml:1: unknown key name / a name is of a [[stream]]"),
    ("class_conf = { person = 3 }", "site.toml:1: class_conf: '3' is not a number from 0 to 1"),
    ("[[zones]]\nname = 'z'\npoints = [[0, 0]]", "site.toml:3: unknown key zones[0].points"),
    ("[[zones]]\nname = 'z'", "site.toml:1: zones[0] has name / expected name, and either fractions or pixels"),
    ("[[lines]]\nname = 'z'\nfractions = [[0, 0], [3, 0]]", "lines[0]: z has a corner at 3, above 1"),
    ("[[stream]]\nsource = 0\n[[stream.lines]]\nname = 'z'\npixels = [[0, 0], [0, 0]]", "site.toml:3: stream[0]."
     "lines[0]: z is no line"),
    ("[[stream]]\nsource = 'rtsp://u:hidden@camera/x'", "site.toml:2: stream[0].source has a password or a token"),
    ("output = ['http://0.0.0.0:80?token=hidden']", "site.toml:1: output[0] has a password or a token"),
    (".".join("a" * 3000) + " = 1", "is nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG, ids=lambda item: item[:40])
def test_errors_name_the_place_and_what_fits(tmp_path: Path, text: str, said: str) -> None:
    found = told(tmp_path, text)
    assert said in found and "hidden" not in found


SITE = """
engine = "nano.onnx"
conf = 0.5
output = "all.jsonl"
source = "photo.jpg"
[[stream]]
source = "a.mp4"
conf = 0.3
lines = [{ name = "l", pixels = [[0.5, 1], [1, 1]] }]
[[stream]]
name = "b"
source = "rtsp://camera/x"
class-conf = { person = 0.05 }
zone = "z=0,0,1,0,1,1"
output = ["b.csv", "events:b.jsonl", "-"]
size = "640x480"
"""


def test_streams_have_what_they_say_and_else_what_all_have(tmp_path: Path) -> None:
    args = arguments(tmp_path, SITE)
    assert args.engine == ["nano.onnx"] and args.output == [f"{tmp_path}/all.jsonl"]
    photo, a, b = _site.streams(args)
    assert (photo.source, photo.conf, photo.track) == (f"{tmp_path}/photo.jpg", 0.5, False)
    line = Line("l", ((0.5, 1), (1, 1)), "pixels")
    assert (a.source, a.conf, a.sinks) == (f"{tmp_path}/a.mp4", 0.3, ())
    assert a.track == TrackOptions(track_threshold=0.3, lines=(line,)) and not line.fractions
    assert (b.source, b.name, b.conf, dict(b.class_conf)) == ("rtsp://camera/x", "b", 0.5, {"person": 0.05})
    assert b.sinks == (f"{tmp_path}/b.csv", f"events:{tmp_path}/b.jsonl", "-")
    assert isinstance(b.track, TrackOptions) and b.track.zones == (Zone("z", ((0, 0), (1, 0), (1, 1))),)
    assert b.options and b.options.size_wh == (640, 480)
    assert _site.least([photo, a, b], args) == 0.05


def test_typed_flags_go_first_and_it_is_said(tmp_path: Path) -> None:
    args = arguments(tmp_path, SITE, "--conf", "0.7", "--output", "x.csv", "other.onnx")
    assert args.engine == ["other.onnx"] and args.output == ["x.csv"]
    assert all(stream.conf == 0.7 and not stream.sinks for stream in _site.streams(args))
    said = _site.overridden(args, PARSER)
    assert [line.split(" of ")[0] for line in said] == ["conf", "engine", "output"]
    args = arguments(tmp_path, SITE, "--source", "demo")
    assert [stream.source for stream in _site.streams(args)] == ["demo"]
    with pytest.raises(UsageError, match="names no engine"):
        arguments(tmp_path, "conf = 0.3")
    assert arguments(tmp_path, "conf = 0.3", "m.onnx", "demo").sources == ["demo"]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").touch()
    sources = "source = ['@cam.txt', 'env:CAM', '0', 'demo', 'gst:x ! y', 'a/*.jpg']"
    outputs = "output = ['yolo:labels/', 'clips:c?days=7', '/abs.csv', 'window']"
    args = arguments(tmp_path, f"engine = 'mine.onnx'\n{sources}\nsave = 'drawn'\nlabels = 'a,b'\n{outputs}")
    assert args.engine == [f"{tmp_path}/mine.onnx"] and args.labels == "a,b" and args.save == f"{tmp_path}/drawn"
    assert args.sources == [f"@{tmp_path}/cam.txt", "env:CAM", "0", "demo", "gst:x ! y", f"{tmp_path}/a/*.jpg"]
    assert args.output == [f"yolo:{tmp_path}/labels/", f"clips:{tmp_path}/c?days=7", "/abs.csv", "window"]


def test_check_says_what_would_run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """The example of the documentation. Its camera does not exist, and nothing is opened."""
    monkeypatch.setenv("GATE_CAMERA", "rtsp://user:hidden@127.0.0.1:1/live")
    assert detect.main(["--config", str(EXAMPLE), "--check", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["conf"], each["track"]) for each in said["streams"]] == [
        ("gate", 0.4, True), ("yard", 0.3, True)
    ]  # fmt: skip
    assert said["streams"][0]["lines"] == ["in and out"] and said["streams"][1]["zones"] == ["yard"]
    assert Path(said["engines"][0]).name == shipped.INT8 and "hidden" not in str(said)
    assert detect.main(["--config", str(EXAMPLE), "--check"]) == 0
    assert "stream gate: env:GATE_CAMERA: conf 0.4; person 0.5; classes person, car" in capsys.readouterr().err
    (tmp_path / "site.toml").write_text("engine = 'none.onnx'\nsource = 'demo'\n", encoding="utf-8")
    assert detect.main(["--config", str(tmp_path / "site.toml"), "--check"]) == 1
    assert detect.main(["--config", str(tmp_path / "no.toml"), "--check"]) == 1
    assert "no.toml is not readable: it is not there" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"site.toml"}


WORDS = st.sampled_from(
    ["stream", "source", "conf", "lines", "zones", "name", "pixels", "fractions", "track", "x", "size"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0", "a=1,2,3,4"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.dictionaries(WORDS, VALUES, max_size=6))
def test_no_data_ends_in_a_traceback(tmp_path: Path, monkeypatch: Any, data: Dict[str, Any]) -> None:
    (tmp_path / "site.toml").write_text("", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(_config.read, "parse_toml", lambda text: data)
        try:
            _config.load(str(tmp_path / "site.toml"), PARSER)
        except EdgeError as error:
            assert error.hint


LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(lines=st.lists(st.sampled_from(LINES) | st.text(max_size=20), max_size=20))
def test_no_text_ends_in_a_traceback(tmp_path: Path, lines: List[str]) -> None:
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    (tmp_path / "site.toml").write_bytes(text)
    try:
        site = _config.load(str(tmp_path / "site.toml"), PARSER)
    except EdgeError as error:
        assert error.hint
    else:
        assert all(table["source"] for table in site.streams)


PAIRS = st.tuples(st.sampled_from(sorted(_config.keys(PARSER))), st.sampled_from(TEXTS) | st.text(max_size=6))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(shared=st.lists(PAIRS, max_size=6, unique_by=lambda pair: pair[0]), own=st.lists(PAIRS, max_size=6))
def test_no_flags_end_in_a_traceback(tmp_path: Path, shared: Any, own: Any) -> None:
    mine = [(key, text) for key, text in dict(own).items() if _config.keys(PARSER)[key].dest in _config.OF_STREAM]
    tables = ["\n".join(f"{key} = {json.dumps(text)}" for key, text in pairs) for pairs in (shared, mine)]
    try:
        args = arguments(tmp_path, f"{tables[0]}\n[[stream]]\nsource = 'demo'\n{tables[1]}", "m.onnx")
        assert _site.least(_site.streams(args), args) <= TrackOptions.low_threshold
    except EdgeError as error:
        assert error.hint
