r""":math:`p(x^{(0)}) = E_q\big[\, p(x^{(0 \dots T)}) / q(x^{(1 \dots T)} \mid x^{(0)}) \,\big]`.

The probability that the model gives to data, as an average of weights over forward trajectories.
"""

import math
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dpm_lib import doors, forward
from dpm_lib.kernels import Kernel
from dpm_lib.protocol import check_result, measuring
from dpm_lib.reverse import ReverseProcess

__all__ = [
    "Estimate", "LogLikelihood", "bits", "draw_log_weights", "log_likelihood",
    "log_weight_terms", "log_weights", "mean_and_error", "null_log_likelihood",
]  # fmt: skip

TRAJECTORY_NUMBERS = 2**21
"""How many numbers the trajectories of one chunk may hold."""


class Estimate(NamedTuple):
    """A mean of draws with its standard error, of one shape."""

    estimate: Tensor
    standard_error: Tensor


@dataclass(frozen=True)
class LogLikelihood:
    """Log likelihood of each example by importance sampling.

    Attributes:
        estimate: log of the mean weight, ``(B,)``, nats.
        standard_error: of the estimate, by the delta method, ``(B,)``, nats; infinite where too few
            trajectories carry the weight to know it.
        effective_sample_size: trajectories' worth of equal weights, 1 … n, ``(B,)``.
        reliable: whether these are enough for the error to mean something, ``(B,)``, bool.
    """

    estimate: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor
    reliable: Tensor


def bits(nats: Tensor) -> Tensor:
    """Nats in bits, :math:`x / \\log 2`.

    Raises:
        TypeError: no tensor.

    >>> bits(torch.tensor(2.0).log()).item()
    1.0
    """
    if not isinstance(nats, Tensor):
        raise TypeError(f"nats must be a tensor, got {doors.name_of(nats)}")
    return nats / math.log(2)


def mean_and_error(values: Tensor) -> Estimate:
    r"""Mean over the last axis, and its standard error.

    .. math:: \bar v = \frac1n \sum_i v_i, \qquad
       \sqrt{\frac{1}{n (n - 1)} \sum_i (v_i - \bar v)^2}

    Args:
        values: independent, such as those of n examples, ``(..., n)`` with n at least 2.

    Returns:
        Both ``(...)``, in the unit of the values.

    Raises:
        ValueError: there are fewer than 2 values.

    >>> mean_and_error(torch.tensor([1.0, 3.0]))
    Estimate(estimate=tensor(2.), standard_error=tensor(1.))
    """
    doors.tensor("values", values, "(..., n) with n >= 2")
    n = values.shape[-1] if values.ndim else 0
    if n < 2:
        raise ValueError(f"values must be at least 2 for an error, got {tuple(values.shape)}")
    return Estimate(values.mean(-1), values.std(-1) / math.sqrt(n))


def null_log_likelihood(kernel: Kernel, x0: Tensor) -> Tensor:
    r"""Score of knowing nothing: log probability of each example under the prior, ``(B,)``, nats.

    .. math:: L_{null} = \log \pi(x^{(0)})

    Raises:
        ValueError: x0 is not data for the kernel.

    Source: :eq:`null-log-likelihood`, paper Table 1.
    """
    doors.instance("kernel", kernel, Kernel).check_data(x0)
    return kernel.prior(x0.shape, x0.dtype).log_prob(x0)


def log_weight_terms(model: ReverseProcess, trajectory: Tensor) -> tuple[Tensor, Tensor]:
    r"""Log weight of each trajectory, in two parts: the steps, and the end of the chain.

    .. math:: \Big( \log \frac{p(x^{(t-1)} \mid x^{(t)})}{q(x^{(t)} \mid x^{(t-1)})}
       \Big)_{t = 1 \dots T} \qquad\text{and}\qquad \log \pi(x^{(T)})

    Their expectations under q are :math:`K_1` (summed over t) and :math:`K_2`.

    Args:
        model: the reverse process.
        trajectory: states, ``(T + 1, B, *event)``.

    Returns:
        ``(T, B)`` and ``(B,)``, nats.

    Raises:
        ValueError: the trajectory does not fit the model.

    Source: :eq:`bound-split`, :eq:`importance-insertion`, paper eqs. 8 and 40.
    """
    doors.instance("model", model, ReverseProcess).check_trajectory(trajectory)
    return _terms(model, trajectory)


def _terms(model: ReverseProcess, trajectory: Tensor) -> tuple[Tensor, Tensor]:
    q = forward.log_prob_of_steps(model.kernel, trajectory)
    prior = model.kernel.prior(trajectory.shape[1:], trajectory.dtype)
    return model.log_prob_of_steps(trajectory) - q, prior.log_prob(trajectory[-1])


def log_weights(model: ReverseProcess, trajectory: Tensor) -> Tensor:
    r"""Log weight of each trajectory, ``(B,)``, nats.

    .. math:: \log w = \log \pi(x^{(T)})
       + \sum_{t=1}^{T} \log \frac{p(x^{(t-1)} \mid x^{(t)})}{q(x^{(t)} \mid x^{(t-1)})}

    Args:
        model: the reverse process.
        trajectory: states, ``(T + 1, B, *event)``.

    Raises:
        ValueError: the trajectory does not fit the model.

    Source: :eq:`importance-insertion`, :eq:`importance-weights`, paper eqs. 7 to 9.
    """
    steps, end = log_weight_terms(model, trajectory)
    return steps.sum(0) + end


@torch.no_grad()
def draw_log_weights(
    model: ReverseProcess, x0: Tensor, *, trajectories: int, generator: torch.Generator
) -> Tensor:
    """Log weights of fresh forward trajectories from each example, ``(B, trajectories)``, nats.

    Works in chunks, so memory does not grow with the number of trajectories times T.

    Raises:
        ValueError: x0 is not data for the kernel, or trajectories is not a positive integer.

    Source: :eq:`importance-weights`, paper eq. 9.
    """
    doors.instance("model", model, ReverseProcess).check_data(x0)
    doors.integer("trajectories", trajectories)
    doors.generator_on(x0.device, generator)
    one = x0[0].numel() * (model.kernel.T + 1)
    rows = torch.arange(len(x0) * trajectories, device=x0.device) // trajectories
    log_w = []
    with measuring(model):
        for chunk in rows.split(max(1, TRAJECTORY_NUMBERS // one)):
            steps, end = _terms(model, forward.walk(model.kernel, x0[chunk], generator))
            log_w.append(steps.sum(0) + end)
    return check_result("log weights", torch.cat(log_w).view(len(x0), trajectories))


def log_likelihood(
    model: ReverseProcess, x0: Tensor, *, trajectories: int, generator: torch.Generator
) -> LogLikelihood:
    r"""Log probability of each example under the model, from n forward trajectories.

    .. math:: \log p(x^{(0)}) \approx \log \frac1n \sum_{i=1}^{n} w_i, \qquad
       \text{standard error} = \frac{\mathrm{std}(w)}{\sqrt n\, \mathrm{mean}(w)}

    The mean of the weights is unbiased; its log is biased downwards, by about half the square of
    the standard error.  The mean over examples estimates L.

    Where fewer than :math:`2 n^{2/3}` trajectories' worth carry the weight, the error by this
    formula is too small, without limit: there the estimate is a low one, no error is given
    (infinite), and a warning says so.  (With weights of log-normal tails at least 95 of 100 errors
    that are given hold the truth within 3.)

    Args:
        model: the reverse process.
        x0: data, ``(B, *event)``.
        trajectories: n, at least 2.
        generator: source of all noise.

    Raises:
        ValueError: x0 is not data for the kernel, or there are fewer than 2 trajectories.

    Source: :eq:`model-marginal`, :eq:`importance-weights`, :eq:`log-likelihood`,
    :eq:`log-likelihood-trajectories`, paper eqs. 6, 9, 10 and 11.
    """
    doors.integer("trajectories", trajectories, 2)
    log_w = draw_log_weights(model, x0, trajectories=trajectories, generator=generator)
    estimate = log_w.logsumexp(1) - math.log(trajectories)
    relative = (log_w - estimate[:, None]).exp()  # weights over their mean
    size = trajectories**2 / relative.square().sum(1)
    reliable = size >= min(2 * trajectories ** (2 / 3), 0.9 * trajectories)
    if not reliable.all():
        warnings.warn(
            f"{int((~reliable).sum())} of {len(x0)} log likelihoods rest on too few trajectories "
            f"(effective sample size down to {size.min().item():.1f} of {trajectories}): they are "
            "too low, by an error that is not known; draw more trajectories, or use dpm.bound",
            stacklevel=2,
        )
    error = mean_and_error(relative).standard_error.where(reliable, math.inf)
    return LogLikelihood(estimate, error, size, reliable)
