r"""Exact values: sums of logarithms over a field of rational functions, and Gaussians over it.

A :class:`LogSum` is :math:`r_0 + \sum_i r_i \log|f_i|` with rational functions :math:`r` and
distinct irreducible polynomials :math:`f_i`.  Logarithms of distinct irreducible polynomials are
linearly independent over the rational functions, so two such sums are equal exactly when their
coefficients are: equality is decided, not guessed.

A :class:`Gaussian` is :math:`P\,e^{Q + c}` with a quadratic form :math:`Q` in the states, a
constant :math:`c` and a polynomial :math:`P`, both sums of logarithms.  Integrals over a state
complete the square.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import QQ, factorint
from sympy.polys.fields import FracElement, FracField
from sympy.polys.rings import PolyElement

__all__ = ["Gaussian", "LogSum"]


class LogSum:
    """A rational function plus rational multiples of logarithms of irreducible polynomials."""

    def __init__(
        self, rational: FracElement, logs: Mapping[PolyElement, FracElement] | None = None
    ):
        self.rational = rational
        self.logs = {atom: r for atom, r in (logs or {}).items() if r != 0}

    @property
    def field(self) -> FracField:
        """The field of rational functions."""
        return self.rational.field

    def __add__(self, other: "LogSum") -> "LogSum":
        logs = dict(self.logs)
        for atom, r in other.logs.items():
            logs[atom] = logs.get(atom, self.field.zero) + r
        return LogSum(self.rational + other.rational, logs)

    def __mul__(self, other: "LogSum") -> "LogSum":
        if other.logs and self.logs:
            raise ValueError("a product of two logarithms is outside this algebra")
        many, one = (other, self.rational) if other.logs else (self, other.rational)
        return LogSum(many.rational * one, {atom: r * one for atom, r in many.logs.items()})

    def __pow__(self, exponent: Fraction) -> "LogSum":
        if self.logs or exponent.denominator != 1:
            raise ValueError("only whole powers of rational functions are inside this algebra")
        return LogSum(self.rational ** int(exponent))

    def scale(self, factor: Fraction) -> "LogSum":
        """Multiply by a number."""
        return self * LogSum(self.field(QQ(factor.numerator, factor.denominator)))

    def log(self) -> "LogSum":
        """The logarithm of the absolute value of a rational function, in irreducible factors."""
        if self.logs:
            raise ValueError("a logarithm of a logarithm is outside this algebra")
        if self.rational == 0:
            raise ValueError("the logarithm of zero was asked for")
        logs: dict[PolyElement, FracElement] = {}
        for sign, poly in ((1, self.rational.numer), (-1, self.rational.denom)):
            constant, factors = _factors(poly)
            ring = poly.ring
            fraction = Fraction(int(constant.numerator), int(constant.denominator))
            primes = [(ring(k), v) for k, v in _primes(fraction)]
            for atom, power in [*factors, *primes]:
                logs[atom] = logs.get(atom, self.field.zero) + self.field(sign * power)
        return LogSum(self.field.zero, logs)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LogSum)
            and self.rational == other.rational
            and self.logs == other.logs
        )

    __hash__ = None  # type: ignore[assignment]

    def at(self, point: list[float]) -> float:
        """The value at a point, one number for each generator of the field."""
        total = _evaluate(self.rational, point)
        for atom, r in self.logs.items():
            total += _evaluate(r, point) * math.log(abs(_evaluate(self.field(atom), point)))
        return total


class Gaussian:
    """A polynomial times the exponential of a quadratic form."""

    def __init__(self, quadratic: FracElement, constant: LogSum, polynomial: LogSum):
        self.quadratic, self.constant, self.polynomial = quadratic, constant, polynomial

    @classmethod
    def plain(cls, value: LogSum) -> "Gaussian":
        """A value without an exponential."""
        zero = value.field.zero
        return cls(zero, LogSum(zero), value)

    def __add__(self, other: "Gaussian") -> "Gaussian":
        if self.quadratic != other.quadratic or self.constant != other.constant:
            raise ValueError("a sum of two different exponentials is outside this algebra")
        return Gaussian(self.quadratic, self.constant, self.polynomial + other.polynomial)

    def __mul__(self, other: "Gaussian") -> "Gaussian":
        return Gaussian(
            self.quadratic + other.quadratic,
            self.constant + other.constant,
            self.polynomial * other.polynomial,
        )

    def __pow__(self, exponent: Fraction) -> "Gaussian":
        power = self.quadratic.field(QQ(exponent.numerator, exponent.denominator))
        quadratic = self.quadratic * power
        constant = self.constant.scale(exponent)
        if exponent.denominator == 1:
            return Gaussian(quadratic, constant, self.polynomial**exponent)
        root = _root(self.polynomial.rational) if not self.polynomial.logs else None
        one = LogSum(self.quadratic.field.one)
        if root is not None:
            return Gaussian(quadratic, constant, LogSum(root) ** (2 * exponent))
        return Gaussian(quadratic, constant + self.polynomial.log().scale(exponent), one)

    def scale(self, factor: Fraction) -> "Gaussian":
        """Multiply by a number."""
        return Gaussian(self.quadratic, self.constant, self.polynomial.scale(factor))

    def log(self) -> "Gaussian":
        """The logarithm: the quadratic form, the constant and the logarithm of the polynomial."""
        return Gaussian.plain(LogSum(self.quadratic) + self.constant + self.polynomial.log())

    def integrate(self, generator: FracElement, two_pi: FracElement) -> "Gaussian":
        """Integrate over the whole line, by completing the square."""
        curvature = -self.quadratic.diff(generator).diff(generator)
        if curvature == 0:
            raise ValueError(f"the integral over {generator} does not converge")
        slope = self.quadratic.diff(generator).subs(generator, 0)
        mean, variance = slope / curvature, 1 / curvature
        half = Fraction(1, 2)
        return Gaussian(
            self.quadratic.subs(generator, 0) + slope**2 / (2 * curvature),
            self.constant + LogSum(two_pi * variance).log().scale(half),
            _expectation(self.polynomial, generator, mean, variance),
        )

    def __eq__(self, other: object) -> bool:
        """Equal exactly if the constants agree; else up to a sign, which the world decides."""
        if not isinstance(other, Gaussian) or self.quadratic != other.quadratic:
            return False
        if self.polynomial.logs or other.polynomial.logs:
            return self.constant == other.constant and self.polynomial == other.polynomial
        if self.polynomial == other.polynomial or self.constant == other.constant:
            return self.polynomial == other.polynomial and self.constant == other.constant
        if self.polynomial.rational == 0 or other.polynomial.rational == 0:
            return False
        mine, theirs = self.polynomial.log(), other.polynomial.log()
        return self.constant + mine == other.constant + theirs

    __hash__ = None  # type: ignore[assignment]

    def at(self, point: list[float]) -> float:
        """The value at a point, one number for each generator of the field."""
        exponent = _evaluate(self.quadratic, point) + self.constant.at(point)
        return math.exp(exponent) * self.polynomial.at(point)


def _expectation(value: LogSum, x: FracElement, mean: FracElement, variance: FracElement) -> LogSum:
    def average(f: FracElement) -> FracElement:
        total, k, moments = f.field.zero, 0, [f.field.one, mean]
        while f != 0:
            if k == len(moments):
                moments.append(mean * moments[-1] + (k - 1) * variance * moments[-2])
            total += f.subs(x, 0) * moments[k]
            k += 1
            f = f.diff(x) / k
        return total

    return LogSum(average(value.rational), {atom: average(r) for atom, r in value.logs.items()})


def _root(f: FracElement) -> FracElement | None:
    """The square root of a rational function that is a perfect square, else None."""
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


def _evaluate(f: Any, point: list[float]) -> float:
    def polynomial(poly: PolyElement) -> float:
        return sum(
            float(c) * math.prod(v**k for v, k in zip(point, monomial, strict=True) if k)
            for monomial, c in poly.terms()
        )

    return polynomial(f.numer) / polynomial(f.denom)
