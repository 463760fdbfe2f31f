"""Ancestral sampling with a small network, against as many bare calls of the network."""

import torch
from bare import Network, Once, T, tables
from peers import SAMPLES, available, copy
from timing import compare, record

import dpm_lib as dpm

BETA, ALPHA_BAR, BEFORE, VARIANCE = tables()


def network_calls(network, n, steps):
    x = torch.randn(n, 2)

    @torch.inference_mode()
    def work():
        for t in range(steps, 0, -1):
            network(x, torch.full((n,), t))

    return work


def by_hand(network, n, steps):
    @torch.inference_mode()
    def work():
        x = torch.randn(n, 2)
        for t in range(steps - 1, 0, -1):
            eps = network(x, torch.full((n,), t))
            x = (x - BETA[t] / (1 - ALPHA_BAR[t]).sqrt() * eps) / (1 - BETA[t]).sqrt()
            x = x + VARIANCE[t].sqrt() * torch.randn_like(x)
        return x

    return work


def ours(network, n, steps):
    model = dpm.ReverseProcess(dpm.GaussianKernel(BETA[:steps]), network)
    g = torch.Generator().manual_seed(0)
    return lambda: model.sample(n, generator=g, progress=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain, once = Network(1).eval(), Once(1).eval()
    once.load_state_dict(plain.state_dict())
    compiled = torch.compile(copy(plain, Once).eval())
    found = {}
    for n, steps, seconds in ((64, 40, 8), (1000, 40, 8), (64, T, 20)):
        found[f"{n} samples, T = {steps}"] = compare({
            "network calls alone": network_calls(plain, n, steps),
            "by hand": by_hand(plain, n, steps),
            "dpm_lib, the same network": ours(plain, n, steps),
            "dpm_lib, time branch once": ours(once, n, steps),
            "dpm_lib, network compiled": ours(compiled, n, steps),
            **available(SAMPLES, plain, n, steps),
        }, seconds=seconds)  # fmt: skip
    record("sampling", found)
