"""What there is to train on: GPUs by NVML, Apple's by platform, the CPU's cores."""

import platform
from dataclasses import dataclass

from studio import launch


@dataclass(frozen=True)
class Device:
    """`name` is cpu, mps or cuda:N; memory in bytes, None where it is the machine's own."""

    name: str
    title: str
    memory_bytes: int | None = None

    def environment(self) -> dict[str, str]:
        """What a job's processes are told, so that they use this device and no other."""
        return {"CUDA_VISIBLE_DEVICES": self.name.removeprefix("cuda:") if self.name.startswith("cuda:") else ""}


def devices() -> list[Device]:
    """The devices that jobs run on, one job each: every GPU, or the CPU where there is none."""
    found = _gpus()
    if found:
        return found
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [Device("mps", "Apple GPU")]
    return [Device("cpu", f"{launch.cores()} CPU cores")]


def _gpus() -> list[Device]:
    import pynvml

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [
            Device(f"cuda:{i}", pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetMemoryInfo(handle).total)
            for i, handle in enumerate(handles)
        ]
    except pynvml.NVMLError:  # no driver, or none of its cards
        return []
