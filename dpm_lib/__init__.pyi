from . import (
    conditioning,
    evidence,
    exact,
    forward,
    kernels,
    learning,
    plots,
    schedules,
    symbolic,
)
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
from .conditioning import (
    Flipped,
    Known,
    Moments,
    Noisy,
    Particles,
    exact_rule,
    moments_given,
    paper_rule,
    particles,
    predicted_rule,
    sample_given,
    tempered_rule,
)
from .entropies import (
    EntropyBounds,
    posterior_entropy,
    reverse_entropy_bounds,
    step_entropy,
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
from .learning.settings import Settings
from .learning.training import Trainer, fit, updates
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
from .perturbation import perturbed
from .protocol import ClosedForm, identity_network, once
from .reverse import ReverseProcess

__all__ = [
    "BinomialKernel", "Bound", "ClosedForm", "EntropyBounds", "Estimate", "Flipped",
    "GaussianKernel", "GaussianLaw", "Kernel", "Known", "LogLikelihood", "MLPNetwork", "MixtureLaw",
    "Moments", "MultiScaleNetwork", "Noisy", "Particles", "PatternLaw", "RBFNetwork",
    "ReverseProcess", "Scaler", "Settings", "StepwiseNetwork", "Trainer", "UNetNetwork", "bits",
    "bound", "check", "cifar10", "conditioning", "correction", "digits", "divergence", "draw",
    "draw_log_weights", "edge_term", "evaluate", "evidence", "exact", "exact_rule", "fit",
    "forward", "heartbeat", "identity_network", "kernels", "learning", "library_version", "load",
    "log_likelihood", "log_weight_terms", "log_weights", "mean_and_error", "mnist", "moments_given",
    "null_log_likelihood", "once", "paper_rule", "particles", "perturbed", "plots",
    "posterior_entropy", "predicted_rule", "prior_term", "prove", "rate_gradient", "recorded",
    "reverse_entropy_bounds", "rounding", "sample_given", "sampled_bound", "save", "schedules",
    "second_moment", "step_entropy", "swiss_roll", "symbolic", "tempered_rule", "trajectory_bound",
    "updates",
]  # fmt: skip
