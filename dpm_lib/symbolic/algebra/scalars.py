r"""Scalars: what the coefficients of a world are, exact or numbers.

A :class:`LogSum` is :math:`r_0 + \sum_i r_i \log f_i` with rational functions :math:`r` of the
world's free numbers and distinct irreducible polynomials :math:`f_i`.  Logarithms of distinct
irreducible polynomials are linearly independent over the rational functions, so two such sums are
equal exactly when their coefficients are: equality is decided, not guessed.  Signs are not: they
are taken at several points of the domain, and where these disagree the algebra refuses.  A
:class:`Number` is the value at one such point.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from random import Random
from typing import Any, TypeAlias

from sympy import QQ, Symbol, factorint
from sympy.polys.fields import FracElement, field
from sympy.polys.rings import PolyElement

__all__ = ["AtPoint", "Domain", "Exact", "LogSum", "Number", "Outside", "Scalar"]

POINTS = 5
"""A sign is decided at so many points in the middle of the domain and so many far out."""


class Outside(ValueError):
    """Something that this algebra cannot represent, or a sign that it cannot decide."""


class Domain:
    """The free numbers of a world, each with the open interval that it lies in.

    A domain makes scalars: :meth:`free` those of the free numbers, :meth:`constant` those of
    fractions.  Its points are drawn once, the same in every run: some in the intervals, the others
    as far out as numbers of their kind go (probabilities, positive numbers, real numbers).
    """

    def __init__(self, ranges: Mapping[str, tuple[float, float]]):
        self.names = list(ranges)
        far = {name: _stretched(*ends) for name, ends in ranges.items()}
        self.points = [
            [draw.uniform(*where[name]) for name in self.names]
            for where, draw in (
                (far if k >= POINTS else ranges, Random(k)) for k in range(2 * POINTS)
            )
        ]

    def free(self, name: str) -> "Scalar":
        """The scalar of a free number."""
        raise NotImplementedError

    def constant(self, number: Fraction | int) -> "Scalar":
        """The scalar of a fraction."""
        raise NotImplementedError


class Exact(Domain):
    """Scalars that are rational functions of the free numbers, and their logarithms."""

    def __init__(self, ranges: Mapping[str, tuple[float, float]]):
        super().__init__(ranges)
        self.field, *generators = field([Symbol(n) for n in self.names] or ["unused"], QQ)
        self._free = dict(zip(self.names, generators, strict=False))

    def free(self, name: str) -> "LogSum":
        """The generator of the field."""
        return LogSum(self, self._free[name])

    def constant(self, number: Fraction | int) -> "LogSum":
        """A constant of the field."""
        number = Fraction(number)
        return LogSum(self, self.field(QQ(number.numerator, number.denominator)))


class AtPoint(Domain):
    """Scalars that are numbers: everything at one point of the domain."""

    def __init__(self, ranges: Mapping[str, tuple[float, float]], point: int = 0):
        super().__init__(ranges)
        self._free = dict(zip(self.names, self.points[point], strict=True))

    def free(self, name: str) -> "Number":
        """The coordinate of the point."""
        return Number(self._free[name])

    def constant(self, number: Fraction | int) -> "Number":
        """The fraction as a number."""
        return Number(float(number))


class LogSum:
    """A rational function plus rational multiples of logarithms of irreducible polynomials."""

    def __init__(
        self,
        domain: Exact,
        rational: FracElement,
        logs: Mapping[PolyElement, FracElement] | None = None,
    ):
        self.domain, self.rational = domain, rational
        self.logs = {atom: r for atom, r in (logs or {}).items() if r != 0}

    def __add__(self, other: "LogSum") -> "LogSum":
        logs = dict(self.logs)
        for atom, r in other.logs.items():
            logs[atom] = logs.get(atom, self.domain.field.zero) + r
        return LogSum(self.domain, self.rational + other.rational, logs)

    def __mul__(self, other: "LogSum") -> "LogSum":
        if other.logs and self.logs:
            raise Outside("a product of two logarithms is outside this algebra")
        many, one = (other, self.rational) if other.logs else (self, other.rational)
        logs = {atom: r * one for atom, r in many.logs.items()}
        return LogSum(self.domain, many.rational * one, logs)

    def __pow__(self, exponent: Fraction) -> "LogSum":
        if self.logs:
            raise Outside("a power of a logarithm is outside this algebra")
        if self.rational == 0 and exponent < 0:
            raise Outside("a division by zero")
        if exponent.denominator == 1:
            # a power with a minus need not be in lowest terms, a quotient is
            base = self.rational if exponent >= 0 else 1 / self.rational
            return LogSum(self.domain, base ** abs(int(exponent)))
        root = _root(self.rational) if exponent.denominator == 2 else None
        if root is None:
            raise Outside(f"the power {exponent} is no rational function")
        positive = LogSum(self.domain, root)
        signed = positive if positive.is_positive() else positive * self.domain.constant(-1)
        return signed ** Fraction(exponent.numerator)

    def log(self) -> "LogSum":
        """The logarithm of a positive rational function, in irreducible factors."""
        if self.logs:
            raise Outside("a logarithm of a logarithm is outside this algebra")
        if not self.is_positive():
            raise Outside("the logarithm of what is not positive")
        logs: dict[PolyElement, FracElement] = {}
        for sign, poly in ((1, self.rational.numer), (-1, self.rational.denom)):
            constant, factors = _factors(poly)
            ring = poly.ring
            fraction = Fraction(int(constant.numerator), int(constant.denominator))
            primes = [(ring(k), v) for k, v in _primes(fraction)]
            for atom, power in [*factors, *primes]:
                logs[atom] = logs.get(atom, self.domain.field.zero) + self.domain.field(
                    sign * power
                )
        return LogSum(self.domain, self.domain.field.zero, logs)

    def exp(self) -> "LogSum":
        """The exponential, where it is a rational function: of whole multiples of logarithms."""
        total = self.domain.field.one
        powers = {atom: r.as_expr() for atom, r in self.logs.items()}
        if self.rational != 0 or not all(power.is_Integer for power in powers.values()):
            raise Outside("an exponential that is no rational function")
        for atom, power in powers.items():
            total *= self.domain.field(atom) ** int(power)
        signed = LogSum(self.domain, total)  # an atom may be negative, its logarithm is of its size
        return signed if signed.is_positive() else signed * self.domain.constant(-1)

    def is_zero(self) -> bool:
        """Whether it is the constant 0."""
        return self.rational == 0 and not self.logs

    def is_positive(self) -> bool:
        """Whether it is positive in the domain; refused where its sign is not the same all over."""
        if self.is_zero():
            return False
        signs = {self.at(k) > 0 for k in range(len(self.domain.points))}
        if len(signs) > 1:
            raise Outside("a sign that depends on the free numbers")
        return signs.pop()

    def times(self, other: "LogSum") -> "LogSum | None":
        """The rational factor that carries this to the other, None if there is none."""
        pairs = [(self.rational, other.rational)]
        pairs += [(r, other.logs.get(atom, 0)) for atom, r in self.logs.items()]
        ratio = next(LogSum(self.domain, b / a) for a, b in pairs if a != 0)
        return ratio if self * ratio == other else None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LogSum)
            and self.rational == other.rational
            and self.logs == other.logs
        )

    __hash__ = None  # type: ignore[assignment]

    def at(self, point: int) -> float:
        """The value at a point of the domain."""
        values = self.domain.points[point]
        total = _evaluate(self.rational.numer, values) / _evaluate(self.rational.denom, values)
        for atom, r in self.logs.items():
            weight = _evaluate(r.numer, values) / _evaluate(r.denom, values)
            total += weight * math.log(abs(_evaluate(atom, values)))
        return total


class Number:
    """A scalar at one point of the domain."""

    def __init__(self, value: float):
        if not math.isfinite(value):
            raise Outside("a number that is not finite")
        self.value = value

    def __add__(self, other: "Number") -> "Number":
        return Number(self.value + other.value)

    def __mul__(self, other: "Number") -> "Number":
        return Number(self.value * other.value)

    def __pow__(self, exponent: Fraction) -> "Number":
        if (self.value <= 0 and exponent.denominator > 1) or (self.value == 0 and exponent < 0):
            raise Outside("a power of what is not positive")
        return Number(
            self.value ** (int(exponent) if exponent.denominator == 1 else float(exponent))
        )

    def log(self) -> "Number":
        """The logarithm of a positive number."""
        if self.value <= 0:
            raise Outside("the logarithm of what is not positive")
        return Number(math.log(self.value))

    def exp(self) -> "Number":
        """The exponential."""
        try:
            return Number(math.exp(self.value))
        except OverflowError:
            raise Outside("a number that is not finite") from None

    def is_zero(self) -> bool:
        """Whether it is 0 up to rounding."""
        return abs(self.value) < 1e-12

    def is_positive(self) -> bool:
        """Whether it is positive."""
        return self.value > 0

    def __eq__(self, other: object) -> bool:
        """Equal up to rounding."""
        return isinstance(other, Number) and math.isclose(
            self.value, other.value, rel_tol=1e-8, abs_tol=1e-10
        )

    __hash__ = None  # type: ignore[assignment]

    def at(self, point: int) -> float:
        """Its value, whatever the point."""
        return self.value


Scalar: TypeAlias = LogSum | Number


def _stretched(low: float, high: float) -> tuple[float, float]:
    """The interval of a free number, out to where numbers of its kind end."""
    if low == high:
        return low, high
    if low > 0 and high < 1:
        return low / 50, high * 1.05
    if low > 0:
        return low / 50, high * 50
    return (1.1 * low, 1.1 * high) if high < 1 else (50 * low, 50 * high)


def _root(f: FracElement) -> FracElement | None:
    """A square root of a rational function that is a perfect square, else None."""
    total = f.field.one
    for sign, poly in ((1, f.numer), (-1, f.denom)):
        constant, factors = poly.factor_list()
        if constant < 0:
            return None
        root = QQ(math.isqrt(int(constant.numerator)), math.isqrt(int(constant.denominator)))
        if root**2 != constant or any(k % 2 for _, k in factors):
            return None
        total *= f.field(root) ** sign
        for atom, k in factors:
            total *= f.field(atom) ** (sign * k // 2)
    return total


@lru_cache(maxsize=100_000)
def _factors(poly: PolyElement) -> Any:
    """Irreducible factors with their powers; lines of a derivation ask for the same ones."""
    return poly.factor_list()


def _primes(fraction: Fraction) -> list[tuple[int, int]]:
    top, bottom = factorint(abs(fraction.numerator)), factorint(fraction.denominator)
    return [(k, v) for k, v in top.items() if k > 1] + [(k, -v) for k, v in bottom.items() if k > 1]


def _evaluate(poly: PolyElement, point: list[float]) -> float:
    return sum(
        float(c) * math.prod(v**k for v, k in zip(point, monomial, strict=True) if k)
        for monomial, c in poly.terms()
    )
