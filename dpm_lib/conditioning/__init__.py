r""":math:`\tilde p(x^{(0)}) \propto p(x^{(0)})\, r(x^{(0)})`: samples that agree with a look.

A *likelihood* says what is known of an example, a *rule* how each reverse step heeds it, and
:func:`sample_given` and :func:`particles` take the steps.
"""

from dpm_lib.conditioning.likelihoods import Flipped, Known, Noisy
from dpm_lib.conditioning.lookahead import exact_rule
from dpm_lib.conditioning.rules import Guide, Look, paper_rule, predicted_rule, tempered_rule
from dpm_lib.conditioning.sampling import Moments, Particles, moments_given, particles, sample_given

__all__ = [
    "Flipped", "Guide", "Known", "Look", "Moments", "Noisy", "Particles", "exact_rule",
    "moments_given", "paper_rule", "particles", "predicted_rule", "sample_given", "tempered_rule",
]  # fmt: skip
