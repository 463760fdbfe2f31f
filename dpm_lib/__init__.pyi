from . import evidence, exact, forward, kernels, learning, plots, schedules, symbolic
from .bounds import (
    Bound,
    bound,
    correction,
    divergence,
    edge_term,
    prior_term,
    sampled_bound,
    second_moment,
    trajectory_bound,
)
from .evidence.checks import check, prove, rounding
from .evidence.provenance import library_version
from .exact import GaussianLaw, MixtureLaw, PatternLaw
from .kernels import BinomialKernel, GaussianKernel, Kernel, draw
from .learning.checkpoints import load, save
from .learning.data import Scaler, cifar10, digits, heartbeat, mnist, swiss_roll
from .learning.evaluation import evaluate, recorded
from .learning.learned_rates import rate_gradient
from .learning.networks import (
    MLPNetwork,
    MultiScaleNetwork,
    RBFNetwork,
    StepwiseNetwork,
    UNetNetwork,
)
from .learning.training import Settings, Trainer, fit, updates
from .likelihood import (
    Estimate,
    LogLikelihood,
    bits,
    draw_log_weights,
    log_likelihood,
    log_weight_terms,
    log_weights,
    mean_and_error,
    null_log_likelihood,
)
from .protocol import ClosedForm, identity_network, once
from .reverse import ReverseProcess

__all__ = [
    "BinomialKernel", "Bound", "ClosedForm", "Estimate", "GaussianKernel", "GaussianLaw", "Kernel",
    "LogLikelihood", "MLPNetwork", "MixtureLaw", "MultiScaleNetwork", "PatternLaw", "RBFNetwork",
    "ReverseProcess", "Scaler", "Settings", "StepwiseNetwork", "Trainer", "UNetNetwork", "bits",
    "bound", "check", "cifar10", "correction", "digits", "divergence", "draw", "draw_log_weights",
    "edge_term", "evaluate", "evidence", "exact", "fit", "forward", "heartbeat", "identity_network",
    "kernels", "learning", "library_version", "load", "log_likelihood", "log_weight_terms",
    "log_weights", "mean_and_error", "mnist", "null_log_likelihood", "once", "plots", "prior_term",
    "prove", "rate_gradient", "recorded", "rounding", "sampled_bound", "save", "schedules",
    "second_moment", "swiss_roll", "symbolic", "trajectory_bound", "updates",
]  # fmt: skip
