r"""Diffusion probabilistic models, derived and verified."""

from dpm_lib import forward, schedules
from dpm_lib.bound import (
    Bound,
    Estimate,
    bound,
    correction,
    divergence,
    edge_term,
    prior_term,
    sampled_bound,
    second_moment,
    trajectory_bound,
)
from dpm_lib.evidence import check, ledger, library_version, prove, rounding
from dpm_lib.kernels import BinomialKernel, GaussianKernel, Kernel, draw
from dpm_lib.likelihood import (
    LogLikelihood,
    bits,
    draw_log_weights,
    log_likelihood,
    log_weight_terms,
    log_weights,
    null_log_likelihood,
)
from dpm_lib.reverse import ClosedForm, ReverseProcess, identity_network

__all__ = [
    "BinomialKernel", "Bound", "ClosedForm", "Estimate", "GaussianKernel", "Kernel",
    "LogLikelihood", "ReverseProcess", "bits", "bound", "check", "correction", "divergence",
    "draw", "draw_log_weights", "edge_term", "forward", "identity_network", "ledger",
    "library_version", "log_likelihood", "log_weight_terms", "log_weights", "null_log_likelihood",
    "prior_term", "prove", "rounding", "sampled_bound", "schedules", "second_moment",
    "trajectory_bound",
]  # fmt: skip
