r""":math:`T_\pi(y \mid y'; \beta)`, the diffusion kernels, with the same methods."""

from dpm_lib.kernels.base import Kernel, Steps
from dpm_lib.kernels.binomial import BinomialKernel
from dpm_lib.kernels.draws import draw
from dpm_lib.kernels.gaussian import GaussianKernel
from dpm_lib.kernels.laws import independent

__all__ = [
    "BinomialKernel", "GaussianKernel", "Kernel", "Steps", "draw", "independent",
]  # fmt: skip
