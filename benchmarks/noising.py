"""States after t steps, t drawn for each example, against the two lines one would write."""

import torch
from bare import T, tables
from timing import compare, record

import dpm_lib as dpm

BETA, ALPHA_BAR, BEFORE, VARIANCE = tables()


def bare(x0, t):
    a, s = ALPHA_BAR.sqrt(), (1 - ALPHA_BAR).sqrt()

    def work():
        return a[t][:, None] * x0 + s[t][:, None] * torch.randn_like(x0)

    return work


def ours(x0, t):
    kernel, g = dpm.GaussianKernel(BETA), torch.Generator().manual_seed(0)
    return lambda: kernel.noised(x0, t, g)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = {}
    for n in (256, 65_536):
        x0, t = torch.randn(n, 2), torch.randint(1, T, (n,))
        found[f"{n} points"] = compare({"bare": bare(x0, t), "dpm_lib": ours(x0, t)}, seconds=4)
    record("noising", found)
