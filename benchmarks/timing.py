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

RESULTS = Path(__file__).resolve().parents[1] / "results" / "benchmarks"


def compare(candidates, *, seconds=8.0, warm=3):
    """Times of functions in turn, the first of them the reference: one row for each."""
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
    reference = times[next(iter(times))]
    rows = []
    for name, each in times.items():
        ratios = sorted(t / r for t, r in zip(each, reference, strict=True))
        low, high = (ratios[round(q * (len(ratios) - 1))] for q in (0.25, 0.75))
        rows.append({
            "candidate": name, "ms": round(1e3 * statistics.median(each), 4),
            "ratio": round(statistics.median(ratios), 3),
            "middle_half": [round(low, 3), round(high, 3)], "rounds": len(each),
        })  # fmt: skip
    return rows


def record(question, tables, device="cpu"):
    """Write the rows of each table with what they were measured on, and print them."""
    packages = ("torch", "diffusers", "azula", "denoising-diffusion-pytorch", "smalldiffusion")
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    machine = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor(),
        "threads": torch.get_num_threads(), "python": platform.python_version(), **found,
    }  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{question}-{device}.json"
    path.write_text(json.dumps({"machine": machine, "tables": tables}, indent=1) + "\n")
    for title, rows in tables.items():
        print(f"\n{title}")
        for row in rows:
            low, high = row["middle_half"]
            print(f"  {row['candidate']:<34} {row['ms']:>10.3f} ms   {row['ratio']:.2f} "
                  f"({low:.2f} … {high:.2f})")  # fmt: skip
