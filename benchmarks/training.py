"""A training step of a small network: the library against bare PyTorch of the same loss."""

import torch
from bare import Network, T, tables
from peers import STEPS, B, available
from timing import compare, record
from torch.nn.functional import mse_loss

import dpm_lib as dpm

BETA, ALPHA_BAR, BEFORE, VARIANCE = tables()


def noised(x0):
    t = torch.randint(1, T, (len(x0),))
    noise = torch.randn_like(x0)
    a = ALPHA_BAR[t][:, None]
    return t, noise, a.sqrt() * x0 + (1 - a).sqrt() * noise


def posterior_mean(x0, xt, t):
    bar, before, beta = (table[t][:, None] for table in (ALPHA_BAR, BEFORE, BETA))
    return (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * xt) / (1 - bar)


def noise_loss(network, x0):
    t, noise, xt = noised(x0)
    return mse_loss(network(xt, t), noise)


def fixed_loss(network, x0):
    t, _, xt = noised(x0)
    eps = network(xt, t)
    beta, bar = BETA[t][:, None], ALPHA_BAR[t][:, None]
    mean = (xt - beta / (1 - bar).sqrt() * eps) / (1 - beta).sqrt()
    return ((mean - posterior_mean(x0, xt, t)).square() / (2 * VARIANCE[t][:, None])).mean()


def learned_loss(network, x0):
    t, _, xt = noised(x0)
    eps, v = network(xt, t).chunk(2, 1)
    beta, bar = BETA[t][:, None], ALPHA_BAR[t][:, None]
    mean = (xt - beta / (1 - bar).sqrt() * eps) / (1 - beta).sqrt()
    least, most = VARIANCE[t][:, None].log(), beta.log()
    log_variance = least + (v + 1) / 2 * (most - least)
    error = (mean - posterior_mean(x0, xt, t)).square()
    kl = log_variance - least - 1 + ((least - log_variance).exp() + error * (-log_variance).exp())
    return kl.mean() / 2


def bare(outputs, loss, x0):
    torch.manual_seed(0)
    network = Network(outputs)
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step():
        batch = x0[torch.randint(len(x0), (B,))]
        adam.zero_grad()
        loss(network, batch).backward()
        adam.step()

    return step


def ours(outputs, objective, x0):
    torch.manual_seed(0)
    kernel = dpm.GaussianKernel(BETA)
    model = dpm.ReverseProcess(kernel, Network(outputs))
    settings = dpm.Settings(10**9, batch=B, learning_rate=1e-4, objective=objective)
    g = torch.Generator().manual_seed(0)
    return dpm.Trainer(model, x0, settings, generator=g).update


if __name__ == "__main__":
    torch.set_num_threads(1)
    x0 = torch.randn(4096, 2)
    x0 /= x0.square().mean().sqrt()
    record("training", {
        "noise prediction": compare({
            "bare PyTorch": bare(1, noise_loss, x0), "dpm_lib": ours(1, "noise", x0),
            **available(STEPS, Network(1), x0),
        }),
        "bound, fixed variance": compare({
            "bare PyTorch": bare(1, fixed_loss, x0), "dpm_lib": ours(1, "bound", x0),
        }),
        "bound, learned variance": compare({
            "bare PyTorch": bare(2, learned_loss, x0), "dpm_lib": ours(2, "bound", x0),
        }),
    })  # fmt: skip
