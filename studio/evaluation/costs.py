"""What a model costs, in words: the lines of every table of a profile."""

from typing import Any


def lines(profile: dict[str, Any]) -> dict[str, str]:
    """The figures of profile.json by what people call them, each with its unit."""
    return {
        "parameters": f"{profile['parameters']:,}",
        "of these trainable": f"{profile['trainable_parameters']:,}",
        "size on disk": f"{profile['size_bytes'] / 1e6:,.1f} MB",
        "arithmetic for one item": f"{profile['flops'] / 1e9:,.3f} GFLOPs",
        "time for one item": f"{profile['latency_ms']['p50']:.1f} ms, p95 {profile['latency_ms']['p95']:.1f} ms",
        "items per second, 32 at a time": f"{profile['throughput']:,.1f}",
        "peak memory": f"{profile['peak_memory_bytes'] / 1e6:,.0f} MB",
    }
