"""Inductions: a product or a sum over steps has a closed form, for every number of steps."""

from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.entry import strict
from dpm_lib.symbolic.printing import aligned, latex
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import Unproved
from dpm_lib.symbolic.slips import Slips, every_slip

__all__ = ["Induction"]


class Induction:
    """A product or a sum over steps has a closed form, for every number of steps.

    Base: the closed form holds for the shortest product (sum).  Step: multiplying (adding) one
    more term carries the closed form for n to the closed form for n + 1.

    Args:
        left: a product or sum over steps, up to a symbol that its term does not hold.
        right: its closed form.

    Raises:
        Unproved: the base or the step fails, or the statement has no form for an induction.
    """

    worlds = ("every chain, by induction",)
    claim = {"T": "every"}  # noqa: RUF012
    count = 2
    rules = {"steps": 2, "claim": {"T": "every"}, "names": ["induction"], "chains_only": []}  # noqa: RUF012
    rests_on = ()

    @property
    def statement(self) -> str:
        """What is proved, in LaTeX."""
        return f"{latex(self.left)}={latex(self.right)}"

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = strict(left), strict(right)
        if not _holds(self.left, self.right):
            raise Unproved(f"{left} is not {right}", self.left, self.right)

    def refuses(self, expression: Any) -> float | None:
        """By how much a damaged closed form fails the base or the step; None if it holds."""
        right = strict(expression)
        if _holds(self.left, right):
            return None
        (_, _, last) = self.left.limits[0]
        total = 0.0
        for residue in _residues(self.left, right):
            residue = residue.subs(last, 5)
            atoms = sorted(residue.atoms(lang.Density) | residue.free_symbols, key=str)
            point = {atom: 7.3 + 0.61 * k for k, atom in enumerate(atoms)}
            total += abs(float(residue.subs(point)))
        return total

    def slips(self) -> Slips:
        """Damage both sides in every one-slip way; what does not follow is refused."""
        found = [(name, damaged, self.right) for name, damaged in every_slip(self.left)]
        found += [(name, self.left, damaged) for name, damaged in every_slip(self.right)]
        same = [
            f"{name}: {latex(left)}={latex(right)}"
            for name, left, right in found
            if _holds(left, right)
        ]
        refused = len(found) - len(same)
        return Slips(refused, 0, refused, same)

    def latex(self) -> str:
        """The statement as one aligned block."""
        reason = f"induction over ${latex(self.left.limits[0][2])}$"
        return aligned(self.left, [("=", self.right, reason)])

    def _repr_latex_(self) -> str:
        return f"$$\\displaystyle {self.latex()}$$"


def _holds(left: Expr, right: Expr) -> bool:
    if not isinstance(left, sp.Sum | sp.Product) or len(left.limits) != 1:
        return False
    index, first, last = left.limits[0]
    if any(_says_nothing(side) for side in (left.function, right)):
        return False
    if not (last.is_Symbol and last not in left.function.free_symbols | first.free_symbols):
        return False  # a term that knows the last index changes when the sum grows
    if index in right.free_symbols - {last}:
        return False
    return all(map(ring.is_zero, _residues(left, right)))


def _says_nothing(expr: Expr) -> bool:
    """Whether a state stands on both sides of a bar."""
    return any(set(law.targets) & set(law.given) for law in expr.atoms(lang.Density))


def _residues(left: sp.Sum | sp.Product, right: Expr) -> list[Expr]:
    (index, first, last) = left.limits[0]
    term = left.function
    added = term.subs(index, last + 1)
    grown = right + added if isinstance(left, sp.Sum) else right * added
    base = right.subs(last, first) - term.subs(index, first)
    return [base, grown - right.subs(last, last + 1)]
