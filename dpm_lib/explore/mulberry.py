"""Random numbers that a page draws as the library does, so that it need not hold them."""

import math

import torch
from torch import Tensor

__all__ = ["normals", "uniforms"]


def uniforms(seed: int, count: int) -> Tensor:
    """Numbers of the generator mulberry32 (T. Ettinger), in [0, 1), ``(count,)``, float64."""
    drawn = []
    for n in range(1, count + 1):
        a = (seed + n * 0x6D2B79F5) % 2**32
        u = (a ^ a >> 15) * (1 | a) % 2**32
        u = (u + (u ^ u >> 7) * (61 | u)) % 2**32 ^ u
        drawn.append((u ^ u >> 14) / 2**32)
    return torch.tensor(drawn, dtype=torch.float64)


def normals(seed: int, count: int) -> Tensor:
    """Standard normal numbers, each of two uniform ones (Box and Muller), ``(count,)``."""
    first, second = uniforms(seed, 2 * count).view(count, 2).T
    return (-2 * (1 - first).log()).sqrt() * (2 * math.pi * second).cos()
