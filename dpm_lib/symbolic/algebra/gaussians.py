r"""Gaussians: :math:`P\,e^{Q + c}` with polynomials P and Q in the states, and a scalar c.

Q is quadratic, and the coefficients are scalars of one domain.  Integrals complete the square.
"""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from random import Random
from typing import Any

from dpm_lib.symbolic.algebra.scalars import Domain, Number, Outside

__all__ = ["Gaussian", "Polynomial"]


class Polynomial:
    """A polynomial in states: monomials, each a sorted tuple of names, to scalars."""

    def __init__(self, terms: Mapping[tuple[str, ...], Any]):
        self.terms = {names: c for names, c in terms.items() if not c.is_zero()}

    def __add__(self, other: "Polynomial") -> "Polynomial":
        terms = dict(self.terms)
        for names, c in other.terms.items():
            terms[names] = terms[names] + c if names in terms else c
        return Polynomial(terms)

    def __mul__(self, other: "Polynomial") -> "Polynomial":
        terms: dict[tuple[str, ...], Any] = {}
        for a, x in self.terms.items():
            for b, y in other.terms.items():
                names = tuple(sorted(a + b)) if a and b else a + b
                terms[names] = terms[names] + x * y if names in terms else x * y
        return Polynomial(terms)

    def scale(self, factor: Any) -> "Polynomial":
        """Multiply by a scalar."""
        return Polynomial({names: c * factor for names, c in self.terms.items()})

    def by_power(self, name: str) -> dict[int, "Polynomial"]:
        """Its coefficients as a polynomial in one name."""
        parts: dict[int, dict[tuple[str, ...], Any]] = {}
        for names, c in self.terms.items():
            rest = tuple(other for other in names if other != name)
            parts.setdefault(len(names) - len(rest), {})[rest] = c
        return {power: Polynomial(terms) for power, terms in parts.items()}

    def average(self, name: str, mean: "Polynomial", variance: Any, one: Any) -> "Polynomial":
        """Its expectation when the name is Gaussian."""
        total = Polynomial({})
        moments = [Polynomial({(): one}), mean]
        parts = self.by_power(name)
        for power in range(max(parts, default=0) + 1):
            if power == len(moments):
                times = variance
                for _ in range(power - 2):
                    times = times + variance
                moments.append(mean * moments[-1] + moments[-2].scale(times))
            if power in parts:
                total = total + parts[power] * moments[power]
        return total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polynomial):
            return False
        difference = {n: c for n, c in self.terms.items() if n not in other.terms}
        difference |= {n: c for n, c in other.terms.items() if n not in self.terms}
        if any(not isinstance(c, Number) or c != Number(0.0) for c in difference.values()):
            return False
        return all(c == other.terms[n] for n, c in self.terms.items() if n in other.terms)

    __hash__ = None  # type: ignore[assignment]

    def at(self, point: int) -> float:
        """The value at a point of the domain, with the states at places of their own."""
        return sum(
            c.at(point) * math.prod(_place(name, point) for name in names)
            for names, c in self.terms.items()
        )


class Gaussian:
    """A polynomial times the exponential of a quadratic form in the states."""

    def __init__(self, domain: Domain, exponent: Polynomial, constant: Any, weight: Polynomial):
        moved: Any = exponent.terms.get(())
        if moved is not None:
            exponent = Polynomial({n: c for n, c in exponent.terms.items() if n})
            constant = constant + moved
        self.domain, self.exponent, self.constant, self.weight = domain, exponent, constant, weight

    @classmethod
    def plain(cls, domain: Domain, weight: Polynomial) -> "Gaussian":
        """A polynomial without an exponential."""
        return cls(domain, Polynomial({}), domain.constant(0), weight)

    @classmethod
    def normal(
        cls, domain: Domain, states: Iterable[str], means: Iterable[Polynomial], variance: Any
    ) -> "Gaussian":
        """The density of independent normals with the given means and one variance."""
        if not variance.is_positive():
            raise Outside("a variance that is not positive")
        half: Any = domain.constant(Fraction(1, 2))
        minus: Any = domain.constant(-1)
        exponent, count = Polynomial({}), 0
        for name, mean in zip(states, means, strict=True):
            away = Polynomial({(name,): domain.constant(1)}) + mean.scale(minus)
            exponent = exponent + away * away
            count += 1
        exponent = exponent.scale(minus * half * variance ** Fraction(-1))
        two_pi = _two_pi(domain)
        constant = (two_pi * variance).log() * domain.constant(Fraction(-count, 2))
        return cls(domain, exponent, constant, Polynomial({(): domain.constant(1)}))

    def polynomial(self) -> Polynomial:
        """The polynomial, if that is all; refused if an exponential or a root stands beside it."""
        if self.exponent.terms or not self.constant.is_zero():
            raise Outside("a polynomial in the states was expected, this is none")
        return self.weight

    def scalar(self) -> Any:
        """The scalar, if that is all."""
        return _alone(self.polynomial(), self.domain)

    def __add__(self, other: "Gaussian") -> "Gaussian":
        if not self.weight.terms or not other.weight.terms:
            return other if not self.weight.terms else self
        if self.exponent != other.exponent or self.constant != other.constant:
            raise Outside("a sum of two different exponentials is outside this algebra")
        return Gaussian(self.domain, self.exponent, self.constant, self.weight + other.weight)

    def __mul__(self, other: "Gaussian") -> "Gaussian":
        return Gaussian(
            self.domain,
            self.exponent + other.exponent,
            self.constant + other.constant,
            self.weight * other.weight,
        )

    def __pow__(self, exponent: Fraction) -> "Gaussian":
        power = self.domain.constant(exponent)
        exponential, constant = self.exponent.scale(power), self.constant * power
        one = Polynomial({(): self.domain.constant(1)})
        if exponent.denominator == 1 and exponent > 0:
            weight = one
            for _ in range(int(exponent)):
                weight = weight * self.weight
            return Gaussian(self.domain, exponential, constant, weight)
        base = _alone(self.weight, self.domain)
        try:
            weight = Polynomial({(): base**exponent})
        except Outside:
            if exponent.denominator == 1:
                raise
            weight, constant = one, constant + base.log() * power
        return Gaussian(self.domain, exponential, constant, weight)

    def log(self) -> "Gaussian":
        """The logarithm: the quadratic form, the constant and the logarithm of the weight."""
        inside = self.constant + _alone(self.weight, self.domain).log()
        return Gaussian.plain(self.domain, self.exponent + Polynomial({(): inside}))

    def exp(self) -> "Gaussian":
        """The exponential of a polynomial of second degree, in numbers as far as there are any."""
        domain, inside = self.domain, self.polynomial()
        if any(len(names) > 2 for names in inside.terms):
            raise Outside("an exponential of more than squares of the states")
        quadratic = Polynomial({names: c for names, c in inside.terms.items() if names})
        number: Any = inside.terms.get((), domain.constant(0))
        try:
            return Gaussian(domain, quadratic, domain.constant(0), Polynomial({(): number.exp()}))
        except Outside:
            return Gaussian(domain, quadratic, number, Polynomial({(): domain.constant(1)}))

    def integrate(self, name: str) -> "Gaussian":
        """Integrate over the whole line, by completing the square."""
        domain, parts = self.domain, self.exponent.by_power(name)
        square = parts.get(2, Polynomial({})).terms.get((), domain.constant(0))
        curvature = square * domain.constant(-2)
        if not curvature.is_positive():
            raise Outside("an integral that does not converge")
        variance = curvature ** Fraction(-1)
        slope = parts.get(1, Polynomial({}))
        half: Any = domain.constant(Fraction(1, 2))
        return Gaussian(
            domain,
            parts.get(0, Polynomial({})) + (slope * slope).scale(variance * half),
            self.constant + (_two_pi(domain) * variance).log() * half,
            self.weight.average(name, slope.scale(variance), variance, domain.constant(1)),
        )

    def __eq__(self, other: object) -> bool:
        """Whether both are one function: their constants may be written in two ways."""
        if not isinstance(other, Gaussian):
            return False
        if not self.weight.terms or not other.weight.terms:
            return self.weight == other.weight
        if self.exponent != other.exponent:
            return False
        apart = self.constant + other.constant * self.domain.constant(-1)
        if isinstance(apart, Number):
            return self.weight.scale(Number(math.exp(apart.value))) == other.weight
        if apart.is_zero():
            return self.weight == other.weight
        names, mine = next(iter(self.weight.terms.items()))
        ratio = mine.times(other.weight.terms.get(names, self.domain.constant(0)))
        if ratio is None or ratio.is_zero() or self.weight.scale(ratio) != other.weight:
            return False
        return bool(ratio.is_positive() and ratio.log() == apart)

    __hash__ = None  # type: ignore[assignment]

    def at(self, point: int) -> float:
        """The value at a point of the domain, with the states at places of their own."""
        return math.exp(self.exponent.at(point) + self.constant.at(point)) * self.weight.at(point)


def _two_pi(domain: Domain) -> Any:
    two: Any = domain.constant(2)
    return two * domain.free("pi")


def _alone(weight: Polynomial, domain: Domain) -> Any:
    if set(weight.terms) - {()}:
        raise Outside("a number was expected, this depends on the states")
    return weight.terms.get((), domain.constant(0))


def _place(name: str, point: int) -> float:
    return Random(f"{name}, {point}").uniform(-1.5, 1.5)
