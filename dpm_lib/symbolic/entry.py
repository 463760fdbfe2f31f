"""What may enter an expression: objects and exact numbers, never a string that SymPy would run."""

from functools import lru_cache
from typing import Any

import sympy as sp
from sympy import Expr

__all__ = ["Product", "Rational", "Sum", "exp", "log", "sqrt", "step", "strict"]


def strict(value: Any) -> Any:
    """A value as an expression of SymPy; strings, which SymPy would run, and floats are refused.

    Raises:
        TypeError: the value is no expression and no exact number.
    """
    if isinstance(value, str | float):
        raise TypeError(f"expressions are built from objects and exact numbers, got {value!r}")
    try:
        found = sp.sympify(value, strict=True)
    except sp.SympifyError as error:
        raise TypeError(f"an expression was expected, got {value!r}") from error
    if not isinstance(found, Expr | sp.Tuple):
        raise TypeError(f"an expression was expected, got {value!r}")
    if found.has(sp.Float):
        raise TypeError(f"numbers must be exact, got {value!r}")
    return found


def log(argument: Any) -> Expr:
    """The natural logarithm."""
    return sp.log(strict(argument))


def exp(argument: Any) -> Expr:
    """The exponential."""
    return sp.exp(strict(argument))


def sqrt(argument: Any) -> Expr:
    """The positive square root."""
    return sp.sqrt(strict(argument))


def Rational(top: int, bottom: int = 1) -> Expr:
    """The fraction of two whole numbers."""
    return sp.Rational(strict(top), strict(bottom))


def Sum(body: Any, limits: tuple[Any, Any, Any]) -> Expr:
    """The sum of the body over a step from the first to the last, ``(t, first, last)``."""
    return sp.Sum(strict(body), tuple(map(strict, limits)))


def Product(body: Any, limits: tuple[Any, Any, Any]) -> Expr:
    """The product of the body over a step from the first to the last, ``(t, first, last)``."""
    return sp.Product(strict(body), tuple(map(strict, limits)))


def step(index: Any) -> Expr:
    """An index: a whole number, or T, t, s and the like plus or minus whole numbers.

    Raises:
        ValueError: it is not linear, so that a few chains could not decide a formula.
    """
    return _linear(strict(index))


@lru_cache(maxsize=100_000)
def _linear(index: Expr) -> Expr:
    found = sp.expand(index)
    symbols = sorted(found.free_symbols, key=str)
    linear = not symbols or (
        found.is_polynomial(*symbols) and sp.Poly(found, *symbols).total_degree() <= 1
    )
    if not (linear and all(c.is_Integer for c in found.as_coefficients_dict().values())):
        raise ValueError(f"an index must be linear in the steps, got {index}")
    return found
