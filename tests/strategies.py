"""Random kernels, data and steps for property tests."""

import torch
from hypothesis import strategies as st

from dpm_lib import BinomialKernel, GaussianKernel

rates = st.lists(st.floats(1e-4, 1.0), min_size=2, max_size=8).map(
    lambda b: torch.tensor(b, dtype=torch.float64)
)
inner_rates = st.lists(st.floats(1e-3, 0.99), min_size=2, max_size=6).map(
    lambda b: torch.tensor(b, dtype=torch.float64)
)
base_rates = st.floats(0.05, 0.95)
seeds = st.integers(0, 2**31)
kernels = st.one_of(
    st.builds(GaussianKernel, inner_rates), st.builds(BinomialKernel, inner_rates, base_rates)
)


def states(kernel, n, d, seed):
    """States for a kernel, ``(n, d)``: normal numbers, or fair bits."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=kernel.dtype)
    return (x > 0).to(x.dtype) if isinstance(kernel, BinomialKernel) else x
