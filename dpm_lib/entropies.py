r""":math:`H_q(X^{(t-1)} \mid X^{(t)})`, how uncertain a reverse step is, and its two bounds.

.. math:: H_q(X^{(t)} \mid X^{(t-1)}) + H_q(X^{(t-1)} \mid X^{(0)}) - H_q(X^{(t)} \mid X^{(0)})
   \le H_q(X^{(t-1)} \mid X^{(t)}) \le H_q(X^{(t)} \mid X^{(t-1)})

The bounds need no more than the kernel and the data.  All in nats per example, so an average over
data is an average over the batch; steps are t = 2 … T, since at t = 1 the state before is the data
point itself.
"""

from dataclasses import dataclass

from torch import Tensor

from dpm_lib import doors
from dpm_lib.kernels import GaussianKernel, Kernel, Steps

__all__ = ["EntropyBounds", "posterior_entropy", "reverse_entropy_bounds", "step_entropy"]


@dataclass(frozen=True)
class EntropyBounds:
    r"""What lies below and above the entropy of a reverse step, for each example, nats.

    Attributes:
        lower: entropy of the step back for somebody who knows the data point, ``(B,)``.
        upper: entropy of the step there, ``(B,)``; a bound for data of second moment 1 or less
            (bits: whose mean activity is the base rate).
        correction: how much lower the upper bound may be put, ``(B,)``, on average over any data;
            negative where it must be raised.
    """

    lower: Tensor
    upper: Tensor
    correction: Tensor

    @property
    def upper_corrected(self) -> Tensor:
        r"""An upper bound whatever the second moment of the data, ``(B,)``, nats.

        .. math:: H_q(X^{(t)} \mid X^{(t-1)})
           - \beta_t \bar\alpha_{t-1} \big(\log\pi(x^{(0)}) + H_p\big)

        On average over data it exceeds the entropy of the reverse step by the divergence of the
        exact reversal from the kernel run backwards, and by nothing else.

        Source: :eq:`reverse-entropy-corrected`, :eq:`entropy-growth`, :eq:`data-processing`,
        :eq:`entropy-never-falls`, paper eqs. 28 and 29.
        """
        return self.upper - self.correction


def step_entropy(kernel: Kernel, x0: Tensor, t: Steps) -> Tensor:
    r"""Entropy of a forward step, averaged over where it starts, ``(B,)``, nats; t = 2 … T.

    .. math:: H_q(X^{(t)} \mid X^{(t-1)}, X^{(0)} = x^{(0)}) = \tfrac d2 \log(2\pi e\,\beta_t)
       \quad\text{or}\quad \sum_i a_i\, h\big(1 - \beta_t + \rho\beta_t\big)
       + (1 - a_i)\, h\big(\rho\beta_t\big)

    with the rate :math:`a_i = \bar\alpha_{t-1} x^{(0)}_i + \rho\bar\beta_{t-1}` of a bit before the
    step.

    Raises:
        ValueError: x0 is not data for the kernel, t is not in 2 … T, or the kernel is not Gaussian
            and its states have no finite number of values.

    Source: :eq:`entropy-step`, :eq:`reverse-entropy-upper`, paper eq. 30.
    """
    _check(kernel, x0, t)
    return entropy_of_step(kernel, x0, t)


def posterior_entropy(kernel: Kernel, x0: Tensor, t: Steps) -> Tensor:
    r"""Entropy of the forward posterior, averaged over the later state, ``(B,)``, nats; t = 2 … T.

    .. math:: H_q(X^{(t-1)} \mid X^{(t)}, X^{(0)} = x^{(0)}) = H_q(X^{(t)} \mid X^{(t-1)})
       + H_q(X^{(t-1)} \mid X^{(0)}) - H_q(X^{(t)} \mid X^{(0)})

    For Gaussian noise that is :math:`\tfrac d2 \log(2\pi e\, \beta_t \bar\beta_{t-1} /
    \bar\beta_t)`.

    Raises:
        ValueError: x0 is not data for the kernel, t is not in 2 … T, or the kernel is not Gaussian
            and its states have no finite number of values.

    Source: :eq:`entropy-posterior`, :eq:`entropy-posterior-gaussian`,
    :eq:`reverse-entropy-lower`, :eq:`entropy-of-the-start`, paper eqs. 31 to 35.
    """
    _check(kernel, x0, t)
    given = kernel.marginal_entropy(x0, t - 1) - kernel.marginal_entropy(x0, t)
    return entropy_of_step(kernel, x0, t) + given


def reverse_entropy_bounds(kernel: Kernel, x0: Tensor, t: Steps) -> EntropyBounds:
    r"""Lower and upper bound of the entropy of the exact reversal of step t = 2 … T.

    .. math:: H_q(X^{(t-1)} \mid X^{(t)}, X^{(0)}) \le H_q(X^{(t-1)} \mid X^{(t)})
       \le H_q(X^{(t)} \mid X^{(t-1)})

    Args:
        kernel: the diffusion kernel.
        x0: data, ``(B, *event)``; the bounds hold for averages over the data.
        t: step, 2 … T, an int or ``(B,)``.

    Raises:
        ValueError: x0 is not data for the kernel, t is not in 2 … T, or the kernel is not Gaussian
            and its states have no finite number of values.

    Source: :eq:`reverse-entropy-bounds`, :eq:`entropy-interval`, paper eqs. 24 and 36.

    >>> import torch
    >>> kernel = GaussianKernel(torch.tensor([0.5, 0.5]).double())
    >>> bounds = reverse_entropy_bounds(kernel, torch.ones(1, 1).double(), 2)
    >>> (bounds.upper - bounds.lower).exp()  # the root of 1.5, of the ratio of two variances
    tensor([1.2247], dtype=torch.float64)
    """
    lower = posterior_entropy(kernel, x0, t)
    lost = (kernel.beta[t - 1] * kernel.alpha_bar[t - 1]).to(x0.dtype)
    return EntropyBounds(
        lower=lower,
        upper=entropy_of_step(kernel, x0, t),
        correction=lost * kernel.prior_surplus(x0),
    )


def entropy_of_step(kernel: Kernel, x0: Tensor, t: Steps) -> Tensor:
    """What :func:`step_entropy` gives, behind its door."""
    if isinstance(kernel, GaussianKernel):  # its noise is the same at every state
        return kernel.step(x0, t).entropy()
    before = kernel.marginal(x0, t - 1).base_dist
    if not before.has_enumerate_support:
        raise ValueError(
            "kernel must be Gaussian, or have states of a finite number of values, "
            f"got {type(kernel).__name__} with {kernel.family.__name__}"
        )
    values = before.enumerate_support().to(x0)  # (values, B, *event)
    again = t if isinstance(t, int) else t.repeat(len(values))
    entropy = kernel.step(values.flatten(0, 1), again).base_dist.entropy().view_as(values)
    mean = (before.log_prob(values).exp() * entropy).sum(0)
    return mean[..., None].flatten(1).sum(1)


def _check(kernel: Kernel, x0: Tensor, t: Steps) -> None:
    doors.instance("kernel", kernel, Kernel).check_data(x0)
    kernel.check_steps(t, len(x0), first=2)
