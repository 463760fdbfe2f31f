"""How time and memory of the bound, of a training step and of samples grow with their sizes.

Time: sizes take turns; the exponent is the slope of log time over log size, one for each round.
Memory: what the peak of a fresh process grows by, after a small call of the same kind.
"""

import math
import os
import resource
import statistics
import subprocess
import sys

import torch
from timing import in_turns, middle_half, write

import dpm_lib as dpm

TRIALS = 3
LARGE, SMALL = {"hidden": 128, "layers": 3}, {"hidden": 16, "layers": 1}


def made(T, d, hidden, layers):
    g = torch.Generator().manual_seed(0)
    kernel = dpm.GaussianKernel(dpm.schedules.geometric(T, 1e-4, 0.02, dtype=torch.float32))
    network = dpm.MLPNetwork(kernel, (d,), hidden, layers, generator=g)
    return dpm.ReverseProcess(kernel, network), g


def examples(n, d, g):
    x0 = torch.randn(n, d, generator=g)
    return x0 / x0.square().mean().sqrt()


def bound(T, n, d, **network):
    model, g = made(T, d, **network)
    x0 = examples(n, d, g)
    return torch.no_grad()(lambda: dpm.bound(model, x0, generator=g).kl)


def evaluation(T, n, d, **network):
    model, g = made(T, d, **network)
    x0 = examples(n, d, g)
    return lambda: dpm.evaluate(model, x0, generator=g)


def training(T, n, d, **network):
    model, g = made(T, d, **network)
    settings = dpm.Settings(10**9, batch=n)
    return dpm.Trainer(model, examples(4096, d, g), settings, generator=g).update


def sampling(T, n, d, **network):
    model, g = made(T, d, **network)
    return lambda: model.sample(n, generator=g, progress=False)


TIMES = {
    "whole bound": (bound, {"T": 500, "n": 16, "d": 2}, {
        "T": (125, 250, 500, 1000, 2000), "n": (16, 64, 256, 1024), "d": (8, 32, 128, 512, 2048),
    }),
    "training step": (training, {"T": 1000, "n": 256, "d": 2}, {
        "T": (125, 500, 2000, 8000), "n": (64, 256, 1024, 4096, 16384),
        "d": (8, 32, 128, 512, 2048),
    }),
    "sampling": (sampling, {"T": 100, "n": 64, "d": 2}, {
        "T": (125, 250, 500, 1000, 2000), "n": (64, 256, 1024, 4096, 16384),
        "d": (8, 32, 128, 512, 2048),
    }),
}  # fmt: skip
"""What is done, where the sizes stand while another grows, and the sizes of those that grow."""

BOUNDS = (100, 1000), (1000, 1000), (1000, 10_000), (5000, 10_000)
MANY = 1000, 50_000
MEMORY = {
    "bound, every term kept": (bound, SMALL, BOUNDS),
    "evaluation": (evaluation, SMALL, (*BOUNDS, MANY)),
    "evaluation, freed memory returned": (evaluation, SMALL, (BOUNDS[2], MANY)),
    "training step": (training, LARGE, ((1000, 4096), (1000, 65_536))),
    "sampling": (sampling, LARGE, ((10, 4096), (10, 65_536), (100, 65_536))),
}  # fmt: skip
"""What is done, with which network, for which T and n."""

RETURNED = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""With this the allocator of glibc keeps no block of 64 KiB or more that is freed."""


def grown(work, fixed, name, sizes, seconds):
    """Times by size, and the exponent of a power law through them."""
    times = in_turns(
        {s: work(**{**fixed, name: s}, **LARGE) for s in sizes}, seconds=seconds, warm=1
    )
    logs = [math.log(size) for size in sizes]
    slopes = [
        statistics.linear_regression(logs, [math.log(t) for t in each]).slope
        for each in zip(*times.values(), strict=True)
    ]
    return {
        "fixed": {key: value for key, value in fixed.items() if key != name},
        "size": list(times), "ms": [round(1e3 * statistics.median(t), 4) for t in times.values()],
        "exponent": round(statistics.median(slopes), 3), "middle_half": middle_half(slopes),
        "rounds": len(slopes),
    }  # fmt: skip


def peak():
    """Largest memory of this process so far, MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure_memory(name, T, n):
    """What the peak of this process grows by, MiB."""
    work, network, _ = MEMORY[name]
    work(10, 2, 2, **network)()
    real = work(T, n, 2, **network)
    before = peak()
    real()
    return peak() - before


def in_fresh_processes(name, T, n):
    command = [sys.executable, __file__, name, str(T), str(n)]
    how = {"check": True, "capture_output": True, "text": True}
    how["env"] = os.environ | (RETURNED if name.endswith("returned") else {})
    runs = (subprocess.run(command, **how) for _ in range(TRIALS))
    found = sorted(float(run.stdout) for run in runs)
    print(f"{name:<34} T = {T:<5} n = {n:<6} {statistics.median(found):8.1f} MiB")
    return {
        "work": name, "network": MEMORY[name][1], "T": T, "n": n,
        "MiB": round(statistics.median(found), 1), "range": [round(each, 1) for each in found[::2]],
    }  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        print(measure_memory(sys.argv[1], *map(int, sys.argv[2:])))
        raise SystemExit
    memory = [
        in_fresh_processes(name, *size) for name, (_, _, sizes) in MEMORY.items() for size in sizes
    ]
    times = {}
    for title, (work, fixed, grows) in TIMES.items():
        times[title] = {}
        for name, sizes in grows.items():
            times[title][name] = row = grown(work, fixed, name, sizes, seconds=8)
            low, high = row["middle_half"]
            print(f"{title:<14} {name}^{row['exponent']:.2f} ({low:.2f} … {high:.2f})")
    write("growth", {"network": LARGE, "time": times, "memory": memory})
