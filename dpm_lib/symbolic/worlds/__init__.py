r"""Worlds: chains with symbolic transition probabilities, in which every expression has a value.

* :class:`FiniteChain`: a few states, a few steps, every transition probability a free symbol.
  What holds here by rational arithmetic holds for the structure alone (Markov, Bayes, sums).
* :class:`BinomialChain`: bits under the binomial kernel of rate beta_t and base rate rho.
* :class:`GaussianChain`: the Gaussian kernel of rate beta_t, Gaussian data, Gaussian reverse steps.

A density is never looked up: it is obtained from the joint density of the whole chain by
marginalising and dividing, so a closed form is compared with an independent computation.
"""

from dpm_lib.symbolic.worlds.base import World
from dpm_lib.symbolic.worlds.finite import BinomialChain, FiniteChain
from dpm_lib.symbolic.worlds.gaussian import GaussianChain

__all__ = ["BinomialChain", "FiniteChain", "GaussianChain", "World"]
