"""Evidence: compare two independent routes to a number, refuse damaged formulas, keep the row.

Two functions write rows of the ledger.  :func:`prove` takes a derivation whose steps a machine has
checked, :func:`check` takes numbers from two routes.  Both demand mutants, formulas damaged on
purpose, and raise unless every mutant is refused: a check that cannot fail is worth nothing.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.ledger import Row, write

__all__ = ["Refuted", "check", "prove", "rounding"]

Z = 5
"""How many standard errors a Monte Carlo route may be off: by chance once in 2 million checks."""


class Refuted(AssertionError):
    """Two routes disagree, or a damaged formula was not refused."""


class Proof(Protocol):
    """What :func:`prove` asks of a derivation (the symbolic room provides it)."""

    worlds: list[str]
    count: int

    def latex(self) -> str:
        """The derivation as one aligned block."""

    def refuses(self, expression: Any) -> float | None:
        """By how much a damaged last line differs from the proved one; None if it does not."""


def rounding(dtype: torch.dtype, operations: float) -> float:
    """Tolerance that follows from rounding: ``operations`` times the dtype's machine epsilon.

    >>> rounding(torch.float64, 4) == 4 * 2.0**-52
    True
    """
    return operations * torch.finfo(dtype).eps


def check(
    equation: str,
    route: str,
    computed: Tensor | float,
    expected: Tensor | float,
    *,
    tolerance: Tensor | float | None = None,
    standard_error: Tensor | float | None = None,
    because: str = "",
    mutants: Mapping[str, Tensor | float],
) -> Row:
    r"""Compare two routes to the same numbers, refuse the mutants and write the row.

    Against a ``tolerance`` the error is :math:`|c - e| / \max(1, |e|)`; against the
    ``standard_error`` of a Monte Carlo route it is :math:`|c - e|`, and 5 standard errors are
    allowed.  Both are taken elementwise; the row keeps the worst case.

    Args:
        equation: id of the equation that is checked.
        route: the independent route that gives ``expected``, in words.
        computed: what the formula under test gives, any shape.
        expected: what the independent route gives, same shape.
        tolerance: largest error allowed, one number or one for each element.
        standard_error: of the Monte Carlo route, instead of a tolerance.
        because: why that tolerance (the number of roundings), or how the error was measured.
        mutants: name to value, the same quantity from damaged formulas.

    Raises:
        Refuted: the routes disagree, or a mutant is within the tolerance.
        ValueError: the equation is unknown, no mutant is given, the shapes differ, or not exactly
            one of tolerance and standard_error is given.
    """
    _known(equation, mutants)
    value = torch.as_tensor(computed).detach()
    truth = torch.as_tensor(expected, device=value.device).detach()
    if value.shape != truth.shape:
        raise ValueError(
            f"computed and expected must have one shape, got {tuple(value.shape)} "
            f"and {tuple(truth.shape)}"
        )
    if tolerance is not None and standard_error is None:
        limit, scale = torch.as_tensor(tolerance), truth.double().abs().clamp(min=1.0)
    elif standard_error is not None and tolerance is None:
        limit, scale = Z * torch.as_tensor(standard_error), torch.ones_like(truth).double()
        because = f"{Z} standard errors {because}".strip()
    else:
        raise ValueError("exactly one of tolerance and standard_error must be given")
    limit = limit.to(value.device).detach()
    error, allowed = _worst(value, truth, scale, limit)
    if not error <= allowed:
        raise Refuted(f"{equation}, {route}: error {error:.3e} exceeds {allowed:.3e} ({because})")
    refused = []
    for name, mutant in mutants.items():
        damaged = torch.as_tensor(mutant, device=value.device)
        damage, margin = _worst(damaged, truth, scale, limit)
        if damage <= margin:
            raise Refuted(
                f"{equation}, {route}: the mutant {name!r} passes (error {damage:.3e}, "
                f"tolerance {margin:.3e}), so the check has no force"
            )
        refused.append({"name": name, "error": _short(damage)})
    row = Row(equation, "evidence", route, _short(error), _short(allowed), because, mutants=refused)
    return write(row.measured_on(value))


def prove(equation: str, derivation: Proof, *, mutants: Mapping[str, Any]) -> Row:
    """Record a derivation as the proof of an equation and publish its formula on the page.

    Args:
        equation: id of the equation that is proved.
        derivation: an object of :mod:`dpm_lib.symbolic`, whose steps were checked when it was made.
        mutants: name to damaged last line; each must differ from the proved one.

    Raises:
        Refuted: a mutant cannot be told from the proved formula.
        ValueError: the equation is unknown or no mutant is given.
    """
    _known(equation, mutants)
    refused = []
    for name, expression in mutants.items():
        damage = derivation.refuses(expression)
        if damage is None:
            raise Refuted(f"{equation}: the mutant {name!r} equals the proved formula")
        refused.append({"name": name, "error": _short(damage)})
    _publish(equation, derivation.latex())
    proof = Row(equation, "proof", "derivation", 0.0, 0.0, "exact", mutants=refused)
    return write(replace(proof, steps=derivation.count, worlds=list(derivation.worlds)))


def _known(equation: str, mutants: Mapping[str, Any]) -> None:
    if equation not in EQUATIONS:
        raise ValueError(f"equation must be an id of dpm_lib.evidence.equations, got {equation!r}")
    if not mutants:
        raise ValueError(f"mutants must name at least one damaged formula of {equation!r}")


def _worst(value: Tensor, truth: Tensor, scale: Tensor, limit: Tensor) -> tuple[float, float]:
    error = (value.double() - truth.double()).abs() / scale
    error = torch.where(value == truth, 0.0, error).nan_to_num(nan=float("inf"))
    allowed = limit.double().expand_as(error)
    worst = (error / allowed.clamp(min=1e-300)).argmax()
    return error.flatten()[worst].item(), allowed.flatten()[worst].item()


def _short(x: float) -> float:
    """Three digits; what is not finite becomes the largest number, because JSON has no infinity."""
    return min(float(f"{x:.2e}"), sys.float_info.max)


def _publish(equation: str, latex: str) -> None:
    """In a notebook, leave the formula as an output that the page's directive finds by its id."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    prefix = "application/papermill.record/"
    ipython.display.display(
        {f"{prefix}text/latex": f"$${latex}$$", f"{prefix}text/plain": equation},
        metadata={"scrapbook": {"name": equation, "mime_prefix": prefix}},
        raw=True,
    )
