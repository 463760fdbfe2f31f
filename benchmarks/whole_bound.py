"""The bound over all steps, against a bare loop over t and a bare batched one."""

import torch
from bare import Network, T, tables
from timing import compare, record

import dpm_lib as dpm

BETA, ALPHA_BAR, BEFORE, VARIANCE = tables()


def terms(network, x0, t):
    noise = torch.randn_like(x0)
    bar, before, beta = (table[t][:, None] for table in (ALPHA_BAR, BEFORE, BETA))
    xt = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    eps = network(xt, t)
    mean = (xt - beta / (1 - bar).sqrt() * eps) / (1 - beta).sqrt()
    right = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * xt) / (1 - bar)
    return ((mean - right).square() / (2 * VARIANCE[t][:, None])).sum(1)


def loop(network, x0):
    @torch.inference_mode()
    def work():
        return torch.stack([terms(network, x0, torch.full((len(x0),), t)) for t in range(1, T)])

    return work


def batched(network, x0, rows):
    @torch.inference_mode()
    def work():
        t = torch.arange(1, T).repeat_interleave(len(x0))
        again = x0.repeat(T - 1, 1)
        parts = zip(again.split(rows), t.split(rows), strict=True)
        return torch.cat([terms(network, x, s) for x, s in parts]).view(T - 1, -1)

    return work


def ours(network, x0):
    model = dpm.ReverseProcess(dpm.GaussianKernel(BETA), network)
    g = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def work():
        return dpm.bound(model, x0, generator=g).kl

    return work


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, found = Network(1).eval(), {}
    for n, rows, seconds in ((1, 512, 8), (16, 1024, 8), (256, 1024, 20)):
        x0 = torch.randn(n, 2)
        found[f"{n} example{'s' * (n > 1)}, T = {T}"] = compare({
            "bare, batched over t": batched(network, x0, rows), "dpm_lib": ours(network, x0),
            "bare, one t after another": loop(network, x0),
        }, seconds=seconds, warm=1)  # fmt: skip
    record("whole_bound", found)
