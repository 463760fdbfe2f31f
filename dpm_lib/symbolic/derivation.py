r"""Derivations: chains of expressions, each step with its reason, each step checked when made.

A :class:`Derivation` evaluates both sides of every step in one or more worlds and raises
:class:`Unproved` unless they are equal there as exact expressions.  An inequality must exhibit its
gap; the gap must be a Kullback-Leibler divergence, an r - 1 - log r, or an average of them, and
its sign is measured as well.  A derivation damages itself in every one-slip way that
:mod:`dpm_lib.symbolic.slips` knows, and refuses the damage.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.comparison import INFINITY, difference, free, instances
from dpm_lib.symbolic.entry import strict
from dpm_lib.symbolic.forms import check_form
from dpm_lib.symbolic.printing import aligned, latex
from dpm_lib.symbolic.reasons import Step, gibbs, hypothesis, tangent
from dpm_lib.symbolic.rules.kernel import (
    UNFOLD,
    Rule,
    Unproved,
    algebra,
    canonical,
    flat,
    follows,
    kernels_of,
    left_over,
    proof,
    proves,
)
from dpm_lib.symbolic.rules.steps import Steps
from dpm_lib.symbolic.slips import Slips, every_slip
from dpm_lib.symbolic.worlds import World

__all__ = ["Derivation", "known"]


class Derivation:
    """Expressions that follow from one another, by rules for every T and in every world given.

    Args:
        start: the first expression.
        steps: the lines that follow, made by :func:`equals` and :func:`at_least`.
        worlds: where each step is checked as well.
        steps_from: if the free step t occurs, it runs from here to T.
        base: rules that give the statement one step earlier; then the steps may use it, by
            :data:`hypothesis`, for t - 1.

    Attributes:
        worlds: names of the worlds.
        count: number of steps checked.
        claim: for which "T", "d", "states", "kernels" it was checked, and what was "given".

    Raises:
        Unproved: a step does not follow by its rules, a rule is not needed, or a step does not
            hold in some world, or was not evaluated there.
    """

    def __init__(
        self,
        start: Any,
        *steps: Step,
        worlds: Sequence[World],
        steps_from: int = 1,
        base: Sequence[Rule] = (),
    ) -> None:
        self._start, self._steps, self._worlds = strict(start), steps, tuple(worlds)
        self._first, self._base = steps_from, tuple(base)
        if not all(isinstance(world, World) for world in self._worlds):
            raise TypeError(f"worlds must be worlds of dpm_lib.symbolic, got {worlds}")
        if not steps or not worlds:
            raise Unproved("a derivation needs a step and a world in which it is checked")
        self._lines = [self.start, *(step.expression for step in steps)]
        for line in [*self._lines, *(step.raised for step in steps)]:
            check_form(line, self._worlds)
        for world in self._worlds:
            for before, step in zip(self._lines, steps, strict=False):
                self._check(world, before, step)
        self._check_rules()

    def _check_rules(self) -> None:
        for before, step in zip(self._lines, self._steps, strict=False):
            for rules in step.alternatives:
                meant, supposed = self._meant(rules)
                follows(before, step.raised, meant, self._known, supposed)
        if self._base:
            early = self._first - 1
            left, right = (s.subs(lang.t, early) for s in (self._lines[0], self._lines[-1]))
            follows(left, right, self._base, known([left, right], early))
            for world in self._worlds:
                self._check(world, self.start, Step(self._lines[-1], self._base), early)

    @cached_property
    def _known(self) -> Steps:
        """What the rules know about steps: the chain reaches as far as the lines do."""
        return known(self._lines, self._first)

    def _meant(self, reasons: Sequence[Any]) -> tuple[list[Any], list[Rule]]:
        """The reasons with the hypothesis as it stands here, and that hypothesis."""
        if hypothesis not in reasons:
            return list(reasons), []
        here = self._hypothesis()
        return [here if one == hypothesis else one for one in reasons], [here]

    def _hypothesis(self) -> Rule:
        if not self._base:
            raise Unproved("an induction needs its base")
        left, right = (side.subs(lang.t, lang.t - 1) for side in (self._lines[0], self._lines[-1]))
        return replace(hypothesis, rewrite=partial(_same, canonical(left), right))

    @property
    def start(self) -> Expr:
        """The first expression."""
        return self._start

    @property
    def steps(self) -> tuple[Step, ...]:
        """The lines that follow."""
        return self._steps

    @property
    def worlds(self) -> list[str]:
        """Names of the worlds."""
        return [world.name for world in self._worlds]

    @property
    def count(self) -> int:
        """Number of steps checked."""
        return len(self.steps)

    @property
    def claim(self) -> dict[str, list[Any]]:
        """What the worlds are, for short."""
        found: dict[str, set[Any]] = {}
        for key in ("T", "d", "states", "kernels", "given"):
            values = [world.claim[key] for world in self._worlds if key in world.claim]
            found[key] = {v for one in values for v in (one if isinstance(one, list) else [one])}
        return {key: sorted(values) for key, values in found.items() if values}

    @property
    def rules(self) -> dict[str, Any]:
        """What stands by rules: how many steps, for which chains, by which, and what does not."""
        steps = [step.alternatives for step in self.steps if step.alternatives]
        proved = [[flat(rules) for rules in each] for each in steps]
        proved += [[flat(self._base)]] if self._base else []
        return {
            "steps": sum(bool(step.alternatives) for step in self.steps),
            "claim": _claim(proved) if proved else {},
            "names": list(dict.fromkeys(rule.name for rule in self._used)),
            "chains_only": [step.words for step in self.steps if not step.alternatives],
        }

    @property
    def _used(self) -> list[Rule]:
        steps = [flat(rules) for step in self.steps for rules in step.alternatives]
        signs = [s for s in (gibbs, tangent) if any(s in step.reasons for step in self.steps)]
        return [*(rule for rules in steps for rule in rules), *flat(self._base), *signs]

    @property
    def statement(self) -> str:
        """What is proved, in LaTeX."""
        signs = {step.relation for step in self.steps}
        sign = r"\geq" if r"\geq" in signs else "="
        return f"{latex(self.start)}{sign}{latex(self._lines[-1])}"

    @property
    def rests_on(self) -> list[str]:
        """Statements proved by rules elsewhere that it uses: results, and proofs of its rules."""
        proofs = [one for rule in self._used for one in _proved_by_rules(rule)]
        found = [statement for one in proofs for statement in (one.statement, *one.rests_on)]
        return list(dict.fromkeys(found))

    def result(self, *phrases: str) -> Rule:
        """What is proved here as a rule: the first line may be replaced by the last, at any t.

        Where the last line is less by a gap, the first is replaced by the last and the gap.

        Raises:
            Unproved: a step stands in chains only, or is an inequality before the last.
        """
        if not all(step.alternatives for step in self.steps):
            raise Unproved(f"only what follows by rules is a rule, got {self.rules}")
        if any(step.gap is not None for step in self.steps[:-1]):
            raise Unproved("a rule is an equality, got an inequality before the last line")
        first = self._first - bool(self._base)
        sides = (canonical(self._lines[0]), self.steps[-1].raised)
        found = Rule(
            phrases[0], phrases, self.statement, UNFOLD, self.rules["claim"], phrases[0],
            rewrite=partial(_at_step, *sides, first),
        )  # fmt: skip
        proves(found)(lambda: [self])
        return found

    def refuses(self, mutant: Any) -> float | None:
        """By how much a damaged last line differs from the proved one; None if it does not.

        A mutant of an inequality may be a :class:`Step` with a damaged gap.
        """
        final, damaged = self.steps[-1].expression, mutant
        if isinstance(mutant, Step):
            final, damaged = self.steps[-1].raised, mutant.raised
        return difference([w.twin() for w in self._worlds], final, strict(damaged), self._first)

    def slips(self) -> Slips:
        """Damage every line in every one-slip way.

        Returns:
            The count of those refused, and those that give the same formula: they are equal in
            every world of the derivation and in wider ones (one more step, state, dimension).

        Raises:
            Unproved: a slip is noticed in wider worlds only, so these are too small; or worlds
                notice a slip and the rules of its step do not.
        """
        refused, without_value, by_rules, same = 0, 0, 0, []
        twins = [world.twin() for world in self._worlds]
        larger = [w for world in self._worlds for w in world.wider()]
        for line, follows_still in self._damaged_parts():
            wider = [w for w in larger if difference([w], line, line, self._first) is None]
            for name, damaged in every_slip(line):
                apart = difference(twins, line, damaged, self._first)
                if apart is not None:
                    refused += 1
                    without_value += apart == INFINITY
                    by_rules += self._refused_by_rules(name, damaged, follows_still)
                elif difference(wider, line, damaged, self._first) is not None:
                    raise Unproved(f"larger worlds alone notice a slip ({name}): {damaged}")
                else:
                    same.append(f"{name}: {latex(damaged)}")
        return Slips(refused, without_value, by_rules, same)

    def _damaged_parts(self) -> Iterator[tuple[Expr, Callable[[Expr], bool | None]]]:
        """Lines and gaps to damage, each with whether a damaged one follows by rules."""
        steps = [*zip(self._lines, self._steps, strict=False)]
        (start, first), yes = steps[0], self._follows
        yield start, lambda e: yes(e, first, first.raised)
        for before, step in steps:
            gap = step.gap if step.gap is not None else sp.S.Zero
            yield step.expression, partial(lambda b, s, g, e: yes(b, s, e + g), before, step, gap)
            if step.gap is not None:
                yield gap, partial(lambda b, s, e: yes(b, s, s.expression + e), before, step)

    def _follows(self, before: Expr, step: Step, after: Expr) -> bool | None:
        """Whether two lines are equal by the rules of a step; None if it has no rules."""
        each = [flat(self._meant(reasons)[0]) for reasons in step.alternatives]
        if not each:
            return None
        try:
            rest = (left_over(before, after, rules, self._known) for rules in each)
            return all(found is None for found in rest)
        except (TypeError, ValueError, RecursionError):
            return False

    @staticmethod
    def _refused_by_rules(name: str, damaged: Expr, follows_still: Any) -> bool:
        found = follows_still(damaged)
        if found:
            raise Unproved(f"the rules of its step do not notice a slip ({name}): {damaged}")
        return found is False

    def _check(self, world: World, before: Expr, step: Step, only: int | None = None) -> None:
        where = f"in a {world.name}"
        checked = 0
        try:
            for left, right in instances((before, step.raised), world.T, self._first, only):
                for env in world.assignments(free(left, right)):
                    if world.value(left, env) != world.value(right, env):
                        words = f"{where}: {before} is not {step.relation} {step.raised}"
                        raise Unproved(words, before, step.raised)
                    checked += 1
        except ValueError as error:
            raise Unproved(f"{where}: {before} {step.relation} {step.raised}: {error}") from error
        if not checked:
            raise Unproved(f"{where}: no step t from {self._first} on, so nothing was checked")
        if step.gap is not None:
            self._check_sign(world, step.gap)

    def _check_sign(self, world: World, gap: Expr) -> None:
        """A gap whose form says that it is not negative must not be so at points either."""
        for point in range(3):
            twin = world.twin(point)
            for (one,) in instances((gap,), world.T, self._first):
                for env in twin.assignments(free(one)):
                    if twin.value(one, env).at(point) < -1e-9:
                        raise Unproved(f"in a {world.name}: the gap {gap} is negative")

    def latex(self) -> str:
        """The derivation as one aligned block."""
        rows = [(step.relation, step.expression, step.words) for step in self.steps]
        return aligned(self.start, rows)

    def _repr_latex_(self) -> str:
        return f"$$\\displaystyle {self.latex()}$$"


def _proved_by_rules(one: Rule) -> list[Any]:
    """The proofs of a rule that are by rules themselves."""
    if one in (hypothesis, algebra):
        return []
    return [shown for shown in proof(one) or () if shown.rules["steps"]]


def _claim(steps: Iterable[Sequence[Sequence[Rule]]]) -> dict[str, Any]:
    """For which chains some steps hold, given the rules of each, case by case."""
    claim: dict[str, Any] = {"T": "every", "d": "every"}
    allowed: list[set[str]] = []
    given: set[str] = set()
    for alternatives in steps:
        for rules in alternatives:
            small = any(one.claim.get("d") == [1] for one in rules)
            if small and not any(one.lifts for one in rules):
                claim["d"] = [1]
            given |= {words for one in rules for words in one.claim.get("given", ())}
        found = [own for own in map(kernels_of, alternatives) if own]
        allowed += [set.union(*found)] if found else []
    if allowed:
        claim["kernels"] = sorted(set.intersection(*allowed))
    return claim | ({"given": sorted(given)} if given else {})


def _same(left: Expr, right: Expr, e: Expr, steps: Steps) -> Expr | None:
    """The right side where the left side is this expression."""
    return right if type(e) is type(left) and canonical(e) == left else None


def _at_step(left: Expr, right: Expr, first: int, e: Expr, steps: Steps) -> Expr | None:
    """The right side at the step at which the left side is this expression."""
    if type(e) is not type(left):
        return None
    looked_at = canonical(e)
    anchors = [index for index in _indices(left) if index.has(lang.t)]
    if not anchors:
        return right if looked_at == left else None
    for index in _indices(e):
        shift = sp.expand(index - anchors[0] + lang.t)
        inside = steps.never_negative(shift - first) and steps.never_negative(lang.T - shift)
        if inside and canonical(left.subs(lang.t, shift)) == looked_at:
            return right.subs(lang.t, shift)
    return None


def known(lines: Sequence[Expr], first: int) -> Steps:
    """The range of t, if it occurs, and the least T: the chain has the states of the lines."""
    indices = [index for line in lines for index in _indices(line)]
    steps = Steps(least=max([1, *(int(i) for i in indices if i.is_Integer)]))
    used = any(lang.t in line.free_symbols for line in lines)
    return steps.bound(lang.t, sp.Integer(first), lang.T) if used else steps


def _indices(expr: Expr) -> list[Any]:
    """The steps that states, spans and rates stand at."""
    found = {index for state in expr.atoms(lang.State, lang.Span) for index in state.args}
    found |= {rate.args[1] for rate in expr.atoms(lang.Rate, lang.Slope)}
    return sorted(found, key=sp.default_sort_key)
