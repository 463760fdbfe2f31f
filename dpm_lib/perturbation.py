r""":math:`\tilde p(y) \propto p(y)\, r(y)`: a step of the model, multiplied by a function r."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent, Normal

from dpm_lib import doors
from dpm_lib.kernels.laws import independent

__all__ = ["perturbed"]


def perturbed(law: Independent, log_r: Callable[[Tensor], Tensor]) -> Independent:
    r"""Law of a step multiplied by r and normalised, of the same family.

    .. math:: \mathcal N(f_\mu, f_\Sigma) &\to
       \mathcal N\big(f_\mu + f_\Sigma\, \nabla \log r(f_\mu),\, f_\Sigma\big) \\
       \sigma^{-1}(f_{b,i}) &\to \sigma^{-1}(f_{b,i}) + \log \frac{r(y_i = 1)}{r(y_i = 0)}

    For Gaussians this is exact where :math:`\log r` is linear, and right to first order in
    :math:`f_\Sigma` where it is smooth.  For bits it is exact where r is a product over bits;
    otherwise all bits but the i-th stand at their likelier value when :math:`r(y_i)` is taken.
    A constant factor of r changes nothing.

    Args:
        law: independent normals, or Bernoullis of rates strictly between 0 and 1, a step of the
            model, ``(B, *event)``.
        log_r: gives the logarithm of r, ``(B,)`` in nats, at states ``(B, *event)``.  For Gaussians
            it is differentiated; for bits it is called for each of them.

    Returns:
        The law, with the same batch and event.

    Raises:
        TypeError: the law is none of these, or log_r cannot be called.
        ValueError: the law has no batch; log_r gives another shape or a value that is not finite,
            or cannot be differentiated.

    Source: :eq:`perturbed-step`, :eq:`perturbed-energy`, :eq:`perturbed-linear`,
    :eq:`perturbed-square`, :eq:`perturbed-gaussian`, :eq:`perturbed-binomial`, paper eqs. 52 to 61
    and Table App.1.

    >>> step = independent(Normal, 1, loc=torch.zeros(1, 2), scale=torch.tensor(0.5))
    >>> perturbed(step, lambda y: 4 * y[:, 0]).mean
    tensor([[1., 0.]])
    """
    base = law.base_dist if isinstance(law, Independent) else None
    if not isinstance(base, Normal | Bernoulli):
        raise TypeError(
            "law must be independent normals or Bernoullis, as a step of a model is, "
            f"got {doors.name_of(law)}"
        )
    if not callable(log_r):
        raise TypeError(f"log_r must be a function of states, got {doors.name_of(log_r)}")
    if len(law.batch_shape) != 1:
        raise ValueError(f"law must have a batch (B,), got {tuple(law.batch_shape)}")
    events = len(law.event_shape)
    if isinstance(base, Normal):
        mean = base.loc + base.scale.square() * _slope(log_r, base.loc)
        return independent(Normal, events, loc=mean, scale=base.scale)
    return independent(Bernoulli, events, logits=base.logits + _ratios(log_r, base.probs, events))


def _slope(log_r: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of log r at states."""
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        value = _checked(log_r(at), at)
        if not value.requires_grad:
            raise ValueError("log_r must be differentiable in the states, got one that is not")
        (slope,) = torch.autograd.grad(value.sum(), at)
    return doors.all_finite("the gradient of log_r", slope)


def _ratios(log_r: Callable[[Tensor], Tensor], rate: Tensor, events: int) -> Tensor:
    """log r with each bit 1, minus that with it 0, the others at their likelier value."""
    likely = (rate > 0.5).to(rate.dtype)
    flat = likely.flatten(-events) if events else likely[:, None]
    ratios = []
    for i in range(flat.shape[1]):
        one, zero = flat.clone(), flat.clone()
        one[:, i], zero[:, i] = 1, 0
        above, below = (_checked(log_r(y.view_as(likely)), likely) for y in (one, zero))
        ratios.append(above - below)
    return torch.stack(ratios, 1).view_as(rate)


def _checked(value: Tensor, states: Tensor) -> Tensor:
    if not isinstance(value, Tensor) or value.shape != states.shape[:1]:
        raise ValueError(
            f"log_r must give a tensor of shape {tuple(states.shape[:1])}, one number for each "
            f"state, got {doors.name_of(value)}"
        )
    return doors.all_finite("log_r", value)
