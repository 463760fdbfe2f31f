"""Evidence: compare two independent routes to a number, refuse damaged formulas, keep the row.

Two functions write rows of the ledger.  :func:`prove` takes a derivation whose steps a machine has
checked, :func:`check` takes numbers from two routes.  Both demand mutants, formulas damaged on
purpose, and raise unless every mutant is refused: a check that cannot fail is worth nothing.
"""

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dpm_lib import doors
from dpm_lib.evidence import ledger, provenance
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.row import Row

__all__ = ["Refuted", "check", "prove", "rounding"]

Z = 5
"""How many standard errors a Monte Carlo route may be off: by chance once in 2 million checks."""

NEAR = 0.1
"""Part of a quantity by which the nearest mutant of a check may err, at most."""


class Refuted(AssertionError):
    """Two routes disagree, or a damaged formula was not refused."""


def rounding(dtype: torch.dtype, operations: float) -> float:
    """Tolerance that follows from rounding: ``operations`` times the dtype's machine epsilon.

    Raises:
        TypeError: no dtype in floating point, or no number.
        ValueError: operations is not positive.

    >>> rounding(torch.float64, 4) == 4 * 2.0**-52
    True
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype must be a torch dtype in floating point, got {dtype!r}")
    doors.number("operations", operations, above=0)
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
    allowed.  Both are taken elementwise in float64; the row keeps the worst case.

    At least one mutant must be a near miss, which errs by less than a tenth of the quantity,
    :math:`\max|m - e| < \max|e| / 10`.  A quantity that is 0 everywhere is measured in units of 1.

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
        ValueError: the equation is unknown; no mutant is given, or none that is a near miss; the
            shapes differ; a value is empty or not finite; both routes share their memory; not
            exactly one of tolerance and standard_error is given, or it is not positive, or it
            allows an error as large as the numbers; route is empty.
        TypeError: a value is not a real number or a tensor of real numbers, route or because is no
            text, or mutants give no values by name.
    """
    _known(equation, mutants)
    for name, words in {"route": route, "because": because}.items():
        if not isinstance(words, str):
            raise TypeError(f"{name} must be words, got {doors.name_of(words)}")
    if not route.strip():
        raise ValueError(f"route must say where the expected value comes from, got {route!r}")
    value, truth = _two_routes(computed, expected)
    scale, limit = _limits(truth, tolerance, standard_error)
    if standard_error is not None:
        because = f"{Z} standard errors {because}".strip()
    error, allowed = _worst((value - truth).abs() / scale, limit)
    if not error <= allowed:
        raise Refuted(f"{equation}, {route}: error {error:.3e} exceeds {allowed:.3e} ({because})")
    refused = _refused(f"{equation}, {route}", mutants, truth, scale, limit)
    device, dtype = _place(computed)
    row = Row(
        equation, "evidence", route, _short(error), _short(allowed), because, refused,
        steps=0, worlds=[], claim={}, slips={}, rules={}, statement="", rests_on=[],
        device=device, dtype=dtype, **provenance.made(),
    )  # fmt: skip
    return ledger.keep(row)


def prove(equation: str, derivation: Any, *, mutants: Mapping[str, Any]) -> Row:
    """Record a derivation as the proof of an equation and publish its formula on the page.

    Every line is damaged by machine in every one-slip way, and each damage must be refused or
    shown to be an equal formula; the row counts them.

    Args:
        equation: id of the equation that is proved.
        derivation: a Derivation or an Induction of :mod:`dpm_lib.symbolic`, whose steps were
            checked when it was made.
        mutants: name to damaged last line; each must differ from the proved one.

    Raises:
        Refuted: a mutant cannot be told from the proved formula.
        dpm_lib.symbolic.Unproved: a slip made by machine survives.
        TypeError: the derivation is none of :mod:`dpm_lib.symbolic`.
        ValueError: the equation is unknown, no mutant is given, or one that has no value.
    """
    from dpm_lib.symbolic import Derivation, Induction

    _known(equation, mutants)
    if type(derivation) not in (Derivation, Induction):
        raise TypeError(
            "derivation must be a Derivation or an Induction of dpm_lib.symbolic, "
            f"got {type(derivation).__name__}"
        )
    refused = []
    for name, expression in mutants.items():
        damage = derivation.refuses(expression)
        if damage is None:
            raise Refuted(f"{equation}: the mutant {name!r} equals the proved formula")
        if not damage < float("inf"):
            raise ValueError(f"{equation}: the mutant {name!r} has no value where it was proved")
        refused.append({"name": name, "error": _short(damage), "margin": 0.0})
    row = Row(
        equation, "proof", "derivation", 0.0, 0.0, "exact", refused,
        steps=derivation.count, worlds=list(derivation.worlds), claim=dict(derivation.claim),
        slips=derivation.slips()._asdict(), rules=dict(derivation.rules),
        statement=derivation.statement, rests_on=list(derivation.rests_on),
        device="cpu", dtype="exact", **provenance.made(),
    )  # fmt: skip
    _publish(equation, derivation.latex())
    return ledger.keep(row)


def _known(equation: str, mutants: Mapping[str, Any]) -> None:
    if equation not in EQUATIONS:
        raise ValueError(f"equation must be an id of dpm_lib.evidence.equations, got {equation!r}")
    if not isinstance(mutants, Mapping) or not all(isinstance(name, str) for name in mutants):
        raise TypeError(f"mutants must give values by name, got {doors.name_of(mutants)}")
    if not mutants:
        raise ValueError(f"mutants must name at least one damaged formula of {equation!r}")


def _two_routes(computed: Any, expected: Any) -> tuple[Tensor, Tensor]:
    """Both in float64, if they are of one shape and not one and the same."""
    value, truth = _numbers("computed", computed), _numbers("expected", expected)
    if value.shape != truth.shape:
        raise ValueError(
            f"computed and expected must have one shape, got {tuple(value.shape)} "
            f"and {tuple(truth.shape)}"
        )
    interned = isinstance(computed, int)  # Python has one object for equal small integers
    if (computed is expected and not interned) or _share(computed, expected):
        raise ValueError("expected must come from another route than computed, got the same value")
    return value, truth


def _limits(
    truth: Tensor, tolerance: Tensor | float | None, standard_error: Tensor | float | None
) -> tuple[Tensor, Tensor]:
    """What errors are divided by, and how large they may be then, elementwise."""
    if tolerance is not None and standard_error is None:
        scale = truth.abs().clamp(min=1.0)
        limit = _allowed("tolerance", tolerance, truth)
    elif standard_error is not None and tolerance is None:
        scale = torch.ones_like(truth)
        limit = Z * _allowed("standard_error", standard_error, truth)
    else:
        raise ValueError("exactly one of tolerance and standard_error must be given")
    size = truth.abs().max().item()
    if 0 < size <= (widest := (limit * scale).max().item()):
        raise ValueError(
            f"tolerance must be below the numbers it is for (largest {size:.3g}), "
            f"it allows an error of {widest:.3g}"
        )
    return scale, limit


def _refused(
    where: str, mutants: Mapping[str, Any], truth: Tensor, scale: Tensor, limit: Tensor
) -> list[dict[str, Any]]:
    """How far off each mutant is, if all are refused and one of them is a near miss."""
    refused, nearest = [], float("inf")
    for name, mutant in mutants.items():
        away = (_numbers(f"mutants[{name!r}]", mutant, truth.shape) - truth).abs()
        nearest = min(nearest, away.max().item())
        damage, margin = map(_short, _worst(away / scale, limit))
        if not damage > margin:
            raise Refuted(
                f"{where}: the mutant {name!r} passes (error {damage:.3e}, "
                f"tolerance {margin:.3e}), so the check has no force"
            )
        refused.append({"name": name, "error": damage, "margin": margin})
    near = NEAR * (truth.abs().max().item() or 1.0)
    if not nearest < near:
        raise ValueError(
            f"mutants must hold a near miss, which errs by less than {near:.3g} "
            f"(a tenth of the quantity), got none nearer than {nearest:.3g}"
        )
    return refused


def _numbers(name: str, given: Any, shape: torch.Size | None = None) -> Tensor:
    """The given numbers in float64, if they are real, finite and exact there."""
    if isinstance(given, Tensor):
        exact = given.detach().cpu()
    elif isinstance(given, float) or (isinstance(given, int) and abs(given) <= 2**53):
        exact = torch.tensor(given, dtype=torch.float64)
    else:
        raise TypeError(f"{name} must be a tensor or a number that float64 holds, got {given!r}")
    if exact.is_complex():
        raise TypeError(f"{name} must be real, got {exact.dtype}")
    numbers = exact.double()
    if not numbers.numel() or not numbers.isfinite().all():
        what = "an empty tensor" if not numbers.numel() else "NaN or an infinity"
        raise ValueError(f"{name} must hold finite numbers, got {what}")
    if not torch.equal(numbers.to(exact.dtype), exact):
        raise ValueError(f"{name} must hold numbers that float64 can hold, got larger integers")
    try:
        return numbers if shape is None else numbers.expand(shape)
    except RuntimeError:
        raise ValueError(
            f"{name} must have the shape of expected, {tuple(shape or ())}, "
            f"got {tuple(numbers.shape)}"
        ) from None


def _allowed(name: str, given: Tensor | float, truth: Tensor) -> Tensor:
    numbers = _numbers(name, given, truth.shape)
    if not (numbers > 0).all():
        raise ValueError(f"{name} must be positive, got {numbers.min().item():.3g}")
    return numbers


def _share(a: Any, b: Any) -> bool:
    """Whether two tensors lie in one piece of memory."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _place(value: Tensor | float) -> tuple[str, str]:
    """Name of the device and of the dtype of what was measured."""
    if not isinstance(value, Tensor):
        return "cpu", "float64"
    cuda = value.device.type == "cuda"
    device = torch.cuda.get_device_name(value.device) if cuda else value.device.type
    return device, str(value.dtype).removeprefix("torch.")


def _worst(error: Tensor, allowed: Tensor) -> tuple[float, float]:
    worst = (error / allowed).argmax()
    return error.flatten()[worst].item(), allowed.flatten()[worst].item()


def _short(x: float) -> float:
    """Three digits."""
    return float(f"{x:.2e}")


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
