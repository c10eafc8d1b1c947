"""What there is to train on: GPUs by NVML, Apple's by platform, the CPU's cores."""

import contextlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio import launch
from studio.errors import RequestError


@dataclass(frozen=True)
class Device:
    """`name` is cpu, mps or cuda:N; memory in bytes, None where it is the machine's own or not told.

    `visible` is the word for it in CUDA_VISIBLE_DEVICES: as the person wrote it there, or the card's own id, since
    CUDA counts cards in another order than NVML.
    """

    name: str
    title: str
    memory_bytes: int | None = None
    visible: str | None = None


def devices() -> list[Device]:
    """The devices that jobs run on, one job each: every GPU that may be seen, or the CPU where there is none."""
    found = _gpus()
    if found:
        return found
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [Device("mps", "Apple GPU")]
    return [Device("cpu", f"{launch.cores()} CPU cores")]


def check_processes(count: int) -> None:
    """Refuses more processes than there are GPUs; those of a CPU share it.

    Raises:
        RequestError: there are fewer GPUs.
    """
    found = devices()
    if found[0].visible and count > len(found):
        raise RequestError(f"--num_processes must be at most {len(found)}, the number of GPUs here, got {count}")


def environment(on: list[Device]) -> dict[str, str]:
    """What a job's processes are told, so that they use these devices and no others."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(device.visible for device in on if device.visible)}


def in_use(by: Mapping[str, str], among: list[Device]) -> set[str]:
    """The names of the devices that a job uses according to the environment of its process."""
    if not among[0].visible:
        return {device.name for device in among}
    named = by.get("CUDA_VISIBLE_DEVICES")
    words = [device.visible for device in among] if named is None else [word.strip() for word in named.split(",")]
    words = words if "WORLD_SIZE" in by else words[:1]  # a process alone keeps to one GPU
    return {device.name for device in among if {device.visible, device.name.removeprefix("cuda:")} & set(words)}


def _gpus() -> list[Device]:
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:  # no driver
        return []
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    words = [str(number) for number in range(count)] if allowed is None else allowed.split(",")
    found = []
    for word in map(str.strip, words):
        try:
            by_number = word.isdigit()
            handle = (
                pynvml.nvmlDeviceGetHandleByIndex(int(word)) if by_number else pynvml.nvmlDeviceGetHandleByUUID(word)
            )
        except pynvml.NVMLError:
            if allowed is not None:
                break  # as CUDA does: what follows a name of nothing is not seen
            continue
        number = word if by_number else _told(pynvml.nvmlDeviceGetIndex, handle)
        memory = _told(pynvml.nvmlDeviceGetMemoryInfo, handle)
        visible = word if allowed is not None else _told(pynvml.nvmlDeviceGetUUID, handle) or word
        title = _told(pynvml.nvmlDeviceGetName, handle) or "GPU"
        found.append(Device(f"cuda:{word if number is None else number}", title, memory and memory.total, visible))
    return found


def _told(ask: Any, handle: Any) -> Any:
    """What NVML says of a card; None where this kind of card does not tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):
        return ask(handle)
    return None
