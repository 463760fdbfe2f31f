r""":math:`q(x^{(0 \dots T)}) = q(x^{(0)}) \prod_t q(x^{(t)} \mid x^{(t-1)})`, the forward chain.

A trajectory is ``(T + 1, B, *event)`` with index t, so that index 0 is the data.
"""

import torch
from torch import Tensor

from dpm_lib import doors
from dpm_lib.kernels import Kernel, draw

__all__ = ["check_trajectory", "log_prob", "log_prob_backwards", "trajectory"]


def trajectory(kernel: Kernel, x0: Tensor, generator: torch.Generator) -> Tensor:
    r"""Draw a forward trajectory from each example, ``(T + 1, B, *event)``, index 0 the data.

    .. math:: x^{(t)} \sim q(x^{(t)} \mid x^{(t-1)}), \qquad t = 1 \dots T

    Raises:
        ValueError: x0 is not data for the kernel, or the generator is on another device.

    Source: :eq:`forward-trajectory`, :eq:`diffusion-kernel`, paper eqs. 2 and 3.
    """
    doors.instance("kernel", kernel, Kernel).check_data(x0)
    doors.generator_on(x0.device, generator)
    return walk(kernel, x0, generator)


def walk(kernel: Kernel, x0: Tensor, generator: torch.Generator) -> Tensor:
    """What :func:`trajectory` draws, behind its door."""
    states = [x0]
    for t in range(1, kernel.T + 1):
        states.append(draw(kernel.step(states[-1], t), generator))
    return torch.stack(states)


def log_prob(kernel: Kernel, trajectory: Tensor) -> Tensor:
    r"""Log probability of each forward step, ``(T, B)``, nats, row ``t - 1`` for step t.

    .. math:: \log q(x^{(t)} \mid x^{(t-1)}), \qquad t = 1 \dots T

    The sum over t is :math:`\log q(x^{(1 \dots T)} \mid x^{(0)})`.

    Args:
        kernel: the diffusion kernel.
        trajectory: states, ``(T + 1, B, *event)``.

    Raises:
        ValueError: the trajectory does not have T + 1 states.

    Source: :eq:`forward-trajectory`, :eq:`forward-steps`, :eq:`markov-step`, paper eqs. 3 and 47.
    """
    check_trajectory(kernel, trajectory)
    return log_prob_of_steps(kernel, trajectory)


def log_prob_of_steps(kernel: Kernel, trajectory: Tensor) -> Tensor:
    """What :func:`log_prob` gives, behind its door."""
    before, after, t = _pairs(kernel, trajectory)
    flat = kernel.step(before.flatten(0, 1), t).log_prob(after.flatten(0, 1))
    return flat.view(before.shape[:2])


def log_prob_backwards(kernel: Kernel, trajectory: Tensor) -> Tensor:
    r"""Log probability of the same trajectory, read from its end, ``(T, B)``, nats.

    .. math:: q(x^{(1 \dots T)} \mid x^{(0)})
       = q(x^{(T)} \mid x^{(0)}) \prod_{t=2}^{T} q(x^{(t-1)} \mid x^{(t)}, x^{(0)})

    Row 0 holds :math:`\log q(x^{(T)} \mid x^{(0)})` and row ``t - 1`` the posterior of step t.
    The sum over rows equals that of :func:`log_prob`: Bayes' rule in each step, and a product of
    marginals that telescopes.

    Args:
        kernel: the diffusion kernel.
        trajectory: states, ``(T + 1, B, *event)``.

    Raises:
        ValueError: the trajectory does not have T + 1 states.

    Source: :eq:`bayes-step`, :eq:`telescoping`, paper eqs. 48 and 49.
    """
    check_trajectory(kernel, trajectory)
    before, after, t = _pairs(kernel, trajectory)
    x0, B = before[0], before.shape[1]
    end = kernel.marginal(x0, kernel.T).log_prob(after[-1])[None]
    if kernel.T == 1:
        return end
    start = x0.expand_as(before[1:]).flatten(0, 1)
    posterior = kernel.posterior(start, after[1:].flatten(0, 1), t[B:])
    return torch.cat([end, posterior.log_prob(before[1:].flatten(0, 1)).view(-1, B)])


def check_trajectory(kernel: Kernel, trajectory: Tensor) -> Tensor:
    """Return the trajectory if it has T + 1 states of the kernel, ``(T + 1, B, *event)``.

    Raises:
        TypeError: it is no tensor, or the kernel is none.
        ValueError: it has not, or a state is none that data could have (NaN, not 0/1).
    """
    doors.instance("kernel", kernel, Kernel)
    if not isinstance(trajectory, Tensor):
        raise TypeError(
            f"trajectory must be a tensor (T + 1, B, *event), got {doors.name_of(trajectory)}"
        )
    if trajectory.ndim < 2 or len(trajectory) != kernel.T + 1:
        raise ValueError(
            f"trajectory must have shape (T + 1, B, *event) with T = {kernel.T}, "
            f"got {tuple(trajectory.shape)}"
        )
    kernel.check_data(trajectory.flatten(0, 1), "trajectory")
    return trajectory


def _pairs(kernel: Kernel, trajectory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States before and after each step, ``(T, B, *event)``, and the steps, ``(T * B,)``."""
    t = torch.arange(1, kernel.T + 1, device=trajectory.device)
    t = t.repeat_interleave(trajectory.shape[1])
    return trajectory[:-1], trajectory[1:], t
