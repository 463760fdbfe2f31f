"""The values that a world computes with: scalars, polynomials in states, Gaussians."""

from dpm_lib.symbolic.algebra.gaussians import Gaussian, Polynomial
from dpm_lib.symbolic.algebra.scalars import AtPoint, Domain, Exact, LogSum, Number, Outside, Scalar

__all__ = [
    "AtPoint", "Domain", "Exact", "Gaussian", "LogSum", "Number", "Outside", "Polynomial", "Scalar",
]  # fmt: skip
