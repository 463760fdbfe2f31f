"""What one would write by hand: the network, its schedule and its loops, in plain PyTorch."""

import torch
from torch import nn

from dpm_lib import once

T = 1000


def tables():
    """The linear schedule of DDPM: beta, alpha-bar, and the coefficients of a reverse step."""
    beta = torch.linspace(1e-4, 0.02, T)
    alpha_bar = torch.cumprod(1 - beta.double(), 0).float()
    before = torch.cat([torch.ones(1), alpha_bar[:-1]])
    variance = beta * (1 - before) / (1 - alpha_bar)
    return beta, alpha_bar, before, variance


class Network(nn.Module):
    """Three hidden layers of 128, the time by an embedding of 128 that each layer adds."""

    event_shape = torch.Size([2])

    def __init__(self, outputs, hidden=128):
        super().__init__()
        self.outputs = outputs
        frequencies = torch.exp(-torch.arange(64) / 64 * 9.2)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.time = nn.Sequential(nn.Linear(128, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.first = nn.Linear(2, hidden)
        self.second, self.third = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 2 * outputs)
        nn.init.normal_(self.last.weight, std=0.01)

    def clock(self, t):
        """The time branch."""
        angle = t[:, None] * self.frequencies
        return self.time(torch.cat([angle.sin(), angle.cos()], 1))

    def forward(self, x, t):
        """Outputs, the time branch computed for each row."""
        return self.body(x, self.clock(t))

    def body(self, x, clock):
        """The branch of the state."""
        silu = nn.functional.silu
        h = silu(self.first(x) + clock)
        h = silu(self.second(h) + clock)
        h = silu(self.third(h) + clock)
        return self.last(h)


class Once(Network):
    """The same network, with the time branch computed once where all rows have one time."""

    def forward(self, x, t):
        """Outputs."""
        return self.body(x, self.clock(once(t)))
