"""Flags of other tools and ours. A flag with the same meaning works. For others, a sentence names our flag.

This file is data only. Upper and lower case are equal, and so are `_` and `-`. Our own flags come first.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

COMMANDS = [
    f"edge-{name}" for name in "detect eval bench build calibrate power doctor identify audit replay zoo plan".split()
]
DETECT, EVAL, BENCH, BUILD, CALIBRATE, POWER, DOCTOR, IDENTIFY, AUDIT, REPLAY, ZOO, PLAN = COMMANDS
RUN = f"{DETECT} {EVAL} {BENCH}"
ONE = f"{CALIBRATE} {IDENTIFY}"
ALL = f"{RUN} {BUILD} {ONE} {AUDIT}"
USE = f"{RUN} {CALIBRATE}"  # commands that detect objects
CUT = f"{USE} {AUDIT}"  # and those that have their thresholds

FILE = ""  # the value is a file and needs no flag: FLAG VALUE means VALUE
SO_ALREADY = None  # the flag asks for what we do anyway: it is ignored
_FOUND = "it is found in the model file: leave it out"
_STREAM = "codec and delay are found in the stream: leave it out"
_PRECISION = "the file says its precision; edge-build MODEL.onnx --precision fp16 makes a plan of another"
_WHERE = "--output FILE.mp4, FILE.jsonl, FILE.csv or DIR/ says where results go; nothing else is written"
_SHAPES = "a plan has one shape: --batch N, and --imgsz WxH where the model leaves it open"
_RANGES = "a range table of edge-calibrate or pictures are read, no cache: --calib DIR"
_TIMING = "edge-bench times whole frames as edge-detect runs them, and the network alone: leave it out"
_CHOOSES = "the builder chooses it: leave it out"

# (words, commands, answer). The answer: our flag, FLAG=VALUE, FILE, SO_ALREADY, or a sentence. The first match counts.
FLAGS: Tuple[Tuple[str, str, Optional[str]], ...] = (
    # models
    ("--weights --model -m -w --network --net --onnx --loadengine --engine-file --engine-path --plan --checkpoint "
     "--model-path --model-file --trt-engine", RUN, "--engine"),
    ("--engine --weights --model -m -w --network --onnx --input-model --model-path --model-file --input -i",
     BUILD, FILE),
    ("--engine --weights --model -m -w --network --onnx --input-model --model-path --model-file",
     f"{ONE} {AUDIT}", FILE),
    ("--loadengine --plan", BUILD, "edge-bench FILE.plan measures a plan, edge-detect FILE.plan runs it"),
    ("--saveengine --save-engine --engine-name --engine-path --output-file --out --save", BUILD, "--output"),
    ("--out --output-file --save --save-path", ONE, "--output"),
    ("--trt --tensorrt", ALL, "TensorRT runs plans: edge-build MODEL.onnx makes one, --engine FILE.plan runs it"),
    ("--input-blob --output-blob --output-cvg --output-bbox --input-name --input-names --output-names --inputs-name "
     "--model-type --arch --num-classes --nc", ALL, _FOUND),
    ("--cfg", DETECT, "Darknet files become ONNX: python tools/import_darknet.py FILE.cfg FILE.weights"),
    ("--dnn --fuse --augment --task --mode --format", f"{DETECT} {EVAL}", SO_ALREADY),
    # where frames come from
    ("--input -i --inputs --input-uri --uri --url --src --path --dir --rtsp --stream", DETECT, "--source"),
    ("--input -i --input-uri --uri --video --images --camera --src", BENCH, "--source"),
    ("--image --picture --photo --img-path --image-path --image-dir --img-dir", DETECT, "--images"),
    ("--videos --movie --video-path --video-file", DETECT, "--video"),
    ("--cam --webcam --usb --usb-cam --camera-id --camera-index --cam-id", DETECT, "--camera"),
    ("--csi --onboard --csi-camera", DETECT, "a CSI camera is --source csi://0"),
    ("--gstr --gstreamer --pipeline", DETECT, "a pipeline of GStreamer is --source 'gst:…'"),
    ("--input-width --input-height --width --height --frame-width --frame-height", DETECT, "--size WxH asks a camera"),
    ("--resolution --cam-size", DETECT, "--size"),
    ("--framerate --frame-rate --input-rate --rate", DETECT, "--fps"),
    ("--input-loop --repeat", DETECT, "--loop"),
    ("--input-codec --input-latency --codec --latency", DETECT, _STREAM),
    ("--input-flip --flip", DETECT, "pictures are taken as they come; a camera's own driver turns them"),
    ("--vid-stride --skip-frames --stride", DETECT, "--target-fps FPS looks at fewer frames"),
    ("--stream-buffer", DETECT, "a live source gives the newest frame, a file every frame: leave it out"),
    # which boxes become detections
    ("--conf-thres --conf-threshold --conf-thresh --confidence --confidence-threshold --threshold --thresh --thres "
     "--score-threshold --score-thr --score-thresh --prob-threshold", CUT, "--conf"),
    ("--iou-thres --iou-threshold --iou-thresh --nms-thres --nms-threshold --nms-thresh --nms-iou "
     "--overlap-threshold", CUT, "--iou"),
    ("--nms --with-nms --end2end", ALL, "NMS is always done; --iou says at which overlap"),
    ("--agnostic-nms --agnostic --class-agnostic", ALL, "NMS looks at each class by itself: leave it out"),
    ("--max-detections --max-dets --topk --top-k --keep-top-k", CUT, "--max-det"),
    ("--class --filter-classes --class-ids", USE, "--classes"),
    ("--conf-class --classes-conf --conf-per-class", DETECT, "--class-conf"),
    ("--conf --iou --max-det --classes --conf-thres --iou-thres --conf-threshold --iou-threshold --threshold "
     "--score-threshold --topk", f"{BUILD} {IDENTIFY}", "thresholds are said at run time: edge-detect --conf 0.25"),
    ("--names --class-names --class-file --classes-file --labels-file --label-file --label", ALL, "--labels"),
    ("--img --img-size --imgsize --image-size --input-size --input-shape", ALL, "--imgsz"),
    # what is written and shown
    ("-o --out --output-uri --out-file --output-file --dst --dest", DETECT, "--output"),
    ("--save-dir --output-dir --out-dir --outdir", DETECT, "--save"),
    ("--save-img --save-image --save-images --save-frames", DETECT, "--save DIR writes annotated pictures"),
    ("--save-vid --save-video --output-video --video-out --write-video", DETECT, "--output FILE.mp4 writes a video"),
    ("--output-codec --vcodec --fourcc", DETECT, "--video-codec"),
    ("--bitrate --output-bitrate", DETECT, "--video-bitrate"),
    ("--crf --preset", DETECT, "--video-options crf=20,preset=veryfast says it to libx264"),
    ("--save-txt --save-labels --save-yolo", DETECT, "--output yolo:DIR/ writes a file of boxes per picture, as YOLO"),
    ("--save-json --save-coco", DETECT, "--output FILE.coco.json writes boxes as COCO does, FILE.jsonl frame by frame"),
    ("--save-csv --save-results", DETECT, "--output FILE.csv writes a row per box"),
    ("--save-crop --save-crops --crop", DETECT, "crops are not written; --output FILE.jsonl has every box"),
    ("--save-conf", DETECT, "--output yolo-conf:DIR/ writes boxes as YOLO does, with confidence"),
    ("--prometheus --metrics --metrics-port", DETECT, "--output prometheus://127.0.0.1:9464 serves metrics"),
    ("--webhook --webhook-url", DETECT, "--output webhook+https://HOST/PATH posts events"),
    ("--mqtt --broker --mqtt-broker", DETECT, "--output mqtt://BROKER/TOPIC sends events"),
    ("--rtsp-out --rtsp-output --rtsp-server", DETECT, "--output rtsp://127.0.0.1:8554 serves pictures"),
    ("--clips", DETECT, "--output clips:DIR writes videos of what happened"),
    ("--project --name --exist-ok --run-name", DETECT, _WHERE),
    ("--project --name --exist-ok --plots --save-dir", EVAL, "--report DIR writes a page with its plots"),
    ("--save-json --save-txt --save-hybrid --save-conf", EVAL, "--json prints every figure"),
    ("--view-img --view --display --show-img --imshow --visualize --window --gui", DETECT, "--show"),
    ("--nosave --no-save --noshow --no-show --no-display --dont-show --headless --show-labels --show-conf --show-boxes "
     "--hide-progress", DETECT, SO_ALREADY),
    ("--hide-labels --hide-conf --line-width --line-thickness --overlay --alpha", DETECT, "they look one way: omit it"),
    ("--configuration --config-file", DETECT, "--config"),
    ("--tracking --bytetrack", DETECT, "--track"),
    ("--tracker", DETECT, "there is one tracker, ByteTrack: --track"),
    ("--persist", DETECT, SO_ALREADY),
    ("--tracker-min-frames", DETECT, "--track-hits"),
    ("--tracker-drop-frames --track-buffer --lost-track-buffer", DETECT, "--track-lost SECONDS counts time"),
    ("--log-file --log-csv --csv", DETECT, "--log FILE.csv writes a row a second, --output FILE.csv a row per box"),
    ("--batch-size --batchsize --bs --max-batch-size --max-batch", f"{USE} {BUILD}", "--batch"),
    # precision, then devices
    ("--fp16 --half", BUILD, "--precision=fp16"),
    ("--best", BUILD, "--precision=best"),
    ("--int8", BUILD, "INT8 is --precision int8+fp16, with ranges of edge-calibrate or --calib DIR"),
    ("--fp32 --notf32", BUILD, "--precision fp32 says it"),
    ("--quantize --dtype", BUILD, "--precision fp32, fp16, int8, int8+fp16 or best says it"),
    ("--fp16 --half --int8 --fp32 --precision --quantize --dtype --best", RUN, _PRECISION),
    ("--int8 --quantize --ptq", CALIBRATE, SO_ALREADY),
    ("--fp16", CALIBRATE, "--half"),
    ("--cpu", RUN, "--device=cpu"),
    ("--gpu --cuda --use-gpu --use-cuda", RUN, "--device=cuda"),
    ("--provider --ep --execution-provider --framework", RUN, "--backend"),
    ("--num-threads --nthreads --n-threads --workers", f"{RUN} {IDENTIFY} {AUDIT}", "--threads"),
    ("--usedlacore --dla-core", BUILD, "--dla"),
    ("--allowgpufallback --gpu-fallback --skipinference --buildonly --explicitbatch --simplify --format --task --mode",
     BUILD, SO_ALREADY),
    ("--dla --dla-core --usedlacore", RUN, "a plan is built for the DLA: edge-build MODEL.onnx --dla 0"),
    # building
    ("--dynamic --minshapes --optshapes --maxshapes --shapes --dynamic-batch", BUILD, _SHAPES),
    ("--calib-cache --calibration-cache --int8-calib-cache", BUILD, _RANGES),
    ("--data --calib-images --calib-dir --calib-data --calibration-data", BUILD, "--calib"),
    ("--mempoolsize --max-workspace-size --workspace-size", BUILD, "--workspace MIB is the memory to build with"),
    ("--timingcachefile --timing-cache-file", BUILD, "--timing-cache"),
    ("--opset --builderoptimizationlevel --stronglytyped --sparsity --layerprecisions --precisionconstraints "
     "--tacticsources --versioncompatible --plugins", BUILD, _CHOOSES),
    ("--warmup --duration --iterations --avgruns", BUILD, "edge-bench FILE.plan measures a plan"),
    # calibrating
    ("--data --dataset --calib --calib-images --calib-dir --calib-data --calibration-data --image-dir --image",
     CALIBRATE, "--images"),
    ("--source --video --camera", CALIBRATE, "--from-source"),
    ("--num-images --n-images --num-samples --max-images --limit --fraction", CALIBRATE, "--num"),
    ("--algorithm --algo --calib-method --calibration-method --calibrator", CALIBRATE, "--method"),
    ("--calib-cache --calibration-cache --cache", CALIBRATE, "--legacy-cache"),
    ("--exclude --exclude-layers --nodes-to-exclude --op-block-list", CALIBRATE, "--keep-fp"),
    # measuring
    ("--data-dir --dataset --val --data-yaml --images --source --input", EVAL, "--data"),
    ("--num-images --limit --max-samples --subset", f"{EVAL} {IDENTIFY} {AUDIT}", "--max-images"),
    ("--duration --time", BENCH, "--seconds"),
    ("--source --input -i --image --image-dir --img-dir --calib", f"{IDENTIFY} {AUDIT}", "--images"),
    ("--data-dir --dataset --val --data-yaml", IDENTIFY, "--data"),
    ("--seconds --time --timeout --duration", IDENTIFY, "--budget"),
    ("--infstreams --num-streams --nstreams", BENCH, "--streams"),
    ("--power-mode --mode --nvpmodel", BENCH, "--power-modes"),
    ("--runs --rounds --num-runs", BENCH, "--repeats"),
    ("--iterations --avgruns --warmup --usecudagraph --usespinwait --nodatatransfers --separateprofilerun", BENCH,
     _TIMING),
    ("--exporttimes --exportprofile --dumpprofile --plot --csv", BENCH, "-o FILE.json, .csv or .html writes it all"),
    ("--data", DETECT, "class names are --labels coco|voc|FILE; edge-eval --data DIR measures accuracy"),
    ("--nvpmodel --jetson-mode", DETECT, "--power-mode"),
    # power
    ("-m --mode --power-mode --nvpmodel", POWER, "a mode is set by edge-power set MODE, such as edge-power set 15W"),
    ("-q --query -p --show --status --verbose-query", POWER, SO_ALREADY),
    ("-f --force --reboot", POWER, "edge-power never reboots: edge-power set MODE --dry-run says what a mode needs"),
    ("--store --max --maxn", POWER, "edge-power set MODE --jetson-clocks holds the clocks"),
    ("--restore", POWER, "edge-power restore puts back what a killed run left behind"),
    ("-d --fan --cool", POWER, "fans are not set here: sudo jetson_clocks --fan"),
    ("--interval -i --csv --log --logfile --watch", POWER, "edge-detect --log FILE.csv writes a row a second"),
    ("--check --fix --info", DOCTOR, "edge-doctor alone checks everything, and says how to mend it"),
)  # fmt: skip

# A first word that names a task, and the command for it.
TASKS: Dict[str, str] = {
    "predict": DETECT, "detect": DETECT, "infer": DETECT, "run": DETECT, "inference": DETECT,
    "val": EVAL, "validate": EVAL, "eval": EVAL, "test": EVAL, "export": BUILD, "build": BUILD, "convert": BUILD,
    "compile": BUILD, "quantize": CALIBRATE, "calibrate": CALIBRATE, "benchmark": BENCH, "bench": BENCH,
    "profile": BENCH, "power": POWER, "nvpmodel": POWER, "jtop": POWER, "tegrastats": POWER, "jetson_clocks": POWER,
    "status": POWER, "stats": POWER, "show": POWER, "query": POWER, "modes": POWER, "list": POWER, "info": POWER,
    "train": "models are trained elsewhere; a trained one is exported to ONNX",
    "track": "edge-detect --track gives objects ids",
    "identify": IDENTIFY, "guess": IDENTIFY, "checks": DOCTOR, "doctor": DOCTOR, "check": DOCTOR,
    "audit": AUDIT, "diff": AUDIT, "replay": REPLAY, "zoo": ZOO,
}  # fmt: skip

# Values of --device in other tools.
DEVICES = {"gpu": "cuda", "gpu:0": "cuda", "cuda:0": "cuda", "0": "cuda", "trt": "tensorrt", "": "auto"}

# Flags of other tools that take several numbers; ours take one text. A size of two numbers is height and width.
JOINED = {"--classes": ",", "--imgsz": "x", "--streams": ",", "--power-modes": ","}

# Files of other tools, by suffix: what they are, and what to do. {0} is the file, {1} is it without its suffix.
_SOURCE = "the program that trained it writes ONNX"
_TF = "pip install tf2onnx, then python -m tf2onnx.convert --{kind} {{0}} --output {{1}}.onnx"
FILES: Dict[str, Tuple[str, str]] = {
    ".pt": ("a checkpoint of PyTorch", "yolo export model={0} format=onnx (YOLOv5: python export.py --weights {0} "
            "--include onnx) makes {1}.onnx"),
    ".pth": ("a checkpoint of PyTorch", "torch.onnx.export(model, torch.zeros(1, 3, H, W), '{1}.onnx') writes ONNX"),
    ".ckpt": ("a checkpoint", _SOURCE),
    ".safetensors": ("weights without a network", _SOURCE),
    ".torchscript": ("TorchScript", "yolo export model=FILE.pt format=onnx makes ONNX"),
    ".weights": ("weights of Darknet", "python tools/import_darknet.py {1}.cfg {0} -o {1}.onnx makes ONNX"),
    ".cfg": ("a network of Darknet", "python tools/import_darknet.py {0} {1}.weights -o {1}.onnx makes ONNX"),
    ".wts": ("weights of tensorrtx", _SOURCE),
    ".tflite": ("a model of TensorFlow Lite", _TF.format(kind="tflite")),
    ".pb": ("a graph of TensorFlow", _TF.format(kind="graphdef")),
    ".h5": ("a model of Keras", _TF.format(kind="keras")),
    ".keras": ("a model of Keras", _TF.format(kind="keras")),
    ".xml": ("a model of OpenVINO", "give the ONNX file it was made of; --backend openvino runs that"),
    ".bin": ("weights without a network", "give the ONNX file they were made of"),
    ".param": ("a model of ncnn", "give the ONNX file it was made of"),
    ".uff": ("a model for TensorRT before 8.5", _SOURCE),
    ".caffemodel": ("weights of Caffe", _SOURCE),
    ".prototxt": ("a network of Caffe", _SOURCE),
    ".pdmodel": ("a model of PaddlePaddle", "paddle2onnx --model_dir . --model_filename {0} --save_file {1}.onnx"),
    ".mlmodel": ("a model of Core ML", _SOURCE),
    ".mlpackage": ("a model of Core ML", _SOURCE),
    ".hef": ("a model for Hailo", "give the ONNX file it was made of"),
    ".rknn": ("a model for Rockchip", "give the ONNX file it was made of"),
}  # fmt: skip
DEEPSTREAM = ("a configuration of DeepStream", "its line onnx-file= names the model to give")


def meaning(command: str, word: str) -> Tuple[bool, Optional[str]]:
    """Whether a command knows a flag of other tools, and the answer.

    Args:
        command: our command, "edge-detect".
        word: the flag as typed.
    """
    wanted = even(word)
    for words, commands, answer in FLAGS:
        if wanted in words.split() and command in commands.split():
            return True, answer
    return False, None


def known_words(command: str) -> List[str]:
    """All flags of others that a command knows and that are words, not letters."""
    known = (words.split() for words, commands, _ in FLAGS if command in commands.split())
    return [word for each in known for word in each if word.startswith("--")]


def our_word(command: str, word: str) -> str:
    """A sentence that answers a flag of others with ours.

    Args:
        command: our command, "edge-detect".
        word: one of `known_words`.
    """
    _, answer = meaning(command, word)
    if answer is SO_ALREADY:
        return "it is so anyway: leave it out"
    if answer == FILE:
        return "here the file needs no flag"
    return answer if " " in answer else f"here it is {answer}"


def even(word: str) -> str:
    """A flag in one spelling: `--conf_thres` and `--Conf-Thres` become `--conf-thres`."""
    return word.lower().replace("_", "-") if word.startswith("--") else word


def foreign(path: str) -> Optional[Tuple[str, str]]:
    """For a model file of another program: what it is, and what to do. None for all other files."""
    name = path.rsplit("/", 1)[-1].lower()
    if name.endswith(".txt") and ("infer" in name or "deepstream" in name):
        return DEEPSTREAM
    stem, dot, suffix = path.rpartition(".")
    found = FILES.get(dot + suffix.lower())
    return found and (found[0], found[1].format(path, stem))
