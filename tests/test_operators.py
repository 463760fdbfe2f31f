"""How many operators a step of training and of sampling takes beyond its network: no clock."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import dpm_lib as dpm
from dpm_lib.learning.networks.readout import of_data

T, B = 40, 64


class Count(TorchDispatchMode):
    """Operators that torch dispatches, views included."""

    n = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.n += 1
        return operator(*args, **(kwargs or {}))


def counted(work):
    with Count() as count:
        work()
    return count.n


class Fixed(torch.nn.Module):
    """A network of one layer, with as many outputs as are asked for."""

    event_shape = torch.Size([2])

    def __init__(self, outputs):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2 * outputs)

    def forward(self, xt, t):
        return self.layer(xt)


def made(kind, outputs):
    torch.manual_seed(0)
    kernel = kind(dpm.schedules.geometric(T, 5e-4, 0.5, dtype=torch.float32))
    return dpm.ReverseProcess(kernel, Fixed(outputs))


@pytest.mark.parametrize(
    ("kind", "outputs", "most"),
    [(dpm.GaussianKernel, 1, 5), (dpm.GaussianKernel, 2, 9), (dpm.BinomialKernel, 1, 6)],
)
def test_operators_of_a_sampling_step(kind, outputs, most, generator):
    """Between two calls of the network: the noise and the arithmetic of one step."""
    model, x, t = made(kind, outputs), torch.ones(B, 2), torch.full((B,), 3)
    with torch.no_grad():
        network = counted(lambda: model.network(x, t))
        states = model._descend(B, generator)
        counted(lambda: [next(states) for _ in range(11)])
        steps = counted(lambda: [next(states) for _ in range(10)])
    assert steps / 10 - network <= most


@pytest.mark.parametrize(
    ("kind", "outputs", "most"),
    [(dpm.GaussianKernel, 1, 45), (dpm.GaussianKernel, 2, 65), (dpm.BinomialKernel, 1, 45)],
)
def test_operators_of_a_training_step(kind, outputs, most, generator):
    """Beyond network, its backward and optimiser: batch, noise, loss, its backward, clipping."""
    model = made(kind, outputs)
    x0 = torch.ones(B, 2)
    updates = dpm.updates(model, x0, steps=30, batch=B, generator=generator)
    next(updates)
    whole = counted(lambda: [next(updates) for _ in range(10)]) / 10
    adam = torch.optim.Adam(model.parameters(), fused=True)

    def bare():
        z = model.network(x0, None)
        adam.zero_grad()
        z.backward(torch.ones_like(z))
        adam.step()

    bare()
    assert whole - (counted(bare) - 1) <= most  # 1 for ones_like


def test_operators_of_the_log_odds_of_bits():
    """One logarithm for each bit, and rates of one step where all rows have one."""
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(T), 0.2)
    seen = []

    class Names(TorchDispatchMode):
        """Which operators there are, and how many numbers the largest table of rates has."""

        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
            result = operator(*args, **(kwargs or {}))
            seen.append((operator.overloadpacket, result))
            return result

    c, t = torch.zeros(B, 2), torch.tensor([3]).expand(B)
    of_data(kernel, c, t)  # the tables are cast once
    with Names():
        of_data(kernel, c, t)
    names = [name for name, _ in seen]
    assert names.count(torch.ops.aten.log) == 1
    assert len(names) <= 13  # a product more for each of two sums: no difference of near numbers
    rows = [result for name, result in seen if name is torch.ops.aten.index_select]
    assert [len(row.flatten()) for row in rows] == [4]
