r"""The proofs of the rules: each is shown in worlds, and by induction where it speaks of all steps.

A rule of a few states is applied to expressions that have every role it speaks of, and what it
makes of them is evaluated in chains with arbitrary transition probabilities.  That is enough for
all T: the states of a Markov chain that an expression names are again a Markov chain with arbitrary
transitions.  A proof runs when its rule is first used; a rule without one cannot be used.
"""

from dpm_lib.symbolic.proofs import diffusion, probability
from dpm_lib.symbolic.proofs.trials import shown
from dpm_lib.symbolic.rules.kernel import proof

__all__ = ["diffusion", "probability", "proof", "shown"]
