"""The heartbeat's chain of bits: all its steps at once in training, one after another in samples.

The bare loop over t is what one would write first; the batched one multiplies all steps together.
"""

from itertools import pairwise

import torch
from timing import compare, record
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

import dpm_lib as dpm

T, BITS, UNITS, RHO = 2000, 20, 50, 0.2
BETA = 1 / torch.arange(T, 0, -1.0)
KEPT = torch.linspace(1, 0, T + 1)


class Network(nn.Module):
    """Three layers of sigmoid units that all steps share, and a readout for each step."""

    event_shape = torch.Size([BITS])

    def __init__(self):
        super().__init__()
        sizes = [BITS, UNITS, UNITS, UNITS]
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.hidden = nn.Sequential(*(part for layer in layers for part in (layer, nn.Sigmoid())))


class OneByOne(Network):
    def __init__(self):
        super().__init__()
        self.readouts = nn.ModuleList(nn.Linear(UNITS, BITS) for _ in range(T))

    def forward(self, x, t):
        return self.readouts[t - 1](self.hidden(x))


class Stacked(Network):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(T, UNITS, BITS))
        self.bias = nn.Parameter(torch.zeros(T, 1, BITS))

    def forward(self, x, t):
        """Outputs of states ``(len(t), B, BITS)`` at steps t."""
        return torch.baddbmm(self.bias[t - 1], self.hidden(x), self.weight[t - 1])


def divergence(network, x0, t, beta, kept, before):
    """Divergence of the model's step from the posterior, at a state that is drawn."""
    xt = torch.bernoulli(kept * x0 + RHO * (1 - kept))
    ahead = before * x0 + RHO * (1 - before)
    stay = (1 - beta) * xt + beta * (RHO * xt + (1 - RHO) * (1 - xt))
    leave = (1 - beta) * (1 - xt) + beta * (RHO * xt + (1 - RHO) * (1 - xt))
    posterior = ahead * stay / (ahead * stay + (1 - ahead) * leave)
    logits = network(xt, t) + torch.logit((1 - beta) * xt + RHO * beta)
    cross = binary_cross_entropy_with_logits(logits, posterior, reduction="none")
    return cross - torch.special.entr(posterior) - torch.special.entr(1 - posterior)


def loop(network, x0):
    steps = range(2, T + 1)
    return sum(divergence(network, x0, t, BETA[t - 1], KEPT[t], KEPT[t - 1]).sum(1) for t in steps)


def batched(network, x0):
    t = torch.arange(2, T + 1)
    rates = (table[:, None, None] for table in (BETA[t - 1], KEPT[t], KEPT[t - 1]))
    return divergence(network, x0.expand(T - 1, -1, -1), t, *rates).sum((0, 2))


def bare_step(network, loss, law, batch):
    adam, g = torch.optim.Adam(network.parameters(), lr=1e-2), torch.Generator().manual_seed(0)

    def step():
        adam.zero_grad()
        (loss(network, law.sample(batch, g)).mean() / BITS).backward()
        adam.step()

    return step


def our_step(model, law, batch):
    settings = dpm.Settings(10**9, batch=batch, learning_rate=1e-2, objective="full")
    g = torch.Generator().manual_seed(0)
    return dpm.Trainer(model, law.sample, settings, generator=g).update


def bare_samples(network, n):
    """The logits of a forward step from x are those from 0, and what a bit 1 adds."""
    zero, one = torch.logit(RHO * BETA), torch.logit(1 - BETA + RHO * BETA)
    more = one - zero

    @torch.inference_mode()
    def work():
        x = torch.bernoulli(torch.full((n, BITS), RHO))
        for t in range(T, 1, -1):
            identity = zero[t - 1] + more[t - 1] * x
            x = torch.bernoulli((network(x, t) + identity).sigmoid())
        return torch.bernoulli((1 - BETA[0]) * x + RHO * BETA[0])

    return work


def our_samples(model, n):
    g = torch.Generator().manual_seed(0)
    return lambda: model.sample(n, generator=g, progress=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    law = dpm.heartbeat(BITS, dtype=torch.float32)
    kernel = dpm.BinomialKernel(BETA, RHO)
    g = torch.Generator().manual_seed(0)
    network = dpm.StepwiseNetwork(kernel, (BITS,), hidden=UNITS, generator=g)
    model, one_by_one = dpm.ReverseProcess(kernel, network), OneByOne()
    training = compare({
        "bare, one t after another": bare_step(one_by_one, loop, law, 64),
        "bare, all t at once": bare_step(Stacked(), batched, law, 64),
        "dpm_lib": our_step(model, law, 64),
    }, seconds=25, warm=1)  # fmt: skip
    sampling = compare(
        {"bare": bare_samples(one_by_one, 1000), "dpm_lib": our_samples(model, 1000)},
        seconds=25, warm=1,
    )  # fmt: skip
    record("binomial", {
        f"training step, 64 sequences, T = {T}": training,
        f"1000 samples, T = {T}": sampling,
    })  # fmt: skip
