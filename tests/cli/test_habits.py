"""What users of other tools type: it works as ours does, or is answered with our word for it, in three lines."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List

import pytest

from edge_runtime.cli import _habits
from edge_runtime.cli._parser import Parser
from tests.tiny import boxes_v8, write_onnx

COMMANDS = "detect eval bench build calibrate power doctor identify audit replay zoo plan".split()
MODULES = {name: import_module(f"edge_runtime.cli.{name}") for name in COMMANDS}
PARSERS: Dict[str, Parser] = {f"edge-{name}": MODULES[name]._parser() for name in COMMANDS}


def parsed(command: str, line: str) -> Namespace:
    result: Namespace = MODULES[command]._parser().parse_args(line.split())
    return result


def refused(command: str, words: List[str], capsys: Any) -> str:
    """What a command says to wrong usage; nobody gets more than three lines, or another exit code than 2."""
    with pytest.raises(SystemExit) as caught:
        MODULES[command].main(words)
    out, said = capsys.readouterr()
    lines = said.splitlines()
    assert caught.value.code == 2 and not out and "Traceback" not in said, said
    assert len(lines) == 3 and lines[0].startswith("error: ") and lines[1].startswith("hint: "), said
    assert re.fullmatch(r"edge-[a-z]+( \w+)? --help shows all flags", lines[2])
    return said


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two videos in it."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


SAME = [  # command, what they type, what it means with us
    # YOLOv5
    ("detect", "--weights m.onnx --source bus.jpg", "--engine m.onnx --source bus.jpg"),
    ("detect", "--weights m.onnx --source 0 --view-img", "--engine m.onnx --source 0 --show"),
    ("detect", "--weights=m.onnx --source=bus.jpg --conf-thres=0.4", "m.onnx bus.jpg --conf 0.4"),
    ("detect", "m.onnx bus.jpg --conf-thres 0.4 --iou-thres 0.5", "m.onnx bus.jpg --conf 0.4 --iou 0.5"),
    ("detect", "m.onnx bus.jpg --imgsz 480 640", "m.onnx bus.jpg --imgsz 640x480"),
    ("detect", "m.onnx bus.jpg --img 640", "m.onnx bus.jpg --imgsz 640"),
    ("detect", "m.onnx bus.jpg --img-size 320", "m.onnx bus.jpg --imgsz 320"),
    ("detect", "m.onnx bus.jpg --classes 0 2 3", "m.onnx bus.jpg --classes 0,2,3"),
    ("detect", "m.onnx bus.jpg --device 0", "m.onnx bus.jpg --device cuda"),
    ("detect", "m.onnx bus.jpg --max_det 10 --nosave", "m.onnx bus.jpg --max-det 10"),
    # Ultralytics
    ("detect", "predict model=m.onnx source=bus.jpg", "--engine m.onnx --source bus.jpg"),
    ("detect", "detect predict model=m.onnx source=bus.jpg conf=0.4 iou=.7", "m.onnx bus.jpg --conf .4 --iou .7"),
    ("detect", "task=detect mode=predict model=m.onnx source=0 show=True", "m.onnx 0 --show"),
    ("detect", "model=m.onnx source=bus.jpg show=False imgsz=640", "m.onnx bus.jpg --imgsz 640"),
    ("detect", "model=m.onnx source=bus.jpg classes=[0,2] max_det=5", "m.onnx bus.jpg --classes 0,2 --max-det 5"),
    ("detect", "model=m.onnx source=bus.jpg device=cuda:0 half=False", "m.onnx bus.jpg --device cuda"),
    ("eval", "val model=m.onnx data=coco/ split=val2017", "--engine m.onnx --data coco/ --split val2017"),
    ("build", "export model=m.onnx format=engine half=True batch=4", "m.onnx --precision fp16 --batch 4"),
    ("build", "export model=m.onnx format=engine half=True simplify=True", "m.onnx --precision fp16"),
    ("bench", "benchmark model=m.onnx", "--engine m.onnx"),
    # trtexec
    ("build", "--onnx=m.onnx --saveEngine=m.plan --fp16", "m.onnx --output m.plan --precision fp16"),
    ("build", "--onnx=m.onnx --saveEngine=m.plan --best", "m.onnx -o m.plan --precision best"),
    ("build", "--onnx=m.onnx --fp16 --useDLACore=0 --allowGPUFallback", "m.onnx --precision fp16 --dla 0"),
    ("build", "--onnx=m.onnx --workspace=1024 --timingCacheFile=t", "m.onnx --workspace 1024 --timing-cache t"),
    ("build", "--onnx=m.onnx --buildOnly --explicitBatch", "m.onnx"),
    ("bench", "--loadEngine=m.plan --duration=30", "m.plan --seconds 30"),
    ("detect", "--loadEngine=m.plan bus.jpg", "m.plan bus.jpg"),
    # jetson-inference, tensorrt_demos, FastMOT, darknet
    ("detect", "--network=m.onnx --threshold=0.5 --headless csi://0", "m.onnx csi://0 --conf .5"),
    ("detect", "--model=m.onnx --labels=l.txt --input-rate=15 v4l2://0", "m.onnx v4l2://0 --labels l.txt --fps 15"),
    ("detect", "--usb 0 -m m.plan", "--camera 0 --engine m.plan"),
    ("detect", "--rtsp rtsp://cam/1 --model m.plan", "rtsp://cam/1 m.plan"),
    ("detect", "--input_URI a.mp4 --output-uri b.mp4 m.onnx", "a.mp4 m.onnx --output b.mp4"),
    ("detect", "-i a.mp4 -o b.mp4 -m m.onnx", "a.mp4 m.onnx --output b.mp4"),
    ("detect", "m.onnx a.mp4 --thresh 0.4 --dont-show", "m.onnx a.mp4 --conf 0.4"),
    ("detect", "m.onnx --image bus.jpg --names coco.names", "m.onnx bus.jpg --labels coco.names"),
    ("detect", "m.onnx 0 --gpu", "m.onnx 0 --device cuda"),
    # quantisers and evaluators
    ("calibrate", "--model m.onnx --data photos -o q.onnx", "m.onnx --images photos -o q.onnx"),
    ("calibrate", "--input-model m.onnx --calib-images photos --output q.onnx --int8", "m.onnx photos -o q.onnx"),
    ("identify", "-w m.onnx --source photos --names voc -o r.toml", "m.onnx photos --labels voc --output r.toml"),
    ("identify", "m.onnx --dataset coco --limit 16 --timeout 30", "m.onnx --data coco --max-images 16 --budget 30"),
    ("calibrate", "m.onnx --video a.mp4 --num-images 50 -o q.onnx", "m.onnx --from-source a.mp4 --num 50 -o q.onnx"),
    ("eval", "--weights m.onnx --data coco --conf-thres 0.01 --limit 50", "m.onnx coco --conf .01 --max-images 50"),
    ("bench", "-m m.onnx -i bus.jpg --batch-size 4", "m.onnx --source bus.jpg --batch 4"),
    ("bench", "m.onnx --power-mode 15W --streams 1 2 4", "m.onnx --power-modes 15W --streams 1,2,4"),
    # nvpmodel, jtop
    ("power", "-q", ""),
    ("power", "status --json", "--json"),
    ("audit", "m.onnx n.npz --source a --conf-thres .3 --limit 4", "m.onnx n.npz --images a --conf .3 --max-images 4"),
    # a detector of edge-zoo, by its name
    ("detect", "yolox_nano bus.jpg", "--engine yolox_nano --source bus.jpg"),
    ("detect", "--images bus.jpg yolox_nano", "--images bus.jpg --engine yolox_nano"),
    ("calibrate", "yolox_nano photos -o q.onnx", "--engine yolox_nano --images photos -o q.onnx"),
    ("zoo", "list --json", "--json list"),
    ("zoo", "get -o models yolox_nano", "get yolox_nano --output=models"),
    # several files, in any place
    ("detect", "m.onnx --images a.jpg b.jpg c.jpg", "m.onnx --images a.jpg --images b.jpg --images c.jpg"),
    ("detect", "--video a.mp4 b.mp4 --engine m.onnx", "--video a.mp4 --video b.mp4 --engine m.onnx"),
    ("detect", "--camera 0 1 m.onnx", "--camera 0 --camera 1 --engine m.onnx"),
    ("detect", "--source a b --engine m.onnx --conf .3 c", "--source a --source b --source c m.onnx --conf .3"),
    ("detect", "--engine a.plan b.plan --target-fps 9 0", "--engine a.plan --engine b.plan --target-fps 9 --source 0"),
    ("detect", "--images a.jpg m.onnx", "--images a.jpg --engine m.onnx"),
    # a file that is not there is a source all the same, where a flag says so
    ("detect", "m.onnx --source a.mp4 no.mp4", "m.onnx --source a.mp4 --source no.mp4"),
    ("detect", "m.onnx a.mp4 no.mp4 --output o.mp4", "m.onnx --source a.mp4 --source no.mp4 --output o.mp4"),
    ("detect", "m.onnx no.mp4 a.mp4", "m.onnx --source no.mp4 --source a.mp4"),
    ("detect", "--video a.mp4 conf=.3 model=m.onnx", "m.onnx --video a.mp4 --conf .3"),
    ("calibrate", "--images a.jpg b.jpg m.onnx -o q.onnx", "m.onnx --images a.jpg --images b.jpg -o q.onnx"),
    ("eval", "coco/ m.onnx", "--engine m.onnx --data coco/"),
    ("bench", "a.onnx b.onnx c.mp4", "--engine a.onnx --engine b.onnx --source c.mp4"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "theirs", "ours"), SAME, ids=lambda text: text)
def test_it_means_the_same(command: str, theirs: str, ours: str, videos: Path) -> None:
    assert parsed(command, theirs) == parsed(command, ours)


SAID = [  # command, what they type, what the answer names
    ("detect", "--weights yolov8n.pt --source bus.jpg", "yolo export model=yolov8n.pt format=onnx"),
    ("detect", "predict model=yolo11n.pt source=bus.jpg", "yolo export model=yolo11n.pt format=onnx"),
    ("detect", "runs/best.pt bus.jpg", "--weights runs/best.pt --include onnx"),
    ("calibrate", "best.pt --images p -o q.onnx", "makes best.onnx"),
    ("build", "best.pt", "makes best.onnx"),
    ("eval", "best.pth coco", "torch.onnx.export"),
    ("detect", "yolov4-tiny.weights bus.jpg", "import_darknet.py yolov4-tiny.cfg yolov4-tiny.weights"),
    ("detect", "yolov4-tiny.cfg yolov4-tiny.weights bus.jpg", "import_darknet.py"),
    ("detect", "--model m.tflite --image bus.jpg", "tf2onnx.convert --tflite m.tflite"),
    ("detect", "-m m.xml -i bus.jpg", "--backend openvino"),
    ("detect", "m.param 0", "ncnn"),
    ("build", "m.uff", "ONNX"),
    ("build", "deploy.prototxt", "Caffe"),
    ("detect", "config_infer_primary.txt", "onnx-file="),
    ("detect", "m.onnx bus.jpg --save-txt", "--output yolo:DIR/"),
    ("detect", "m.onnx bus.jpg --save-txt --save-conf", "--output yolo:DIR/"),
    ("detect", "m.onnx bus.jpg --save-csv", "--output FILE.csv"),
    ("detect", "m.onnx bus.jpg --save-img", "--save DIR"),
    ("detect", "m.onnx a.mp4 --save-vid", "--output FILE.mp4"),
    ("detect", "m.onnx a.mp4 --crf 20", "--video-options crf=20"),
    ("detect", "m.onnx bus.jpg --save-crop", "--output FILE.jsonl"),
    ("detect", "m.onnx bus.jpg --project runs --name exp --exist-ok", "--output"),
    ("detect", "m.onnx bus.jpg --half", "edge-build"),
    ("detect", "m.onnx bus.jpg --fp16", "edge-build"),
    ("detect", "m.onnx bus.jpg --int8", "edge-build"),
    ("detect", "m.onnx bus.jpg --data coco.yaml", "--labels"),
    ("detect", "m.onnx bus.jpg --nms", "--iou"),
    ("detect", "m.onnx bus.jpg --agnostic-nms", "leave it out"),
    ("detect", "m.onnx bus.jpg --trt", "--engine FILE.plan"),
    ("detect", "m.onnx 0 --input-blob=input_0 --output-cvg=scores", "leave it out"),
    ("detect", "m.onnx rtsp://cam/1 --input-codec=h264", "leave it out"),
    ("detect", "m.onnx --onboard 0", "csi://0"),
    ("detect", "m.onnx --width 1280", "--size WxH"),
    ("detect", "m.onnx a.mp4 out.mp4", "--output out.mp4"),
    ("detect", "--source a.mp4 --conf .3 m.onnx out.jsonl", "--output out.jsonl"),
    ("detect", "track model=m.onnx source=0", "--track gives objects ids"),
    ("detect", "train data=coco.yaml", "trained elsewhere"),
    ("detect", "val model=m.onnx data=coco", "edge-eval"),
    ("detect", "export model=m.onnx", "edge-build"),
    ("eval", "predict model=m.onnx source=bus.jpg", "edge-detect"),
    ("eval", "m.onnx coco --plots", "--report DIR"),
    ("build", "--onnx=m.onnx --saveEngine=m.plan --int8 --fp16", "--precision int8+fp16"),
    ("build", "--onnx=m.onnx --int8 --calib=c.cache --minShapes=x:1x3x640x640", "--precision int8+fp16"),
    ("build", "--onnx=m.onnx --minShapes=images:1x3x640x640", "--batch N"),
    ("build", "m.onnx --dynamic", "--imgsz"),
    ("build", "--onnx=m.onnx --memPoolSize=workspace:4096", "--workspace"),
    ("build", "--loadEngine=m.plan", "edge-bench"),
    ("build", "m.onnx --conf-thres 0.3", "edge-detect --conf"),
    ("build", "m.onnx m.plan", "-o"),
    ("bench", "--loadEngine=m.plan --iterations=100 --useCudaGraph", "leave it out"),
    ("bench", "--loadEngine=m.plan --warmUp=500", "leave it out"),
    ("calibrate", "m.onnx -o q.onnx", "--images DIR"),
    ("identify", "m.onnx -o notes.txt", "end the name in .toml or .onnx"),
    ("identify", "m.onnx photos --data coco", "give one of them"),
    ("identify", "m.onnx --conf-thres 0.3", "edge-detect --conf"),
    ("identify", "best.pt", "makes best.onnx"),
    ("audit", "m.onnx n.onnx", "add --images DIR|FILE"),
    ("audit", "m.onnx best.pt --images p", "makes best.onnx"),
    ("audit", "m.onnx n.onnx --images p --agnostic-nms", "leave it out"),
    ("power", "-m 0", "edge-power set MODE"),
    ("power", "--mode 15W", "edge-power set MODE"),
    ("power", "15W", "edge-power set"),
    ("power", "MAXN", "edge-power set"),
    ("power", "-d cool", "jetson_clocks --fan"),
    ("power", "--interval 1000", "edge-detect --log"),
    ("power", "--restore", "edge-power restore"),
    ("power", "set 15W --force", "--dry-run"),
    ("doctor", "--fix", "edge-doctor"),
    ("detect", "zoo list", "edge-zoo does"),
    ("zoo", "gte yolox_nano", "there is edge-zoo list, edge-zoo get NAME"),
    ("zoo", "get", "add NAME"),
    ("zoo", "get yolox_nano nanodet_m", "nanodet_m has no use here"),
    ("zoo", "get yolox_nano --timeout never", "--timeout SECONDS"),
    ("detect", "m.onnx 0 --prometheus", "--output prometheus://"),
    ("detect", "m.onnx 0 --webhook https://host/in", "--output webhook+https://"),
    ("detect", "m.onnx 0 --mqtt broker", "--output mqtt://"),
    # our own flags, mistyped
    ("detect", "--engin m.onnx", "did you mean --engine?"),
    ("detect", "m.onnx --sorce 0", "did you mean --source?"),
    ("detect", "m.onnx 0 --con 0.4", "did you mean --conf?"),
    ("eval", "m.onnx --dta coco", "did you mean --data?"),
    ("detect", "m.onnx 0 --pad 0", "did you mean --pad-value?"),
    # others' flags, mistyped: the nearest word may be one of theirs
    ("detect", "--wieghts m.onnx", "did you mean --weights? here it is --engine"),
    ("detect", "-weights m.onnx", "did you mean --weights? here it is --engine"),
    ("detect", "m.onnx 0 --Conf_Tresh 0.3", "here it is --conf"),
    ("detect", "m.onnx 0 --view-imgs", "here it is --show"),
    ("detect", "m.onnx 0 --noshwo", "it is so anyway: leave it out"),
    ("detect", "m.onnx bus.jpg --save-tx", "--output yolo:DIR/"),
    ("build", "--onxn=m.onnx", "here the file needs no flag"),
    ("doctor", "--wieghts m.onnx", "is it spelled right?"),
    ("detect", "m.onnx 0 --resize strech", "did you mean stretch?"),
    ("detect", "m.onnx 0 --backend tensort", "did you mean tensorrt?"),
    ("detect", "m.onnx 0 --conf", "--conf=VALUE"),
    ("detect", "m.onnx 0 --show=3", "takes no value"),
    ("detect", "m.onnx 0 --mean 1,2", "A,B,C"),
    ("detect", "0", "yolo_nano_voc_int8.onnx comes along"),
    ("calibrate", "--images p -o q.onnx", "edge-calibrate MODEL.onnx\n"),
    ("eval", "m.onnx", "--data DIR"),
    ("calibrate", "m.onnx --images p", "--output OUT.onnx"),
    ("eval", "a.onnx b.onnx coco", "two models"),
    ("bench", "compare one.json", "FILE.json"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "theirs", "answer"), SAID, ids=lambda text: text)
def test_it_is_answered_with_our_word(command: str, theirs: str, answer: str, capsys: Any, videos: Path) -> None:
    said = refused(command, theirs.split(), capsys)
    assert answer in said
    assert max(map(len, said.splitlines())) < 160, "no line that fills a screen"


def test_the_table_keeps_its_word() -> None:
    """Each answer leads to a flag that its command has; no word is out of reach behind one of ours, or named twice."""
    flags = {flag for parser in PARSERS.values() for flag in parser._option_string_actions} | {"--dry-run", "--fan"}
    seen = set()
    for words, commands, answer in _habits.FLAGS:
        for command, word in itertools.product(commands.split(), words.split()):
            options = PARSERS[command]._option_string_actions
            assert word == _habits.even(word) and (command, word) not in seen, word
            assert word not in options or word == "--warmup", f"{command} has {word} itself"
            assert not answer or " " in answer or answer.split("=")[0] in options, f"{command} has no {answer}"
            seen.add((command, word))
        assert set(re.findall(r"--[a-z][a-z-]*", answer or "")) <= flags, answer
    for answer in _habits.TASKS.values():
        assert " " in answer or answer in PARSERS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_its_version_and_takes_no_abbreviation(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        MODULES[command].main(["--version"])
    assert caught.value.code == 0 and re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert "did you mean --version?" in refused(command, ["--versio"], capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_each_flag_once(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        MODULES[command].main(["--help"])
    flags = re.findall(r"^  (?:-\w(?: \S+)?, )?(--[a-z-]+)", capsys.readouterr().out, re.M)
    assert caught.value.code == 0 and len(flags) == len(set(flags)) > 3


def test_flags_of_one_purpose_stand_together(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        MODULES["detect"].main(["--help"])
    groups = {text.partition(":")[0]: text for text in capsys.readouterr().out.split("\n\n")}
    assert "--class-conf" in groups["detection"]
    assert re.findall(r"^  (?:-h, )?(--[a-z-]+)", groups["general"], re.M) == ["--help", "--version", "--engine"]


def test_words_in_any_order_mean_the_same(videos: Path) -> None:
    groups = ["m.onnx", "--source bus.jpg", "--output o.jsonl", "--conf 0.3", "-v", "a.mp4"]
    wanted = parsed("detect", " ".join(groups))
    for order in itertools.permutations(groups):
        found = parsed("detect", " ".join(order))
        assert sorted(found.sources) == sorted(wanted.sources) == ["a.mp4", "bus.jpg"]
        assert {**vars(found), "sources": 0} == {**vars(wanted), "sources": 0}


def test_short_flags_may_be_written_together() -> None:
    args = parsed("build", "m.onnx -vom.plan")
    assert args.verbose and args.output == Path("m.plan")


def test_a_file_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders named like a task, files named like key=value: what is there is meant."""
    monkeypatch.chdir(tmp_path)
    Path("test").mkdir()
    Path("conf=1.jpg").touch()
    assert parsed("detect", "test conf=1.jpg m.onnx").sources == ["test", "conf=1.jpg"]
    assert parsed("detect", "m.onnx --source model=x.jpg").sources == ["model=x.jpg"], "the value of a flag stays"
    assert parsed("detect", "m.onnx rtsp://cam/1?model=x").sources == ["rtsp://cam/1?model=x"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_onnx(tmp_path / "tiny.onnx", {"output0": boxes_v8((32, 32, 16, 8, 0.9, 1))})
    return tmp_path


TINY = "--family yolo_v8 --labels a,b,c --threads 1".split()


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_runtime", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False)


def test_ultralytics_line_runs(folder: Path) -> None:
    line = "detect predict model=tiny.onnx source=synthetic://64x48?frames=3 conf=0.5 --json"
    done = run(folder, *line.split(), *TINY)
    assert done.returncode == 0 and json.loads(done.stdout)["detections"] == {"b": 3}, done.stderr


def test_a_missing_plan_names_the_command_that_builds_it(folder: Path) -> None:
    done = run(folder, "detect", "tiny.plan", "synthetic://64x48?frames=3", *TINY)
    assert done.returncode == 1 and done.stderr.endswith("hint: edge-build tiny.onnx makes it\n")
    done = run(folder, "detect", "--engine", ".", "synthetic://64x48?frames=3", *TINY)
    assert done.returncode == 1 and "is a folder" in done.stderr and "tiny.onnx" in done.stderr


def test_one_frame_has_no_rate(folder: Path) -> None:
    done = run(folder, "detect", "tiny.onnx", "synthetic://64x48?frames=1", *TINY)
    assert done.returncode == 0 and re.search(r"^1 frame, latency p50", done.stderr, re.M), done.stderr


def test_a_picture_behind_a_url_is_no_stream(folder: Path) -> None:
    done = run(folder, "detect", "tiny.onnx", "http://127.0.0.1:9/bus.jpg", *TINY)
    assert done.returncode == 1 and "is one picture, not a stream\nhint: download it" in done.stderr


@pytest.mark.parametrize("word", ["", " ", "\t\n"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_word_that_is_empty_is_answered(command: str, word: str, folder: Path) -> None:
    done = run(folder, command, word)
    assert done.returncode in (1, 2) and done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") <= 3 and "hint: " in done.stderr


@pytest.mark.parametrize("words", ["detect tiny.onnx synthetic://64x48?frames=2000 --output -", "detect --help",
                                   "detect tiny.onnx synthetic://64x48?frames=3 --json", "power --json"])  # fmt: skip
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_ends_early_is_a_normal_end(folder: Path, words: str, unbuffered: str) -> None:
    command = [sys.executable, "-m", "edge_runtime", *words.split(), *(TINY if "tiny" in words else [])]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout and process.stderr
    if "--output" in words:
        assert json.loads(process.stdout.readline())["frame"] == 0
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(60) == 0 and "error" not in said and "Broken" not in said, said
