"""Paired timing: candidates take turns in one process, so that a slow moment hits all of them.

A ratio is the median over rounds of a candidate's time over that of the reference in the same
round; its spread is the middle half of these.
"""

import json
import platform
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from dpm_lib import library_version
from dpm_lib.evidence.storage import RESULTS, replace_file

PACKAGES = ("torch", "diffusers", "azula", "denoising-diffusion-pytorch", "smalldiffusion")


def in_turns(candidates, *, seconds=8.0, warm=3):
    """Seconds that each function took in each round, in rounds of all of them."""
    for work in candidates.values():
        for _ in range(warm):
            work()
    times = {name: [] for name in candidates}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(times))]) < 5:
        for name, work in candidates.items():
            begin = time.perf_counter()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - begin)
    return times


def middle_half(values):
    """Lower and upper quartile."""
    values = sorted(values)
    return [round(values[round(q * (len(values) - 1))], 3) for q in (0.25, 0.75)]


def compare(candidates, **how):
    """Times of functions in turn, the first of them the reference: one row for each."""
    times = in_turns(candidates, **how)
    reference = times[next(iter(times))]
    rows = []
    for name, each in times.items():
        ratios = [t / r for t, r in zip(each, reference, strict=True)]
        rows.append({
            "candidate": name, "ms": round(1e3 * statistics.median(each), 4),
            "ratio": round(statistics.median(ratios), 3),
            "middle_half": middle_half(ratios), "rounds": len(each),
        })  # fmt: skip
    return rows


def machine(device):
    """What is measured on, and with."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else processor(),
        "threads": torch.get_num_threads(), "python": platform.python_version(), **found,
        "library": library_version(),
    }  # fmt: skip


def processor():
    """Name of the processor; Linux has it in a file."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf8").splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write(question, found, device="cpu"):
    """Write what was found with what it was measured on."""
    content = json.dumps({"machine": machine(device), **found}, indent=1, allow_nan=False)
    replace_file(RESULTS / "benchmarks" / f"{question}-{device}.json", content + "\n")


def record(question, tables, device="cpu"):
    """Write the rows of each table, and print them."""
    write(question, {"tables": tables}, device)
    for title, rows in tables.items():
        print(f"\n{title}")
        for row in rows:
            low, high = row["middle_half"]
            print(f"  {row['candidate']:<34} {row['ms']:>10.3f} ms   {row['ratio']:.2f} "
                  f"({low:.2f} … {high:.2f})")  # fmt: skip
