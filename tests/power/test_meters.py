"""Meters on recorded boards: rails and totals, idle and under load, and what goes wrong with files."""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path

import pytest

from edge_runtime import plugins, power
from edge_runtime.errors import SourceError, UsageError
from edge_runtime.power import Total, ina238, ina3221, jtop, nvml, rapl, replay, tegrastats

BOARDS = {  # rail, scope, mW idle and under load
    "nano_l4t32": ("POM_5V_IN", "board_input", 933, 7553),
    "agx-xavier_l4t32": ("GPU+CPU+SOC+CV+VDDRQ+SYS5V", "rail_sum", 6925, 13650),
    "agx-xavier_l4t35": ("GPU+CPU+SOC+CV+VDDRQ+SYS5V", "rail_sum", 5963, 29874),
    "xavier-nx_l4t35": ("VDD_IN", "module_input", 3588, 14169),
    "orin-nano_l4t35": ("VDD_IN", "module_input", 4654, 12300),
    "orin-nano_l4t36": ("VDD_IN", "module_input", 4654, 17086),
    "orin-nx_l4t35": ("VDD_IN", "module_input", 4982, 13357),
    "agx-orin_l4t35": ("VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0", "rail_sum", 6708, 22566),
    "agx-orin_l4t36": ("VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0", "rail_sum", 6708, 22566),
    "agx-thor_l4t38": ("VIN", "board_input", 19780, 61900),
    "agx-thor_l4t38.4_field": ("VIN", "board_input", 19780, 61900),
    "agx-orin_l4t39.2_field": ("VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0", "rail_sum", 6708, 22566),
    "nano_three-modes_l4t32_field": ("POM_5V_IN", "board_input", 933, 7553),
    "orin-nano_l4t35.3_field": ("VDD_IN", "module_input", 4654, 12300),
    "orin-nano_own-mode_l4t36_field": ("VDD_IN", "module_input", 4654, 17086),
    "orin-nx_power-estimator_l4t36_field": ("VDD_IN", "module_input", 4654, 17086),
}


@pytest.mark.parametrize("board", BOARDS)
def test_totals_of_every_board(board_tree, under_load, board):
    root, (rail, scope, idle, load) = board_tree(board), BOARDS[board]
    meter = power.open(root)
    whole = power.total_of(meter.rails)
    assert (whole.name, whole.scope) == (rail, scope)
    for milliwatts in (idle, load):
        assert whole.watts(meter.read_w()) == pytest.approx(milliwatts / 1e3, abs=1.5e-3)
        under_load(root)
    assert meter.gaps == 0


def test_the_papers_two_points(board_tree, under_load):
    """YOLO Nano on AGX Xavier: 26.9 images/s at 1.97 a watt, 48.2 at 1.61."""
    for board, fps, per_watt in (("agx-xavier_l4t32", 26.9, 1.97), ("agx-xavier_l4t35", 48.2, 1.61)):
        root = board_tree(board)
        under_load(root)
        meter = power.open(root)
        watts = power.total_of(meter.rails).watts(meter.read_w())
        assert round(watts, 3) == {"agx-xavier_l4t32": 13.650, "agx-xavier_l4t35": 29.874}[board]
        assert round(fps / watts, 2) == per_watt


def test_unconnected_rails_and_sums_are_no_rails(board_tree):
    rails = power.open(board_tree("agx-orin_l4t36")).read_w()
    assert list(rails) == ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]


def test_both_chips_of_thor_are_read(board_tree):
    meter = power.open(board_tree("agx-thor_l4t38"))
    assert meter.name == "ina238+ina3221"
    assert list(meter.read_w()) == ["VIN", "VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"]


def test_an_idle_rail_below_zero_is_kept(board_tree):
    """The sensor's noise belongs to the mean; whole milliwatts are counted towards zero."""
    rails = power.open(board_tree("agx-thor_l4t38.4_field")).read_w()
    assert rails["VDD_GPU"] == -0.392 and rails["VIN"] == 19.78
    assert Total(("VDD_GPU", "VDD_CPU_SOC_MSS"), "rail_sum").watts(rails) == pytest.approx(
        rails["VDD_CPU_SOC_MSS"] - 0.392
    )


@pytest.mark.parametrize(
    ("board", "closed", "left"),
    [
        ("orin-nano_l4t35", "curr1_input", None),
        ("agx-xavier_l4t32", "in_power2_input", None),
        ("agx-thor_l4t38", "curr2_input", "ina238"),
        ("orin-nano_l4t35", "curr1_crit", "ina3221"),  # not needed
    ],
)
def test_rails_that_are_roots_alone_are_said(board_tree, monkeypatch, board, closed, left):
    """L4T 35. Tests may run as root, to whom everything is open: so the question itself is answered with no."""
    root = board_tree(board)
    monkeypatch.setattr(ina3221.os, "access", lambda path, mode: Path(path).name != closed)
    if left:
        assert power.open(root).name == left
    else:
        with pytest.raises(SourceError, match=r"ina3221 may be read by root alone: sudo chmod a\+r .*input"):
            power.open(root)
        program(root, "tegrastats", "RAM 1488/7620MB VDD_IN 4654mW/4654mW")
        meter = power.open(root)
        meter.close()
        assert meter.name == "tegrastats"


def test_where_a_second_choice_fails_the_first_is_still_explained(board_tree, monkeypatch):
    root = board_tree("orin-nano_l4t35")
    monkeypatch.setattr(ina3221.os, "access", lambda path, mode: not str(path).endswith("_input"))
    program(root, "tegrastats", "").write_text("#!/bin/sh\necho RAM 1/2MB\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"^tegrastats says no watts; ina3221 may be read by root alone"):
        power.open(root)


@pytest.mark.parametrize("broken", ["", "garbage\n", "\0\0", None])
def test_files_that_vanish_or_hold_garbage_are_gaps(board_tree, broken):
    root = board_tree("orin-nano_l4t36")
    meter = power.open(root)
    (file,) = root.glob("sys/devices/platform/bus@0/*/i2c-1/1-0040/hwmon/hwmon1/curr2_input")
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken, encoding="utf-8")
    rails = meter.read_w()
    assert "VDD_CPU_GPU_CV" not in rails and "VDD_IN" in rails and meter.gaps == 1
    meter.read_w()
    assert meter.gaps == 2


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), BlockingIOError(11, "try again")])
def test_files_that_fail_are_gaps(board_tree, monkeypatch, error):
    """EACCES on L4T 35, EAGAIN while a block is off; afterwards all is as before."""
    meter, text = power.open(board_tree("orin-nano_l4t36")), Path.read_text

    def read_text(path: Path, *args: object, **kwargs: object) -> str:
        if path.name == "curr1_input":
            raise error
        return text(path, *args, **kwargs)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", read_text)
        assert "VDD_IN" not in meter.read_w() and meter.gaps == 1
    assert len(meter.read_w()) == 3 and meter.gaps == 1


def test_a_missing_rail_leaves_no_total(board_tree):
    """The five others of AGX Xavier would be too little, and so would the inputs of Orin's parts."""
    root = board_tree("agx-xavier_l4t35")
    meter = power.open(root)
    whole = power.total_of(meter.rails)
    next((root / "sys/bus/i2c/devices/1-0041/hwmon").glob("*/curr3_input")).unlink()
    assert whole.watts(meter.read_w()) is None and meter.gaps == 1
    with pytest.raises(SourceError, match="no rail"):
        power.total_of([])


def test_hwmon_numbers_do_not_matter(board_tree):
    root = board_tree("orin-nano_l4t36")
    (folder,) = root.glob("sys/devices/platform/bus@0/*/i2c-1/1-0040/hwmon/hwmon1")
    folder.rename(folder.with_name("hwmon7"))
    assert power.open(root).read_w()["VDD_IN"] == pytest.approx(4.654, abs=1e-3)


def test_rapl_counts_from_reading_to_reading_and_around_the_end(board_tree, under_load):
    """The overlay has package and dram past their range: 35 J and 3 J, core 25 J."""
    root, now = board_tree("x86-rapl"), [0.0]
    zones = rapl._zones(root)
    meter = rapl.RaplMeter(zones, clock=lambda: now[0])
    now[0] = 2.0
    under_load(root)
    rails = meter.read_w()
    assert rails["package-0"] == pytest.approx(17.5, abs=1e-3) and rails["dram"] == pytest.approx(1.5, abs=1e-3)
    assert rails["core"] == pytest.approx(12.5, abs=1e-3)
    assert power.total_of(meter.rails) == Total(("package-0",), "package")
    assert meter.read_w() == rails, "asked too soon"


def test_counters_that_stand_still_say_nothing(board_tree):
    """A recorded tree, or a machine that hides them: 0 W would be taken for a measurement."""
    now = [0.0]
    meter = rapl.RaplMeter(rapl._zones(board_tree("x86-rapl")), clock=lambda: now[0])
    now[0] = 2.0
    assert meter.read_w() == {} and meter.gaps == len(meter.rails)


def test_rapl_opens_where_there_is_no_board(board_tree):
    meter = power.open(board_tree("x86-rapl"))
    assert meter.name == "rapl" and set(meter.read_w()) <= {"package-0", "core", "uncore", "dram"}


def test_nothing_to_read_is_said_of_each(tmp_path):
    with pytest.raises(SourceError, match=r"^no power sensor here$") as caught:
        power.open(tmp_path)
    assert "edge-power" in str(caught.value.hint)
    assert power.reasons(tmp_path)["ina3221"] == "no ina3221 sensor" and "replay" not in power.reasons(tmp_path)
    assert ina238.available(tmp_path) and ina3221.available(tmp_path) and rapl.available(tmp_path)


def test_two_sockets_keep_their_names_apart(board_tree):
    root = board_tree("x86-rapl")
    zones = root / "sys/class/powercap"
    for zone, name, joules in (("intel-rapl:1", "package-1", 7), ("intel-rapl:1:0", "core", 5)):
        (zones / zone).mkdir()
        (zones / zone / "name").write_text(name, encoding="utf-8")
        (zones / zone / "energy_uj").write_text(f"{joules}000000\n", encoding="utf-8")
    meter = rapl.open(root)
    assert list(meter.rails) == ["package-0", "core-0", "uncore", "dram", "package-1", "core-1"]
    assert power.total_of(meter.rails) == Total(("package-0", "package-1"), "package")


@pytest.mark.parametrize("board", BOARDS)
def test_tegrastats_says_the_same(shared, board):
    """Every recorded line, of L4T 32 without units and of later ones; NC and RAM are no rails."""
    said = json.loads((shared / "fixtures" / "jetson" / f"{board}.json").read_text(encoding="utf-8"))["commands"].get(
        "tegrastats.txt"
    )
    if said is None:
        pytest.skip("no line was recorded of this board")
    rails = tegrastats.parse(said)
    assert power.total_of(list(rails)).watts(rails) == pytest.approx(BOARDS[board][2] / 1e3, abs=2.5e-3)
    assert "NC" not in rails and "RAM" not in rails and "SWAP" not in rails


@pytest.mark.parametrize(
    ("line", "rails"),
    [
        ("VDD_IN 5139mW/5139mW/5139mW VDD_SOC 0mW/1mW/2mW", {"VDD_IN": 5.139, "VDD_SOC": 0.0}),  # L4T 39
        ("VDD_GPU -392mW/-392mW VIN 15004mW/15096mW", {"VDD_GPU": -0.392, "VIN": 15.004}),
        ("VDD_GPU -392mW/-10mW/25mW", {"VDD_GPU": -0.392}),
        ("VDD_IN 3052/3052 VDD_CPU 152/152 NC 0/0", {"VDD_IN": 3.052, "VDD_CPU": 0.152}),  # L4T 32
        ("RAM 407/31920MB (lfb 1x4MB) IRAM 0/252kB(lfb 252kB) SWAP 0/1MB CPU [1%@1190,off] EMC_FREQ 0%", {}),
        ("GR3D_FREQ @[314,314,314] NVDEC0_FREQ @314 CPU@41.4C cpu@47.875C", {}),
    ],
)
def test_the_columns_of_tegrastats(line, rails):
    assert tegrastats.parse(line) == rails and tegrastats.parse(f"05-14-2026 21:36:35 {line}\n") == rails


def test_the_line_with_the_negative_rail(shared):
    said = json.loads((shared / "fixtures/jetson/agx-thor_l4t38.4_field.json").read_text(encoding="utf-8"))["commands"]
    assert tegrastats.parse(said["tegrastats_field.txt"])["VDD_GPU"] == -0.392


def program(root: Path, name: str, lines: str, pause_s: float = 0.05) -> Path:
    path = root / "usr/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nwhile :; do\ncat <<'END'\n{lines}\nEND\nsleep {pause_s}\ndone\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_tegrastats_is_started_where_sensors_cannot_be_read(tmp_path):
    path = program(tmp_path, "tegrastats", "RAM 1488/7620MB VDD_IN 4654mW/4654mW VDD_SOC 1484mW/1484mW")
    meter = power.open(tmp_path)
    assert meter.name == "tegrastats" and meter.read_w() == {"VDD_IN": 4.654, "VDD_SOC": 1.484} and meter.gaps == 0
    meter._stale_s = -1.0
    assert meter.read_w() == {} and meter.gaps == 2
    meter.close()
    meter.close()
    path.write_text("#!/bin/sh\necho RAM 1/2MB\n", encoding="utf-8")
    with pytest.raises(SourceError, match="tegrastats says no watts"):
        tegrastats.open(tmp_path)
    with pytest.raises(SourceError, match="does not start"):
        tegrastats.open(tmp_path / "none")


def test_jtop_is_asked_in_another_process(tmp_path, monkeypatch):
    """Importing it here would change how processes are started; a stand-in says what jtop 7.2.2 said."""
    (tmp_path / "jtop.py").write_text(
        "import multiprocessing, time\nmultiprocessing.set_start_method('fork', force=True)\n"
        "class jtop:\n    def __init__(self, interval): pass\n    def __enter__(self): return self\n"
        "    def __exit__(self, *_): pass\n    def ok(self): time.sleep(0.02); return True\n"
        "    power = {'rail': {'VDD_SOC': {'volt': 5016, 'power': 1484, 'avg': 1484}},"
        " 'tot': {'power': 4654, 'avg': 4654, 'name': 'VDD_IN'}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert jtop.available(tmp_path) == "jtop's service does not run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/jtop.sock").touch()
    before = multiprocessing.get_start_method()
    meter = jtop.open(tmp_path)
    assert meter.read_w() == {"VDD_SOC": 1.484, "VDD_IN": 4.654}
    assert multiprocessing.get_start_method() == before and "jtop" not in sys.modules
    meter.close()


def test_jtop_sums_and_nothing():
    summed = {"rail": {"GPU": {"power": 1154}, "CPU": {"power": 384}}, "tot": {"power": 1538, "avg": 1538}}
    assert jtop.parse(json.dumps(summed)) == {"GPU": 1.154, "CPU": 0.384}
    assert jtop.parse("{}") == {} and jtop.parse("Traceback") == {}


def test_jtop_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setattr(jtop.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match="jetson-stats is not installed"):
        jtop.open(tmp_path)


class Nvml:
    """What NVML says: one GPU that counts joules, one that only knows its watts."""

    class NVMLError(Exception):
        pass

    def __init__(self):
        self.millijoules, self.broken = 5000, False

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if handle == "old":
            raise self.NVMLError("Not Supported")
        return self.millijoules

    def nvmlDeviceGetPowerUsage(self, handle):
        if self.broken:
            raise self.NVMLError("GPU is lost")
        return 41_500


def test_nvml_counts_joules_where_it_can():
    api, now = Nvml(), [10.0]
    meter = nvml.NvmlMeter(api, ["new", "old"], clock=lambda: now[0])
    now[0], api.millijoules = 12.0, 65_000
    assert meter.read_w() == {"gpu0": 30.0, "gpu1": 41.5}
    now[0], api.millijoules = 12.01, 66_000
    assert meter.read_w() == {"gpu0": 30.0, "gpu1": 41.5}, "too soon: a step of the counter would be 100 W"
    now[0], api.broken = 14.0, True
    assert meter.read_w() == {"gpu0": 0.5} and meter.gaps == 1
    assert power.total_of(["gpu0", "gpu1"]) == Total(("gpu0", "gpu1"), "gpu")
    assert power.total_of(["package-0", "core", "gpu0"]) == Total(("package-0", "gpu0"), "rail_sum")
    meter.close()


def test_nvml_without_driver_or_library_is_a_reason(monkeypatch, tmp_path):
    assert nvml.available(tmp_path) == "NVML knows this machine alone"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml.available() == "nvidia-ml-py is not installed"


def test_the_real_nvml_says_why_not():
    pynvml = pytest.importorskip("pynvml")
    reason = nvml.available()
    if reason is None:
        assert set(nvml.open().rails) == {f"gpu{n}" for n in range(pynvml.nvmlDeviceGetCount())}
    else:
        assert reason.startswith("NVML: ")


def test_a_trace_is_played_by_the_clock(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text(
        "time_s,fps,total_w,VDD_IN_w,VDD_SOC_w\n100,25,5,5.0,1.5\n101,25,7,7.0,\n102,25,9,9.0,2.5\n", encoding="utf-8"
    )
    meter = power.open(tmp_path, f"replay:{path}")
    now = [0.0]
    meter._clock = lambda: now[0]
    now[0] = -60.0
    assert meter.read_w()["VDD_IN"] == 5.0, "loading takes no part of the trace"
    now[0] = 0.0
    meter.restart()
    assert meter.read_w() == {"VDD_IN": 5.0, "VDD_SOC": 1.5} and meter.gaps == 0
    now[0] = 1.5
    assert meter.read_w() == {"VDD_IN": 7.0} and meter.gaps == 1
    now[0] = 2.9
    assert meter.read_w()["VDD_IN"] == 9.0
    now[0] = 3.1
    assert meter.read_w() == {} and meter.gaps == 3


def test_a_rail_that_the_first_reading_lacks_is_a_rail(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("time_s,VDD_IN_w,VDD_SOC_w\n0,5.0,\n1,7.0,2.5\n", encoding="utf-8")
    meter = replay.open(tmp_path, str(path))
    now = [0.0]
    meter._clock = lambda: now[0]
    meter.restart()
    assert meter.rails == ["VDD_IN", "VDD_SOC"]
    assert meter.read_w() == {"VDD_IN": 5.0} and meter.gaps == 1
    now[0] = 1.5
    assert meter.read_w() == {"VDD_IN": 7.0, "VDD_SOC": 2.5} and meter.gaps == 1


def test_a_trace_says_its_modes(tmp_path):
    rows = tmp_path / "run.csv"
    rows.write_text("time_s,mode,VDD_IN_w\n0,15W,5.0\n1,30W,7.0\n2,,7.0\n", encoding="utf-8")
    assert replay.open(tmp_path, str(rows)).modes == ["15W", "30W"]
    lines = tmp_path / "run.jsonl"
    lines.write_text(
        '{"time_s": 3.0, "mode": "MAXN", "rails_w": {"VDD_IN": 4.5}}\n{"time_s": 4.0, "mode": null}\n', encoding="utf-8"
    )
    assert replay.open(tmp_path, str(lines)).modes == ["MAXN"]


def test_traces_of_other_kinds(tmp_path, shared):
    lines = tmp_path / "run.jsonl"
    lines.write_text('{"time_s": 3.0, "rails_w": {"VDD_IN": 4.5}}\n\n{"time_s": 4.0}\n', encoding="utf-8")
    assert replay.open(tmp_path, str(lines)).rails == ["VDD_IN"]
    said = json.loads((shared / "fixtures" / "jetson" / "agx-xavier_l4t32.json").read_text(encoding="utf-8"))[
        "commands"
    ]
    log = tmp_path / "tegrastats.log"
    log.write_text(said["tegrastats.txt"] * 3, encoding="utf-8")
    assert power.total_of(replay.open(tmp_path, str(log)).rails).name == "GPU+CPU+SOC+CV+VDDRQ+SYS5V"


@pytest.mark.parametrize(
    "content", ["", "time_s,fps\n1,2\n", "fps,GPU_w\n1,2\n", "time_s,GPU_w\nx,2\n", b"\xff\xfe\x00"]
)
def test_what_is_no_trace_is_said(tmp_path, content):
    path = tmp_path / "run.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError) as caught:
        power.open(tmp_path, f"replay:{path}")
    assert caught.value.hint
    with pytest.raises(SourceError, match="cannot be read"):
        power.open(tmp_path, "replay:")


def test_a_meter_that_is_none(tmp_path):
    with pytest.raises(UsageError, match="no 'multimeter'"):
        power.open(tmp_path, "multimeter")


@pytest.mark.parametrize("name", plugins.names("power"))
def test_a_named_meter_that_is_not_here_is_refused_before_anything_starts(tmp_path, name):
    said = []
    for refuse in (power.check, power.open):
        with pytest.raises(SourceError) as caught:
            refuse(tmp_path, name)
        said.append((str(caught.value), caught.value.hint))
    assert said[0] == said[1] and all(said[0])


def test_the_check_of_a_board_starts_no_program(board_tree, tmp_path):
    power.check(board_tree("test-board"))
    power.check(tmp_path / "test-board", "ina3221")
    with pytest.raises(SourceError, match="no power sensor here"):
        power.check(tmp_path / "none")


def test_a_named_trace_is_read_once(tmp_path, monkeypatch):
    """It may have 256 MiB. `open` refuses by itself what `check` refuses."""
    trace, times = tmp_path / "run.csv", []
    trace.write_text("time_s,VDD_IN_w\n0,4.5\n1,4.6\n", encoding="utf-8")
    once = replay._read
    monkeypatch.setattr(replay, "_read", lambda what: times.append(what) or once(what))
    assert power.open(tmp_path, f"replay:{trace}").read_w() == {"VDD_IN": 4.5}
    assert times == [str(trace)]
    power.check(tmp_path, f"replay:{trace}")
    assert times == [str(trace)] * 2
    trace.write_text("nothing", encoding="utf-8")
    for refuse in (power.open, power.check):
        with pytest.raises(SourceError):
            refuse(tmp_path, f"replay:{trace}")
