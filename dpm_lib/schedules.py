r""":math:`\beta_1 \dots \beta_T`, rates of the forward chain, and the signal they leave.

.. math:: \bar\alpha_t = \prod_{s \le t} (1 - \beta_s), \qquad \bar\beta_t = 1 - \bar\alpha_t

A schedule is a tensor ``(T,)`` with ``beta[t - 1]`` the rate of step t; cumulative quantities are
``(T + 1,)`` with index t, so that index 0 is the data.
"""

import math

import torch
from torch import Tensor

from dpm_lib import doors

__all__ = [
    "begun", "check_rates", "cosine", "erase_evenly", "geometric", "inverse", "linear",
    "log_linear", "noise", "reference_code", "signal",
]  # fmt: skip


def erase_evenly(
    T: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str | None = None
) -> Tensor:
    r"""Rates that erase the fraction 1/T of the original signal in each step.

    .. math:: \beta_t = \frac{1}{T - t + 1}, \qquad \bar\alpha_t = 1 - t / T

    Returns:
        ``(T,)``; the last rate is exactly 1.

    Raises:
        ValueError: T is not positive, or no such dtype or device.

    Source: :eq:`erasing-schedule`, paper section 2.4.1.

    >>> erase_evenly(4).tolist()
    [0.25, 0.3333333333333333, 0.5, 1.0]
    """
    doors.integer("T", T)
    return _rates(1 / torch.arange(T, 0, -1, dtype=torch.float64), dtype, device)


def inverse(
    T: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str | None = None
) -> Tensor:
    r"""Rates that nearly erase 1/T of the original signal in each step, from 1/T up to 1/2.

    .. math:: \beta_t = \frac{1}{T - (T - 2) \frac{t - 1}{T - 1}}

    Unlike :func:`erase_evenly` they end at 1/2, so about 1/T of the signal survives.

    Returns:
        ``(T,)``; for T = 1 the rate is 1.

    Raises:
        ValueError: T is not positive, or no such dtype or device.

    >>> inverse(3).tolist()
    [0.3333333333333333, 0.4, 0.5]
    """
    doors.integer("T", T)
    return _rates(1 / torch.linspace(T, 2, T, dtype=torch.float64), dtype, device)


def linear(
    T: int,
    first: float,
    last: float,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Rates that grow linearly from ``first`` to ``last`` (DDPM: T=1000, 1e-4, 0.02).

    .. math:: \beta_t = \beta_1 + \frac{t - 1}{T - 1} (\beta_T - \beta_1)

    Returns:
        ``(T,)``.

    Raises:
        TypeError: T is no integer, or an argument is of another type.
        ValueError: T is not positive, or a rate lies outside (0, 1].
    """
    doors.integer("T", T)
    doors.number("first", first, 0, 1)
    doors.number("last", last, 0, 1)
    return _rates(torch.linspace(first, last, T, dtype=torch.float64), dtype, device)


def geometric(
    T: int,
    first: float,
    last: float,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Rates that grow by one factor from ``first`` to ``last``, so that no scale is skipped.

    .. math:: \beta_t = \beta_1 \Big(\frac{\beta_T}{\beta_1}\Big)^{(t - 1) / (T - 1)}

    The noise after t steps then grows by nearly the same factor, from :math:`\bar\beta_1 = \beta_1`
    until it nears 1; fine and coarse structure get equally many steps.

    Returns:
        ``(T,)``.

    Raises:
        TypeError: T is no integer, or an argument is of another type.
        ValueError: T is not positive, or a rate lies outside (0, 1].

    >>> geometric(3, 0.01, 0.25).tolist()
    [0.01, 0.05, 0.25]
    """
    doors.integer("T", T)
    growth = doors.number("last", last, 0, 1) / doors.number("first", first, 0, 1)
    exponent = torch.linspace(0, 1, T, dtype=torch.float64)
    return _rates(first * growth**exponent, dtype, device)


def log_linear(
    T: int,
    first: float,
    last: float,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Rates for which the log of signal over noise falls in a straight line.

    .. math:: \log\frac{\bar\beta_t}{\bar\alpha_t} = \sigma^{-1}(\bar\beta_1)
       + \frac{t-1}{T-1} \big(\sigma^{-1}(\bar\beta_T) - \sigma^{-1}(\bar\beta_1)\big)

    Where :func:`geometric` rates make the noise after the first steps grow like t, here it grows by
    one factor from the first step on: on data that are smooth at the finest scale, all steps cost
    the same.

    Args:
        T: number of steps.
        first: noise after one step, :math:`\bar\beta_1 = \beta_1`.
        last: noise after all steps, :math:`\bar\beta_T`, above the first and below 1.
        dtype, device: of the rates.

    Returns:
        ``(T,)``.

    Raises:
        TypeError: T is no integer, or an argument is of another type.
        ValueError: T is not positive, or the ends are not 0 < first < last < 1.

    Source: Kingma et al., *Variational Diffusion Models* (2021).

    >>> noise(log_linear(3, 0.1, 0.9))[1:]
    tensor([0.1000, 0.5000, 0.9000], dtype=torch.float64)
    """
    doors.integer("T", T)
    ends = [doors.number("first", first, 0, 1), doors.number("last", last, first, 1)]
    if last == 1:
        raise ValueError("last must be below 1, got 1")
    a, b = torch.tensor(ends, dtype=torch.float64).logit().tolist()
    left = -torch.linspace(a, b, T, dtype=torch.float64)  # log of signal over noise
    kept = torch.nn.functional.logsigmoid(left)
    return _rates(-torch.expm1(kept.diff(prepend=kept.new_zeros(1))), dtype, device)


def cosine(
    T: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str | None = None
) -> Tensor:
    r"""Rates for which the signal falls like a squared cosine (Nichol and Dhariwal 2021).

    .. math::
       \bar\alpha_t = \frac{f(t)}{f(0)}, \quad
       f(t) = \cos^2\Big(\frac{t/T + s}{1 + s} \frac\pi2\Big), \quad s = 0.008, \quad
       \beta_t = \min\Big(1 - \frac{f(t)}{f(t-1)},\ 0.999\Big)

    Returns:
        ``(T,)``.

    Raises:
        ValueError: T is not positive, or no such dtype or device.
    """
    doors.integer("T", T)
    s = 0.008
    u = torch.linspace(0, 1, T + 1, dtype=torch.float64)
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    return _rates((1 - f[1:] / f[:-1]).clamp(max=0.999), dtype, device)


def reference_code(
    T: int,
    first_step: float = 0.001,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Rates of the authors' code with its temporal coefficients at zero, where they stayed.

    .. math::
       \beta_t = m_t + b_t (1 - m_t - 10^{-5}), \qquad
       m_t = 10^{-6} + [t = 1]\, \mathtt{first\_step}

    with the rates :math:`b_t` of :func:`inverse`; the authors take T = 1000.

    Returns:
        ``(T,)``; the last rate is about 1/2, so about 1/T of the variance survives.

    Raises:
        TypeError: T is no integer, or an argument is of another type.
        ValueError: T is not positive, or ``first_step`` leads outside (0, 1].

    >>> round(reference_code(1000)[0].item(), 6)
    0.002
    """
    b = inverse(T)
    doors.number("first_step", first_step, -1, 1)
    m = torch.full_like(b, 1e-6)
    m[0] += first_step
    return _rates(m + b * (1 - m - 1e-5), dtype, device)


def begun(first: float, beta: Tensor) -> Tensor:
    """A first rate, then those of a schedule: how schedules are compared at one first rate.

    Args:
        first: the rate of step 1, in (0, 1].
        beta: rates of the steps from 2 on, ``(T - 1,)``.

    Returns:
        ``(T,)``, of beta's dtype and device.

    Raises:
        TypeError: first is no number, or beta no tensor.
        ValueError: a rate lies outside (0, 1].

    >>> begun(0.01, erase_evenly(2)).tolist()
    [0.01, 0.5, 1.0]
    """
    doors.number("first", first, 0, 1)
    return check_rates(torch.cat([check_rates(beta).new_tensor([first]), beta]))


def signal(beta: Tensor) -> Tensor:
    r"""Signal kept after each step, computed in log space in float64.

    .. math:: \bar\alpha_t = \exp \sum_{s \le t} \log(1 - \beta_s), \qquad \bar\alpha_0 = 1

    Args:
        beta: rates, ``(T,)``.

    Returns:
        ``(T + 1,)`` in beta's dtype; exactly 0 from the first rate of 1 on.

    Raises:
        ValueError: beta is not a vector of rates in (0, 1].

    Source: :eq:`forward-marginal`.
    """
    logarithm, product, erased = _cumulate(beta)
    kept = torch.where(erased, product, logarithm.exp())
    return torch.cat([kept.new_ones(1), kept]).to(beta.dtype)


def noise(beta: Tensor) -> Tensor:
    r"""Noise after each step, accurate where it is tiny: no difference of near equals is taken.

    .. math:: \bar\beta_t = -\mathrm{expm1} \sum_{s \le t} \log(1 - \beta_s), \qquad
       \bar\beta_0 = 0

    Args:
        beta: rates, ``(T,)``.

    Returns:
        ``(T + 1,)`` in beta's dtype; exactly 1 from the first rate of 1 on.

    Raises:
        ValueError: beta is not a vector of rates in (0, 1].

    Source: :eq:`forward-marginal`.

    >>> noise(torch.full((3,), 1e-20, dtype=torch.float64))[1:]
    tensor([1.0000e-20, 2.0000e-20, 3.0000e-20], dtype=torch.float64)
    """
    logarithm, product, erased = _cumulate(beta)
    lost = torch.where(erased, 1 - product, -torch.expm1(logarithm))
    return torch.cat([lost.new_zeros(1), lost]).to(beta.dtype)


def check_rates(beta: Tensor) -> Tensor:
    """Return beta if it is a vector ``(T,)`` of rates in (0, 1].

    Raises:
        TypeError: it is no tensor.
        ValueError: wrong shape or dtype, or a rate that is not in (0, 1] (NaN included).
    """
    doors.tensor("beta", beta, "(T,) with T >= 1", ndim=1)
    wrong = ~((beta > 0) & (beta <= 1))
    if wrong.any():
        t = int(wrong.int().argmax()) + 1
        raise ValueError(f"beta must lie in (0, 1], got beta_{t} = {beta[t - 1].item()}")
    return beta


def _cumulate(beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log of the signal without the rates of 1, the plain product, and where it has met one."""
    rate = check_rates(beta).double()
    one = rate == 1
    logarithm = torch.log1p(-torch.where(one, 0.0, rate)).cumsum(0)
    return logarithm, (1 - rate).cumprod(0), one.cumsum(0) > 0


def _rates(beta: Tensor, dtype: torch.dtype, device: torch.device | str | None) -> Tensor:
    """Rates computed in float64 on the CPU, in the dtype and on the device that were asked for."""
    return check_rates(beta.to(doors.device_like(device), doors.state_dtype(dtype)))
