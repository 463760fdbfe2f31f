r"""Diffusion probabilistic models, derived and verified."""

from dpm_lib import data, exact, forward, ledger, networks, schedules
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
from dpm_lib.data import digits, swiss_roll
from dpm_lib.evaluation import evaluate
from dpm_lib.evidence import check, prove, rounding
from dpm_lib.exact import GaussianLaw, MixtureLaw, PatternLaw
from dpm_lib.kernels import BinomialKernel, GaussianKernel, Kernel, draw
from dpm_lib.ledger import library_version
from dpm_lib.likelihood import (
    LogLikelihood,
    bits,
    draw_log_weights,
    log_likelihood,
    log_weight_terms,
    log_weights,
    null_log_likelihood,
)
from dpm_lib.networks import MLPNetwork, RBFNetwork, binomial_head, gaussian_head
from dpm_lib.reverse import ClosedForm, ReverseProcess, identity_network
from dpm_lib.training import fit

__all__ = [
    "BinomialKernel", "Bound", "ClosedForm", "Estimate", "GaussianKernel", "GaussianLaw",
    "Kernel", "LogLikelihood", "MLPNetwork", "MixtureLaw", "PatternLaw", "RBFNetwork",
    "ReverseProcess", "binomial_head", "bits", "bound", "check", "correction", "data", "digits",
    "divergence", "draw", "draw_log_weights", "edge_term", "evaluate", "exact", "fit", "forward",
    "gaussian_head", "identity_network", "ledger", "library_version", "log_likelihood",
    "log_weight_terms", "log_weights", "networks", "null_log_likelihood", "prior_term", "prove",
    "rounding", "sampled_bound", "schedules", "second_moment", "swiss_roll", "trajectory_bound",
]  # fmt: skip
