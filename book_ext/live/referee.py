"""What runs in the page: the program of a proof, what it proved, and why it was refused.

Answers are JSON.  ``kind`` is "proved", "refused" (a statement does not hold) or "stopped" (the
program has a mistake, or says nothing).
"""

import json
import traceback
from types import SimpleNamespace
from typing import Any

from dpm_lib import symbolic
from dpm_lib.symbolic import by

CELL = "<the box>"

proofs: list[tuple[str, Any, dict[str, Any]]] = []
"""Equation, derivation and mutants of the program that was checked last."""


def check(source: str) -> str:
    """Run a program and say what it proves."""
    proofs.clear()
    names = {name: getattr(symbolic, name) for name in symbolic.__all__}
    names |= {"by": by, "dpm": SimpleNamespace(prove=_prove), "__name__": CELL}
    try:
        exec(compile(source, CELL, "exec"), names)
    except symbolic.Unproved as error:
        return _json("refused", str(error), error, sides=_sides(error))
    except BaseException as error:  # whatever a reader may type
        return _json("stopped", f"{type(error).__name__}: {error}", error)
    if not proofs:
        return _json("stopped", "nothing is proved here: a proof ends with dpm.prove(…)")
    return json.dumps({"kind": "proved", "proofs": [_shown(*proof) for proof in proofs]})


def damage(name: str) -> str:
    """Put a mutant of the checked proof in the place of its last line."""
    for equation, derivation, mutants in proofs:
        if name in mutants:
            claimed = mutants[name]
            right = getattr(claimed, "raised", claimed)
            apart = derivation.refuses(claimed)
            start = derivation.left if hasattr(derivation, "left") else derivation.start
            return json.dumps({
                "kind": "proved" if apart is None else "refused", "equation": equation,
                "sides": [symbolic.latex(start), symbolic.latex(right)], "apart": apart,
                "worlds": list(derivation.worlds),
            })  # fmt: skip
    return _json("stopped", f"no mutant is called {name!r}")


def slips() -> str:
    """Every damage by one slip of the pen, of each line of the checked proofs."""
    try:
        found = [derivation.slips() for _, derivation, _ in proofs]
    except symbolic.Unproved as error:
        return _json("refused", str(error), error)
    equal = [name for one in found for name in one.equal]
    refused = sum(one.refused for one in found)
    return json.dumps({"kind": "proved", "refused": refused, "equal": equal})


def _prove(equation: str, derivation: Any, *, mutants: dict[str, Any]) -> None:
    if type(derivation) not in (symbolic.Derivation, symbolic.Induction):
        raise TypeError("derivation must be a Derivation or an Induction")
    if not mutants:
        raise ValueError("mutants must name at least one damaged formula")
    for name, mutant in mutants.items():
        if derivation.refuses(mutant) is None:
            raise symbolic.Unproved(f"the mutant {name!r} says the same as the proved formula")
    proofs.append((equation, derivation, dict(mutants)))


def _shown(equation: str, derivation: Any, mutants: dict[str, Any]) -> dict[str, Any]:
    return {
        "equation": equation,
        "latex": derivation.latex(),
        "statement": derivation.statement,
        "steps": derivation.count,
        "by_rules": derivation.rules["steps"],
        "worlds": list(derivation.worlds),
        "mutants": list(mutants),
    }


def _sides(error: Any) -> list[str]:
    return [symbolic.latex(side) for side in error.sides]


def _json(kind: str, words: str, error: BaseException | None = None, **more: Any) -> str:
    line = None
    if error is not None:
        places = traceback.extract_tb(error.__traceback__)
        lines = [place.lineno for place in places if place.filename == CELL]
        line = lines[-1] if lines else getattr(error, "lineno", None)
    return json.dumps({"kind": kind, "words": words, "line": line, **more})
