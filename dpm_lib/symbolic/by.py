"""The reasons that a page may name: the rules and the results that pages share."""

from dpm_lib.symbolic import results
from dpm_lib.symbolic.proofs import proof
from dpm_lib.symbolic.reasons import cases, gibbs, hypothesis, in_chains, tangent
from dpm_lib.symbolic.rules import book, diffusion, integrals, sums
from dpm_lib.symbolic.rules.book import *  # noqa: F403
from dpm_lib.symbolic.rules.kernel import Rule, algebra

# fmt: off
__all__ = [
    "algebra", "cases", "gibbs", "hypothesis", "in_chains", "proof", "routine",
    "tangent",
    *book.__all__,
    *results.__all__,
]
# fmt: on


routine = (integrals.linearity, integrals.marginal, sums.log_product, diffusion.rates)
"""What a reader does without a word."""


def __getattr__(name: str) -> Rule:
    if name in results.__all__:
        return getattr(results, name)()
    raise AttributeError(f"there is no rule {name}")
