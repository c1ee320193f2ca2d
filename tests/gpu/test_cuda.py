"""The device's own promises; the backend's tests run the rest of it."""

from __future__ import annotations

import pytest

from edge_runtime.errors import BackendUnavailable, DeviceError
from edge_runtime.gpu import cuda, cuda_driver
from tests.standins.cuda import Gpu, MemoryError, install


@pytest.fixture
def gpu(monkeypatch) -> Gpu:
    gpu = Gpu()
    install(monkeypatch, gpu)
    return gpu


def test_without_a_driver_nothing_is_known(monkeypatch):
    monkeypatch.setattr(cuda_driver, "driver", lambda: None)
    assert cuda_driver.driver_version() == "" and cuda_driver.compute_capability() == ""
    monkeypatch.setattr(cuda, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match="pycuda is not installed"):
        cuda.Device()
    monkeypatch.setattr(cuda, "find_spec", lambda name: object())
    monkeypatch.setattr(cuda, "driver", lambda: None)
    with pytest.raises(BackendUnavailable, match="no CUDA driver"):
        cuda.Device()


def test_the_driver_tells_version_and_gpu(monkeypatch):
    class Lib:
        def cuDriverGetVersion(self, version):
            version._obj.value = 12060
            return 0

        def cuInit(self, flags):
            return 0

        def cuDeviceGet(self, handle, number):
            return 0

        def cuDeviceGetAttribute(self, number, attribute, handle):
            number._obj.value = {75: 8, 76: 7}[attribute]
            return 0

    monkeypatch.setattr(cuda_driver, "driver", Lib)
    assert (cuda_driver.driver_version(), cuda_driver.compute_capability()) == ("12.6", "8.7")


def test_everything_is_given_back_last_first_and_once(gpu):
    device = cuda.Device()
    assert {device.memory(10), device.memory(20)} == set(gpu.held)
    device.close()
    device.close()
    behind = ["mem_free", "mem_free", "cuDevicePrimaryCtxRelease", "pop", "detach"]
    assert not gpu.held and not gpu.left and not gpu.faults and gpu.names()[-5:] == behind


def test_no_memory_has_its_own_way_out(gpu):
    device = cuda.Device()
    gpu.fail_at = len(gpu.calls)
    with pytest.raises(DeviceError, match="allocating memory failed") as caught:
        device.memory(10)
    assert isinstance(caught.value.__cause__, MemoryError) and "fewer slots" in str(caught.value.hint)
    device.close()


def test_an_error_within_a_capture_ends_it(gpu):
    device = cuda.Device()
    stream = device.stream()

    def calls() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        device.graph(stream, calls)
    assert gpu.recording is None and not gpu.graphs
    device.close()
