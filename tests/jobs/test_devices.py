"""Each job gets cards that the person allows, by names that mean the same to NVML and to CUDA.

NVML is replaced: there is no machine with many cards to be had.
"""

from types import SimpleNamespace

import pynvml
import pytest

from studio.errors import RequestError
from studio.jobs import devices


@pytest.fixture
def cards(monkeypatch):
    """A machine with eight cards, of which the third does not tell its memory."""

    def by_number(number: int) -> int:
        if number >= 8:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return number

    def by_id(word: str) -> int:
        if not word.startswith("GPU-"):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return int(word.removeprefix("GPU-"))

    def memory(handle: int) -> SimpleNamespace:
        if handle == 2:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(total=2**30)

    for name, answer in {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 8,
        "nvmlDeviceGetHandleByIndex": by_number,
        "nvmlDeviceGetHandleByUUID": by_id,
        "nvmlDeviceGetIndex": lambda handle: handle,
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
        "nvmlDeviceGetName": lambda handle: "card",
        "nvmlDeviceGetMemoryInfo": memory,
    }.items():
        monkeypatch.setattr(pynvml, name, answer)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_all_cards_are_named_by_ids_that_do_not_depend_on_an_order(cards):
    found = devices.devices()
    assert [device.visible for device in found] == [f"GPU-{number}" for number in range(8)]
    assert devices.environment(found[1:3]) == {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2"}


def test_a_card_that_does_not_tell_its_memory_hides_no_other(cards):
    assert [device.memory_bytes for device in devices.devices()][1:4] == [2**30, None, 2**30]


@pytest.mark.parametrize(
    ("allowed", "names", "visible"),
    [
        ("4,5", ["cuda:4", "cuda:5"], "4,5"),
        ("GPU-6", ["cuda:6"], "GPU-6"),
        ("1,9,2", ["cuda:1"], "1"),
        ("-1", ["cpu"], ""),
        ("", ["cpu"], ""),
    ],
)
def test_only_what_the_person_allows_is_given_to_jobs(cards, monkeypatch, allowed, names, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    found = devices.devices()
    assert [device.name for device in found] == names
    assert devices.environment(found) == {"CUDA_VISIBLE_DEVICES": visible}


def test_more_processes_than_cards_are_refused(cards):
    devices.check_processes(8)
    with pytest.raises(RequestError, match="--num_processes must be at most 8.*got 9"):
        devices.check_processes(9)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"cuda:0"}),
        ({"WORLD_SIZE": "8"}, {f"cuda:{number}" for number in range(8)}),
        ({"CUDA_VISIBLE_DEVICES": "3,4"}, {"cuda:3"}),
        ({"CUDA_VISIBLE_DEVICES": "GPU-3,GPU-4", "WORLD_SIZE": "2"}, {"cuda:3", "cuda:4"}),
        ({"CUDA_VISIBLE_DEVICES": ""}, set()),
    ],
)
def test_a_job_typed_by_hand_uses_the_cards_that_its_process_may_see(cards, environment, expected):
    assert devices.in_use(environment, devices.devices()) == expected


def test_a_machine_without_cards_is_one_device_for_one_job(monkeypatch):
    found = [devices.Device("cpu", "2 cores")]
    assert devices.in_use({}, found) == {"cpu"} and devices.environment(found) == {"CUDA_VISIBLE_DEVICES": ""}
