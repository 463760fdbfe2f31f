r""":math:`\beta_1 \dots \beta_T` of recipes: kernels by the name of their schedule."""

import torch

from dpm_lib import schedules
from dpm_lib.kernels import BinomialKernel, GaussianKernel, Kernel

__all__ = [
    "FIXED", "begun_binomial", "begun_gaussian", "cosine_binomial", "cosine_gaussian",
    "even_binomial", "geometric_gaussian", "log_linear_gaussian",
]  # fmt: skip


def geometric_gaussian(
    device: torch.device, dtype: torch.dtype, *, T: int, first: float, last: float
) -> Kernel:
    """Gaussian kernel with rates that grow from the first to the last by one factor."""
    return GaussianKernel(schedules.geometric(T, first, last, dtype=dtype, device=device))


def log_linear_gaussian(
    device: torch.device, dtype: torch.dtype, *, T: int, first: float, last: float
) -> Kernel:
    """Gaussian kernel whose log of signal over noise falls in a straight line."""
    return GaussianKernel(schedules.log_linear(T, first, last, dtype=dtype, device=device))


def cosine_gaussian(device: torch.device, dtype: torch.dtype, *, T: int) -> Kernel:
    """Gaussian kernel whose signal falls as a squared cosine: slow first and last."""
    return GaussianKernel(schedules.cosine(T, dtype=dtype, device=device))


def even_binomial(device: torch.device, dtype: torch.dtype, *, T: int, rate: float) -> Kernel:
    """Binomial kernel that erases the same part of the signal at every step."""
    return BinomialKernel(schedules.erase_evenly(T, dtype=dtype, device=device), rate)


def cosine_binomial(device: torch.device, dtype: torch.dtype, *, T: int, rate: float) -> Kernel:
    """Binomial kernel whose signal falls as a squared cosine: slow first and last."""
    return BinomialKernel(schedules.cosine(T, dtype=dtype, device=device), rate)


FIXED = {
    "erase_evenly": lambda T, first: schedules.begun(first, schedules.erase_evenly(T - 1)),
    "inverse": lambda T, first: schedules.begun(first, schedules.inverse(T - 1)),
    "cosine": lambda T, first: schedules.begun(first, schedules.cosine(T - 1)),
    "linear": lambda T, first: schedules.linear(T, first, 0.3),
    "geometric": lambda T, first: schedules.geometric(T, first, 0.5),
    "log_linear": lambda T, first: schedules.log_linear(T, first, 0.99),
}
"""Name to the rates of a fixed schedule of T steps with this first rate."""


def begun_gaussian(
    device: torch.device, dtype: torch.dtype, *, schedule: str, T: int, first: float
) -> Kernel:
    """Gaussian kernel with the rates of a fixed schedule after this first rate."""
    return GaussianKernel(FIXED[schedule](T, first).to(device, dtype))


def begun_binomial(
    device: torch.device, dtype: torch.dtype, *, schedule: str, T: int, first: float, rate: float
) -> Kernel:
    """Binomial kernel with the rates of a fixed schedule after this first rate."""
    return BinomialKernel(FIXED[schedule](T, first).to(device, dtype), rate)
