"""A training step of a small network: the library against bare PyTorch of the same loss."""

import torch
from bare import Network, T, tables
from peers import STEPS, B, available
from timing import compare, record
from torch import nn
from torch.nn.functional import mse_loss

import dpm_lib as dpm

BETA, ALPHA_BAR, BEFORE, VARIANCE = tables()


def noised(x0):
    t = torch.randint(1, T, (len(x0),))
    noise = torch.randn_like(x0)
    a = ALPHA_BAR[t].view(-1, *[1] * (x0.ndim - 1))
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


def bare(network, loss, x0, batch=B):
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step():
        examples = x0[torch.randint(len(x0), (batch,))]
        adam.zero_grad()
        loss(network, examples).backward()
        adam.step()

    return step


def ours(network, objective, x0, batch=B):
    model = dpm.ReverseProcess(dpm.GaussianKernel(BETA), network)
    settings = dpm.Settings(10**9, batch=batch, learning_rate=1e-4, objective=objective)
    g = torch.Generator().manual_seed(0)
    return dpm.Trainer(model, x0, settings, generator=g).update


class UNet(nn.Module):
    """The U-Net of the library for pictures, of its outputs those that predict noise."""

    event_shape = torch.Size([1, 28, 28])

    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(0)
        self.all = dpm.UNetNetwork(dpm.GaussianKernel(BETA), self.event_shape, generator=g)

    def forward(self, x, t):
        return self.all(x, t)[:, :1]


def data(n, *event):
    x0 = torch.randn(n, *event)
    return x0 / x0.square().mean().sqrt()


def small(outputs):
    torch.manual_seed(0)
    return Network(outputs)


def table(outputs, loss, objective, x0, others=None):
    return compare({
        "bare PyTorch": bare(small(outputs), loss, x0),
        "dpm_lib": ours(small(outputs), objective, x0),
        "dpm_lib, network compiled": ours(torch.compile(small(outputs)), objective, x0),
        **available(others or {}, small(outputs), x0),
    })  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    x0, pictures = data(4096, 2), data(512, *UNet.event_shape)
    record("training", {
        "noise prediction": table(1, noise_loss, "noise", x0, STEPS),
        "bound, fixed variance": table(1, fixed_loss, "bound", x0),
        "bound, learned variance": table(2, learned_loss, "bound", x0),
        "noise prediction, U-Net of 32 pictures": compare({
            "bare PyTorch": bare(UNet(), noise_loss, pictures, 32),
            "dpm_lib": ours(UNet(), "noise", pictures, 32),
        }, seconds=20),
    })  # fmt: skip
