r"""Rules of tilted laws: laws of states times a positive function r, and their mass Z."""

from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Factor, Int, Rate, State, Tilted
from dpm_lib.symbolic.rules.kernel import UNFOLD, rule
from dpm_lib.symbolic.rules.steps import Steps

__all__ = ["ahead", "mass", "tilted"]


@rule("tilted law", "equation 16", layer=UNFOLD)
def tilted(e: Expr, steps: Steps) -> Expr | None:
    """The tilted law of a state is its law under p times its factor r, over their mass."""
    if isinstance(e, Tilted) and len(e.args) == 1:
        (state,) = e.args
        return lang.p(state) * Factor(state) / lang.Z[state.index]
    return None


@rule("mass of the tilted law", layer=UNFOLD)
def mass(e: Expr, steps: Steps) -> Expr | None:
    """The mass Z of a step is the integral of p times r."""
    if isinstance(e, Rate) and e.args[0] == lang.Z.name:
        state = State(e.args[1])
        return Int(lang.p(state) * Factor(state), state)
    return None


@rule("r looks ahead", layer=UNFOLD, given=["r the mean of what it will be"])
def ahead(e: Expr, steps: Steps) -> Expr | None:
    """After step 0 the factor of a state is the mean of that of the data, given the state."""
    if isinstance(e, Factor) and isinstance(e.args[0], State):
        start, state = State(0), e.args[0]
        if steps.before(start.index, state.index):
            return lang.Expect(lang.p(start | state), Factor(start))
    return None
