import pytest
import torch
from hypothesis import given
from strategies import rates

from dpm_lib import schedules


def test_erase_evenly():
    """Each step erases 1/T of the signal, the last one the rest."""
    beta = schedules.erase_evenly(50)
    expected = 1 - torch.arange(51, dtype=torch.float64) / 50
    torch.testing.assert_close(schedules.signal(beta), expected, rtol=1e-13, atol=1e-15)
    assert beta[-1] == 1
    assert schedules.signal(beta)[-1] == 0


def test_geometric():
    """Rates grow by one factor."""
    beta = schedules.geometric(40, 5e-4, 0.5)
    torch.testing.assert_close(beta[1:] / beta[:-1], (beta[1] / beta[0]).expand(39))
    torch.testing.assert_close(beta[[0, -1]], torch.tensor([5e-4, 0.5]).double())
    assert schedules.geometric(1, 0.1, 0.1).tolist() == pytest.approx([0.1])


def test_log_linear():
    """The log of signal over noise falls by one amount a step, between the ends that were given."""
    beta = schedules.log_linear(200, 1e-7, 0.995)
    ratio = (schedules.signal(beta) / schedules.noise(beta))[1:].log()
    torch.testing.assert_close(ratio.diff(), ratio.diff().mean().expand(199), rtol=1e-7, atol=0)
    ends = schedules.noise(beta)[[1, -1]]
    torch.testing.assert_close(ends, torch.tensor([1e-7, 0.995]).double())
    assert beta[0] == ends[0]
    assert schedules.log_linear(1, 0.1, 0.9).tolist() == pytest.approx([0.1])


def test_inverse():
    """The reciprocals fall evenly from T to 2; the rates of the authors' code are near them."""
    for T in (2, 5, 40):
        beta = schedules.inverse(T)
        steps = torch.diff(1 / beta)
        torch.testing.assert_close(steps, torch.full((T - 1,), -(T - 2) / (T - 1)).double())
        assert beta[0].item() == pytest.approx(1 / T)
        assert beta[-1] == 0.5
        code = schedules.reference_code(T)
        torch.testing.assert_close(code[1:], beta[1:], rtol=1e-4, atol=0)
    assert schedules.inverse(1).tolist() == [1.0]
    with pytest.raises(ValueError, match="T must be"):
        schedules.inverse(0)


def test_reference_code():
    """The numbers of the authors' code."""
    beta = schedules.reference_code(1000)
    got = [beta[0], beta[1], beta[998], beta[999], schedules.signal(beta)[-1]]
    expected = [0.0020000, 0.001002, 0.33344, 0.499996, 9.916e-4]
    torch.testing.assert_close(torch.stack(got), torch.tensor(expected).double(), rtol=1e-3, atol=0)
    for T, first, left in ((40, 0.02598, 0.0229), (500, 0.0030, 0.00197), (2000, 0.0015, 0.000497)):
        beta = schedules.reference_code(T)
        assert beta[0].item() == pytest.approx(first, rel=2e-3)
        assert schedules.signal(beta)[-1].item() == pytest.approx(left, rel=3e-3)


def test_against_diffusers():
    """Linear and cosine schedules are those of diffusers, and so is the signal."""
    diffusers = pytest.importorskip("diffusers")
    ours = schedules.linear(1000, 1e-4, 0.02)
    theirs = diffusers.DDPMScheduler(1000, beta_start=1e-4, beta_end=0.02)
    torch.testing.assert_close(ours.float(), theirs.betas)
    torch.testing.assert_close(schedules.signal(ours)[1:].float(), theirs.alphas_cumprod)
    cosine = diffusers.DDPMScheduler(100, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(schedules.cosine(100).float(), cosine.betas)


@given(rates)
def test_signal_is_the_product(beta):
    """Signal is the cumulative product, and noise what is missing from 1."""
    product = torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)])
    torch.testing.assert_close(schedules.signal(beta), product, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(schedules.noise(beta), 1 - product, rtol=1e-10, atol=1e-14)
    assert schedules.noise(beta)[1].item() == pytest.approx(beta[0].item(), rel=1e-15)


def test_tiny_noise_in_a_long_chain():
    """Noise keeps all its digits where 1 minus the signal would lose them (T = 5000)."""
    noise = schedules.noise(torch.full((5000,), 1e-18, dtype=torch.float64))
    torch.testing.assert_close(noise, 1e-18 * torch.arange(5001).double(), rtol=1e-12, atol=0)
    single = schedules.noise(torch.full((5000,), 1e-6, dtype=torch.float32))
    assert single.dtype == torch.float32
    assert single[5000].item() == pytest.approx(-torch.expm1(torch.tensor(-0.005)).item(), rel=1e-3)


@pytest.mark.parametrize("cumulate", [schedules.signal, schedules.noise])
def test_gradient_where_a_rate_is_one(cumulate):
    """Gradients are right and finite at and after a rate of 1, by finite differences inside."""
    beta = torch.tensor([0.1, 0.4, 1.0, 0.3], dtype=torch.float64, requires_grad=True)
    (jacobian,) = torch.autograd.functional.jacobian(cumulate, (beta,))
    h = 1e-6
    for s in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[s] = h
        sides = (-1, 0) if beta[s] == 1 else (-1, 1)
        low, high = (cumulate(beta.detach() + side * step) for side in sides)
        slope = (high - low) / (h * (sides[1] - sides[0]))
        torch.testing.assert_close(jacobian[:, s], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "beta",
    [[], [0.5, 0.0], [0.5, 1.5], [float("nan")], [-0.1], [[0.5]], [1, 1]],
)
def test_bad_rates(beta):
    """Rates that are none are refused by name."""
    with pytest.raises(ValueError, match="beta must"):
        schedules.signal(torch.tensor(beta))
