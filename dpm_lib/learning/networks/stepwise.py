r""":math:`z = W_t\, \sigma(A_3\, \sigma(A_2\, \sigma(A_1 x^{(t)})))`: the network of the heartbeat.

Hidden layers that all steps share, and a readout for each step, near that of the steps beside it.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from dpm_lib.kernels import BinomialKernel, Kernel
from dpm_lib.learning.networks.base import BUMPS, ReverseNetwork, initial, temporal_bumps
from dpm_lib.learning.networks.readout import grouped, of_data, read_out

__all__ = ["StepwiseNetwork"]

GAIN = 8.0
"""How much faster the readouts learn what they share than the layers below them learn."""


class StepwiseNetwork(ReverseNetwork):
    r"""A multilayer perceptron of sigmoid units with a readout for each step, for any kernel.

    .. math::

       h_0 = x^{(t)}, \qquad h_l = \sigma(A_l h_{l-1} + a_l)

       z = W_t (h_L - \tfrac12) + b_t

       (W_t, b_t) = 8 \sum_j g_j(t)\, C_j + \tfrac18 R_t

    Readouts start at 0, so that the untrained network is the identity model.  A sigmoid has slope
    1/4 at most: weights start with four times the usual width, and biases so that units are in the
    middle of their range on average.

    The :math:`R_t` alone could be any readout of any step.  The part :math:`C_j` that steps share,
    by bumps :math:`g_j` that are smooth over time, adds no function; it changes how one is learned.
    Steps that are near need nearly the same readout, and find it together.  Under one learning rate
    the 8 makes what they share learn faster than the layers below; the 1/8 makes what is a step's
    own learn slowly, since only the rows of that step teach it.

    Under a binomial kernel the output is read as what the other bits say of each bit of the data
    (:func:`dpm_lib.learning.networks.readout.of_data`), which loses nothing.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs z.
        event_shape: shape of one state; it is flattened.
        hidden: units in each layer.
        layers: number of hidden layers.
        generator: source of the initial weights, on the kernel's device.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive, or the generator is on another device.

    Source: paper section 3.1.2 and appendix D.1.2 (there of 20-50-50-50 units, and with
    :math:`R_t` alone); :eq:`temporal-bumps`, paper eq. 63.
    """

    bumps: Tensor

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...],
        hidden: int = 50,
        layers: int = 3,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(kernel, event_shape, generator, hidden=hidden, layers=layers)
        d, like = self.event_shape.numel(), self.empty()
        sizes = [d, *[hidden] * layers]
        self.weights = nn.ParameterList(
            4 * initial(a, b, like, generator).detach() for a, b in pairwise(sizes)
        )
        mean = kernel.prior((1, *self.event_shape)).mean.flatten()
        means = [mean, *(like.new_full((hidden,), 0.5) for _ in sizes[2:])]
        self.biases = nn.ParameterList(
            -m @ weight.detach() for m, weight in zip(means, self.weights, strict=True)
        )
        steps = torch.arange(kernel.T + 1, dtype=like.dtype, device=like.device)
        self.register_buffer("bumps", temporal_bumps(steps, kernel.T, BUMPS), persistent=False)
        numbers = (hidden + 1) * kernel.outputs * d
        self.shared = nn.Parameter(like.new_zeros(BUMPS, numbers))
        self.own = nn.Parameter(like.new_zeros(kernel.T + 1, numbers))

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """Outputs z for the kernel's head, ``(B, k * d)``; t = 2 … T, ``(B,)``."""
        h = xt[..., None].flatten(1).to(self.own.dtype)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            h = torch.addmm(bias, h, weight).sigmoid_()
        step = grouped(t)
        readout = torch.addmm(
            self.own[step], self.bumps[step], self.shared, beta=1 / GAIN, alpha=GAIN
        ).view(len(step), h.shape[1] + 1, -1)
        z = read_out(h - 0.5, readout[:, :-1], readout[:, -1])
        return of_data(self.kernel, z, t) if isinstance(self.kernel, BinomialKernel) else z
