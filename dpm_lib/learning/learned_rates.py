r""":math:`\partial K / \partial \beta_t`: rates that are learned with a model, all but the first.

A kernel is never changed.  The learned rates are sigmoids of numbers that an optimiser moves; each
update makes a kernel whose tables are functions of these numbers, and after it one of the rates as
they have become.  So a trained model has fixed rates, and is saved, loaded and measured as any.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dpm_lib import doors
from dpm_lib.bounds import ceiling, divergences_of, rows_of_steps
from dpm_lib.kernels import Kernel
from dpm_lib.protocol import check_result
from dpm_lib.reverse import ReverseProcess

__all__ = ["LearnedRates", "rate_gradient"]


class LearnedRates:
    r"""The rates of a model as an optimiser sees them.

    .. math:: \beta_1 \text{ fixed}, \qquad \beta_t = \sigma(u_t), \quad t = 2 \dots T

    Args:
        model: whose kernel has the rates to begin with.

    Attributes:
        logits: the numbers u, ``(T - 1,)``, a parameter in float64.

    Raises:
        ValueError: a rate beyond the first is 1, where no small change of u would move it.

    Source: :eq:`rate-gradient`, :eq:`rate-one`, paper section 2.4.1.
    """

    def __init__(self, model: ReverseProcess) -> None:
        beta = model.kernel.beta
        if not (beta[1:] < 1).all():
            t = int((beta[1:] == 1).int().argmax()) + 2
            raise ValueError(
                f"model must begin with rates below 1 for them to be learned, got beta_{t} = 1"
            )
        self.model, self.first = model, beta[:1].clone()
        self.logits = nn.Parameter(beta[1:].logit())

    def follow(self) -> None:
        """Give the model a kernel whose tables are functions of the logits."""
        exchange(self.model, self.model.kernel.with_rates(self._beta()))

    def settle(self) -> None:
        """Give the model a kernel of the rates as they are now."""
        exchange(self.model, self.model.kernel.with_rates(self._beta().detach()))

    def backward(self, x0: Tensor, xt: Tensor, t: Tensor, each: Tensor, scale: float) -> Tensor:
        """Gradients of minus K per dimension, by all parameters; return the ceiling of the batch.

        Args:
            x0, xt: examples and what became of them after t steps.
            t: step of each.
            each: divergence of each.
            scale: what a divergence counts.
        """
        kernel, d = self.model.kernel, x0[0].numel()
        top = ceiling(kernel, x0).mean()
        left = kernel.alpha_bar[-1] * kernel.prior_surplus(x0).mean()
        lost = scale * pathwise(kernel, x0, xt, t, each).sum()
        (lost - (top + left) / d).backward()  # type: ignore[no-untyped-call]
        return top.detach()

    def _beta(self) -> Tensor:
        return torch.cat([self.first, self.logits.sigmoid()])


def rate_gradient(model: ReverseProcess, x0: Tensor, *, generator: torch.Generator) -> Tensor:
    r"""Slope of K in the rates from the second on, with the reverse steps held, ``(T - 1,)``, nats.

    .. math:: \frac{\partial K}{\partial \beta_t}, \qquad t = 2 \dots T

    K is that of eq. 12, of one draw for each example and step, as of :func:`dpm_lib.bound` with
    the same generator.  Under a Gaussian kernel the noise is frozen, so this is the slope of
    that very number.  Bits cannot be moved by little: there it is an estimate without bias, by the
    score function.  The first rate is left out, for on thin data it would go to 0
    (:eq:`rate-one`).

    Args:
        model: the reverse process; what its network returns is held as it is.
        x0: data, ``(B, *event)``.
        generator: source of all noise.

    Raises:
        ValueError: x0 is not data for the kernel, the generator is on another device, or the
            slope is not finite.

    Source: :eq:`rate-gradient`, :eq:`frozen-noise`, paper section 2.4.1.
    """
    doors.instance("model", model, ReverseProcess).check_data(x0)
    doors.generator_on(x0.device, generator)
    fixed = model.kernel
    beta = fixed.beta.clone().requires_grad_()
    with torch.enable_grad(), _under(model, fixed.with_rates(beta)) as kernel:
        ends = ceiling(kernel, x0) + kernel.alpha_bar[-1] * kernel.prior_surplus(x0)
        (slope,) = torch.autograd.grad(ends.mean(), beta, retain_graph=True)
        for rows, t in rows_of_steps(model, x0):
            xt = kernel.noised(rows, t, generator)
            each = divergences_of(model, rows, xt, t, generator)
            lost = pathwise(kernel, rows, xt, t, each).sum() / len(x0)
            slope = slope - torch.autograd.grad(lost, beta, retain_graph=True)[0]
    return check_result("slopes", slope[1:])


def pathwise(kernel: Kernel, x0: Tensor, xt: Tensor, t: Tensor, each: Tensor) -> Tensor:
    r"""Divergences whose mean has the slope, by the rates, of the mean over all draws, ``(B,)``.

    States that are moved by the rates carry it themselves.  Where they cannot be moved, as bits,
    the score of the draw is added, which vanishes in the mean:

    .. math:: \nabla E_q D = E_q \nabla D + E_q (D - b)\, \nabla \log q(x^{(t)} \mid x^{(0)})

    with the mean b of the other rows of the same step, of this process.
    """
    if kernel.family.has_rsample:
        return each
    score = kernel.marginal(x0, t).log_prob(xt)
    D = each.detach()
    count, total = (D.new_zeros(kernel.T + 1).index_add(0, t, w) for w in (torch.ones_like(D), D))
    others = (total[t] - D) / (count[t] - 1).clamp(min=1)
    return each + (D - others) * (score - score.detach())


def exchange(model: ReverseProcess, kernel: Kernel) -> None:
    """Give a model, and the network that knows what it was made for, a kernel of other rates."""
    old = model.kernel
    for part in list(model.modules()):
        for name, child in part._modules.items():
            if child is old:
                part._modules[name] = kernel


@contextmanager
def _under(model: ReverseProcess, kernel: Kernel) -> Iterator[Kernel]:
    """The model with this kernel, for as long as it is looked at."""
    before = model.kernel
    exchange(model, kernel)
    try:
        yield kernel
    finally:
        exchange(model, before)
