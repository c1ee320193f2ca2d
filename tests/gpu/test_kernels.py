"""The kernels, compiled for the device: without a warning, by every compiler that is here."""

from __future__ import annotations

import locale
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, List

import pytest

from edge_runtime.errors import BackendUnavailable
from edge_runtime.gpu import kernels

ENTRIES = (
    "edge_letterbox32", "edge_letterbox16", "edge_widen", "edge_from_int32", "edge_from_int64", "edge_candidates",
    "edge_suppress",
)  # fmt: skip


def compilers() -> List[Any]:
    """nvcc, and each NVRTC that is installed as a package."""
    found: List[Any] = []
    with suppress(BackendUnavailable):
        found.append(kernels.find_compiler())
    for folder in map(Path, filter(None, sys.path)):
        for path in sorted(folder.glob("nvidia/*/lib/libnvrtc.so.*")):
            found.append(kernels.Nvrtc(kernels.ctypes.CDLL(str(path))))
    return list({compiler.name: compiler for compiler in found}.values())


@pytest.fixture(params=compilers() or [None], ids=lambda compiler: getattr(compiler, "name", "none"))
def compiler(request: pytest.FixtureRequest) -> Any:
    if request.param is None:
        pytest.skip("needs nvcc, or pip install nvidia-cuda-nvrtc")
    return request.param


def known(compiler: Any) -> List[str]:
    """Jetson's architectures that a compiler knows: Xavier, Orin, Thor."""
    release = int(compiler.name.split()[1].split(".")[0])
    return ["sm_87", "sm_110"] if release >= 13 else ["sm_72", "sm_87"]


def test_cubins_hold_every_kernel(compiler: Any) -> None:
    for architecture in known(compiler):
        code = compiler.compile(architecture)
        assert code.startswith(b"\x7fELF") and all(name.encode() in code for name in ENTRIES)
        assert compiler.warnings == ""


def test_ptx_has_every_kernel_and_adds_apart(compiler: Any) -> None:
    text = compiler.compile("compute_75").decode(errors="replace")
    assert all(f".entry {name}(" in text for name in ENTRIES)
    letterbox = text[text.index(".entry edge_letterbox32(") :].split("\n}\n")[0]
    assert "fma." not in letterbox and "mul.rn.f32" in letterbox and "add.rn.f32" in letterbox


def test_an_unknown_architecture_is_an_error_in_words(compiler: Any) -> None:
    with pytest.raises(BackendUnavailable, match="does not compile the kernels for sm_33") as caught:
        compiler.compile("sm_33")
    assert "JetPack" in str(caught.value.hint)


def test_compiling_leaves_the_locale_as_it_was() -> None:
    before = locale.nl_langinfo(locale.CODESET)
    for compiler in compilers():
        compiler.compile("sm_87")
        assert locale.nl_langinfo(locale.CODESET) == before, compiler.name


class Older:
    """A library of CUDA 10.2 or 11.0: all but what came with 11.1."""

    def __init__(self, lib: Any) -> None:
        self._lib = lib

    def __getattr__(self, name: str) -> Any:
        if name.startswith("nvrtcGetCUBIN"):
            raise AttributeError(name)
        return getattr(self._lib, name)


def test_an_nvrtc_that_assembles_nothing_gives_ptx_for_the_driver() -> None:
    compiler = next((each for each in compilers() if each.name.startswith("NVRTC 11")), None)
    if compiler is None:
        pytest.skip("needs the NVRTC of CUDA 11, which knows the Nano: pip install nvidia-cuda-nvrtc-cu11")
    text = kernels.Nvrtc(Older(compiler._lib)).compile("sm_53")
    assert text.endswith(b"\0") and b".target sm_53" in text, "the driver wants a text that ends"
    assert all(f".entry {name}(".encode() in text for name in ENTRIES)


@pytest.mark.parametrize("warned", ["kernels.cu(1): warning: something new", ""])
def test_a_warning_stops_nobody(tmp_path, monkeypatch, warned: str) -> None:
    """A newer toolkit warns of old architectures."""
    tool = tmp_path / "nvcc"
    steps = ("#!/bin/sh", "[ $1 = --version ] && exit 0", f"echo '{warned}' >&2", "while [ $1 != -o ]; do shift; done")
    tool.write_text("\n".join([*steps, "echo code > $2"]), encoding="utf-8")
    tool.chmod(0o755)
    nvcc = kernels.Nvcc(str(tool))
    assert nvcc.compile("sm_72") == b"code\n" and nvcc.warnings.strip() == warned


class Recording:
    """A compiler that counts."""

    name = "recording 1"

    def __init__(self) -> None:
        self.asked: List[str] = []

    def compile(self, architecture: str) -> bytes:
        self.asked.append(architecture)
        return architecture.encode()


def test_results_are_kept_by_sources_architecture_and_compiler(tmp_path, monkeypatch) -> None:
    recording = Recording()
    monkeypatch.setattr(kernels, "find_compiler", lambda: recording)
    for _ in range(2):
        assert kernels.cubin("8.7", tmp_path) == b"sm_87"
    assert kernels.cubin("11.0", tmp_path) == b"sm_110" and recording.asked == ["sm_87", "sm_110"]
    recording.name = "recording 2"
    kernels.cubin("8.7", tmp_path)
    monkeypatch.setattr(kernels, "sources", lambda: {"kernels.cu": "changed"})
    kernels.cubin("8.7", tmp_path)
    assert recording.asked[2:] == ["sm_87", "sm_87"] and len(list(tmp_path.iterdir())) == 4


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "find_compiler", Recording)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert kernels.cubin("8.7", tmp_path / "file") == b"sm_87"


def test_no_compiler_is_an_error_in_words(monkeypatch) -> None:
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    monkeypatch.setattr(kernels, "NVCC_PLACES", ())
    monkeypatch.setattr(kernels, "load_nvrtc", lambda: None)
    with pytest.raises(BackendUnavailable, match="no CUDA compiler") as caught:
        kernels.cubin("8.7")
    assert "nvrtc" in str(caught.value.hint)


FAILING = """#!/bin/sh
case "$1" in --version) echo "Cuda compilation tools, release 12.6, V12.6.68"; exit 0 ;; esac
echo "nvcc fatal error: cannot find compiler 'g++' in PATH" >&2
exit 1
"""


def fake_nvcc(folder: Path, monkeypatch: Any, script: str) -> None:
    """The only nvcc there is; nothing that was compiled before is at hand."""
    (folder / "nvcc").write_text(script, encoding="utf-8")
    (folder / "nvcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_nvrtc_where_nvcc_fails_and_a_word_about_it(tmp_path, monkeypatch, capsys) -> None:
    if kernels.load_nvrtc() is None:
        pytest.skip("needs pip install nvidia-cuda-nvrtc")
    fake_nvcc(tmp_path, monkeypatch, FAILING)
    assert kernels.cubin("8.7", tmp_path / "cache").startswith(b"\x7fELF")
    said = capsys.readouterr().err
    assert said.startswith("note: nvcc 12.6 does not compile the kernels for sm_87") and "'g++' in PATH" in said
    assert said.endswith("compiles them instead\n") and "NVRTC" in said


def test_both_compilers_fail_and_both_reasons_are_said(tmp_path, monkeypatch) -> None:
    def refuse(architecture: str) -> bytes:
        raise BackendUnavailable("NVRTC 11.8 does not know it")

    fake_nvcc(tmp_path, monkeypatch, FAILING)
    monkeypatch.setattr(kernels, "load_nvrtc", object)
    other = Recording()
    other.compile = refuse  # type: ignore[method-assign]
    monkeypatch.setattr(kernels, "Nvrtc", lambda lib: other)
    with pytest.raises(BackendUnavailable, match=r"nvcc 12\.6 .*'g\+\+' in PATH; NVRTC 11\.8 does not know it"):
        kernels.cubin("8.7", tmp_path / "cache")
    monkeypatch.setattr(kernels, "load_nvrtc", lambda: None)
    with pytest.raises(BackendUnavailable, match=r"nvcc 12\.6 .*'g\+\+' in PATH$"):
        kernels.cubin("8.7", tmp_path / "cache")


def test_an_nvcc_that_does_not_start_is_none(tmp_path, monkeypatch) -> None:
    """A file of another processor's, or half a toolkit."""
    fake_nvcc(tmp_path, monkeypatch, "\0ELF of another machine")
    monkeypatch.setattr(kernels, "load_nvrtc", object)
    monkeypatch.setattr(kernels, "Nvrtc", lambda lib: Recording())
    assert kernels.find_compiler().name == "recording 1"


def test_the_newest_nvrtc_that_the_driver_knows(tmp_path, monkeypatch) -> None:
    loaded: List[str] = []
    for name in ("libnvrtc.so.11.2", "libnvrtc.so.12", "libnvrtc.so.13"):
        (tmp_path / "nvidia" / "x" / "lib").mkdir(parents=True, exist_ok=True)
        (tmp_path / "nvidia" / "x" / "lib" / name).write_text("", encoding="utf-8")
    monkeypatch.setattr(kernels.ctypes, "CDLL", lambda path, mode=0: loaded.append(Path(path).name))
    for driver in ("12.6", "11.4", ""):
        monkeypatch.setattr(kernels.cuda_driver, "driver_version", lambda driver=driver: driver)
        kernels.load_nvrtc([tmp_path])
    assert loaded == ["libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so.13"]
