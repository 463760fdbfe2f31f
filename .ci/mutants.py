"""Damage the library one expression at a time, and see whether its tests notice.

Each mutant differs from the library in one place: an operator, a comparison, a number, a sign, a
function left out, a branch never taken.  The tests of its room run in a copy of the repository
until one fails.  A mutant that none refuses has survived: the tests have no force there, or it
means the same (a person says which, in EQUIVALENT).

    python .ci/mutants.py --minutes 10            a sample, until the time is up
    python .ci/mutants.py --count 400 --seed 1    that many, however long it takes
"""

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 150
"""Seconds after which a mutant that still runs counts as noticed: it does not end."""

BROKEN = 99

NUMERIC = "kernels third_kernel bounds chains draws exact model training learning bad_calls"
TESTS = {
    "doors": "bad_calls model",
    "schedules": f"schedules {NUMERIC}",
    "kernels": f"{NUMERIC} schedules",
    "forward": f"chains bounds {NUMERIC}",
    "protocol": f"bad_calls model {NUMERIC}",
    "reverse": f"chains model bounds {NUMERIC}",
    "likelihood": f"chains model {NUMERIC}",
    "bounds": f"bounds {NUMERIC}",
    "entropies": "entropies bad_calls",
    "perturbation": "perturbation bad_calls",
    "conditioning": "conditioning bad_calls",
    "exact": f"exact {NUMERIC}",
    "learning/networks": "pictures learning model checkpoints third_kernel bounds bad_calls",
    "learning/data": "pictures learning bad_calls",
    "learning/objectives": "training bad_calls",
    "learning/parallel": "parallel",
    "learning/training": "training learning model runs third_kernel bad_calls parallel",
    "learning/settings": "training learned_rates learning bad_calls",
    "learning/batches": "training pictures bad_calls",
    "learning/learned_rates": "learned_rates training",
    "learning/windows": "windows bad_calls",
    "learning/splits": "pictures learning bad_calls",
    "learning/diffusions": "learned_rates learning runs",
    "learning/recipes": "learned_rates learning runs",
    "learning/experiments": "learning runs cli",
    "learning/checkpoints": "checkpoints runs bad_calls",
    "learning/runs": "runs parallel",
    "learning/evaluation": "learning checkpoints model storage third_kernel bad_calls cli",
    "evidence": "evidence provenance storage usage passports cache cli layout row bad_calls",
    "symbolic": "refusals symbolic rules printing row",
    "explore": "explore",
    "plots": "plots bad_calls",
    "cli": "cli row",
    "__main__": "cli",
}
"""The tests of each room, those first that are likely to notice."""

UNTRIED = {"explore/teach": "a training of minutes; what it made is tested"}
"""Modules that are left out, and why."""

EQUIVALENT = {
    "kernels/base.py: return self.prior((1, *event_shape), torch.float64).entropy()[0]: 1 -> 2":
        "the first of two equal entropies",
    "symbolic/rules/sums.py: if found is None or found[0] <= 0 or not all(positive(a) "
    "for a, _ in found[1]):: found[0] <= 0 -> found[0] < 0": "SymPy keeps no logarithm of 0",
    "symbolic/printing.py: if margin > 20 or margin + widest > _PAGE:: "
    "margin + widest > _PAGE -> margin + widest >= _PAGE": "how a line of print is broken",
    "symbolic/proofs/probability.py: spans = [q(x[T] | x[0 : T - 1]), p(x[0] | x[1:T])]: 1 -> 2":
        "the rule is shown on another true example",
    "symbolic/algebra/scalars.py: self.value ** (int(exponent) if exponent.denominator == 1 else "
    "float(exponent)): int(exponent) if exponent.denominator == 1 else float(exponent) -> "
    "int(exponent) if False else float(exponent)": "a float raised to either is the same",
    "symbolic/printing.py: under = [1 / f for f in rest if _exponent(f) < 0]: 0 -> 1":
        "it is 1 or -1",
    "symbolic/rules/ring.py: power.is_Integer or (coefficient > 0 and all(a.is_positive for a, _ "
    "in powers)): coefficient > 0 -> coefficient >= 0": "a polynomial holds no coefficient 0",
    "exact/mixture.py: POINTS = 2**23: 23 -> 24": "how much memory a grid may take",
    "exact/mixture.py: REACH = 9.0: 9.0 -> 10.0": "there the density is less than rounding",
    "exact/law.py: DENSITY_NUMBERS = 2**20: 2 ** 20 -> 2 * 20":
        "how much memory a chunk of rows may take",
    "exact/law.py: DENSITY_NUMBERS = 2**20: 20 -> 21": "how much memory a chunk of rows may take",
    "symbolic/proofs/diffusion.py: EDGE = [GaussianChain(T=2, edge=True), BinomialChain(T=2, "
    "edge=True)]: 2 -> 3": "the rule is shown in longer chains",
    "symbolic/proofs/probability.py: spans = [q(x[T] | x[0 : T - 1]), p(x[0] | x[1:T])]: 0 -> 1":
        "the rule is shown on another true example",
    "symbolic/proofs/probability.py: in_worlds(r.nested, Expect(q(x[0], x[1]), pair), Expect("
    "p(x[0], x[2]), log(q(x[0]) / q(x[2])))): 0 -> 1": "the rule is shown on another true example",
    "symbolic/proofs/probability.py: Int(q(x[0]) * log(p(x[1])) + p(x[0]), x[0]),: 1 -> 2":
        "the rule is shown on another true example",
    "perturbation.py: likely = (rate > 0.5).to(rate.dtype): rate > 0.5 -> rate >= 0.5":
        "of a bit at one half, neither value is the likelier one",
    "learning/windows.py: ROWS = 1024: 1024 -> 1025": "how much memory distances may take",
    "learning/batches.py: while found < n:: found < n -> found <= n":
        "a batch is loaded ahead, and its examples come next",
    "conditioning/lookahead.py: x = law.like.new_ones(2, *law.event_shape): 2 -> 3":
        "laws are compared at one state more",
    "conditioning/sampling.py: origin, other = torch.zeros_like(like), torch.full_like(like, -1.7)"
    ": 1.7 -> 2.7": "any state off the axes tells whether steps are linear",
    "conditioning/sampling.py: if _size(log_w) < resample_below * n:: _size(log_w) < "
    "resample_below * n -> _size(log_w) <= resample_below * n":
        "samples of just that size may be drawn anew or kept",
    "explore/two_bells.py: (-0.3, -2, 25),: 25 -> 26": "another step at which a page is checked",
    "explore/clouds.py: POINTS, FIRST = 300, 16: 16 -> 17": "the first picture is a choice",
    "explore/studio.py: return torch.cat([loss[None], slope[chosen], parameters[chosen]]).detach()"
    ": torch.cat([loss[None], slope[chosen], parameters[chosen]]).detach() -> "
    "torch.cat([loss[None], slope[chosen], parameters[chosen]])": "a page holds the numbers alone",
    "learning/learned_rates.py: count, total = (D.new_zeros(kernel.T + 1).index_add(0, t, w) for w "
    "in (torch.ones_like(D), D)): 1 -> 2": "a table with a place to spare",
    "conditioning/lookahead.py: x[0] = 0: 0 -> 1":
        "the states at which two laws are compared; those that differ do so at each",
}  # fmt: skip
"""Mutants that mean the same, ``file: line: before -> after``, and why."""

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
LEFT_OUT = {"sqrt", "exp", "log", "square", "abs", "flip", "clamp", "cumsum", "double", "clone",
            "detach", "unique", "expand", "doit", "copy", "strip", "items"}  # fmt: skip


def damaged(node):
    """Change the node in place; False if there is nothing to damage in it."""
    match node:
        case ast.BinOp() | ast.BoolOp() if type(node.op) in OPERATORS:
            node.op = OPERATORS[type(node.op)]()
        case ast.Compare(ops=[op]) if type(op) in OPERATORS:
            node.ops = [OPERATORS[type(op)]()]
        case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
            node.op = ast.UAdd()
        case ast.UnaryOp(op=ast.Not()):
            become(node, node.operand)
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float()):
            node.value = node.value + 1
        case ast.Call(func=ast.Attribute(attr=name), keywords=[]) if name in LEFT_OUT:
            become(node, node.func.value)
        case ast.If() | ast.IfExp():
            node.test = ast.Constant(False)
        case _:
            return False
    return True


def become(node, other):
    node.__class__ = other.__class__
    node.__dict__ = other.__dict__


def untouched(tree):
    """Nodes that no number depends on: messages, annotations, imports, lists of names."""
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            parts.append(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            parts.append(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts += node.decorator_list
        for part in filter(None, parts):
            yield from ast.walk(part)


def sites(path):
    """All places of a file that can be damaged, as numbers of nodes."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    skipped = set(map(id, untouched(tree)))
    return [
        (path, place)
        for place, node in enumerate(ast.walk(tree))
        if id(node) not in skipped and damaged(copy.deepcopy(node))
    ]


def mutant(path, place):
    """The text of a file with one damage, and what it is in words."""
    source = path.read_text(encoding="utf8")
    tree = ast.parse(source)
    node = list(ast.walk(tree))[place]
    line, before = source.splitlines()[node.lineno - 1].strip(), headline(node)
    damaged(node)
    name = path.relative_to(ROOT / "dpm_lib").as_posix()
    what = f"{name}: {line}: {before} -> {headline(node)}"
    return ast.unparse(ast.fix_missing_locations(tree)), what


def headline(node):
    """A node in a line: of a branch, its condition."""
    return ast.unparse(node).splitlines()[0][:90]


def module(path):
    """A file as the tables name it."""
    return path.relative_to(ROOT / "dpm_lib").with_suffix("").as_posix()


def room(path):
    """The room of a file, a key of TESTS."""
    name = module(path)
    if name in UNTRIED:
        return None
    return next((key for key in TESTS if f"{name}/".startswith(f"{key}/")), None)


def notice(slot, path, text):
    """In a process of its own: run the tests of a room on a mutant, exit with what they say."""
    file = slot / path.relative_to(ROOT)
    file.write_text(text, encoding="utf8")
    tests = dict.fromkeys(f"tests/test_{name}.py" for name in TESTS[room(path)].split())
    os.chdir(slot)
    sys.path.insert(0, str(slot))
    os.environ |= {"DPM_EVIDENCE": tempfile.mkdtemp(), "PYTHONPATH": str(slot)}
    os.setpgid(0, 0)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.alarm(PATIENCE)
    log = os.open(slot / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        import pytest

        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", str(file), *tests])
    except BaseException:
        traceback.print_exc()
        code = BROKEN
    sys.stdout.flush()
    os._exit(code)


def copies(count, folder):
    """As many copies of the repository as run at a time."""
    for n in range(count):
        slot = Path(folder) / str(n)
        shutil.copytree(
            ROOT, slot, ignore=shutil.ignore_patterns("_build", ".git", ".*cache", ".venv")
        )
        yield slot


def check_tables(rooms):
    """Refuse a room, a file of tests or a line of the library that is none."""
    if unknown := set(rooms) - TESTS.keys():
        raise SystemExit(f"rooms must be among {', '.join(TESTS)}, got {', '.join(unknown)}")
    named = {name for names in TESTS.values() for name in names.split()}
    if missing := [name for name in named if not (ROOT / f"tests/test_{name}.py").exists()]:
        raise SystemExit(f"TESTS must name files of tests, got {', '.join(missing)}")
    for what in EQUIVALENT:
        file, _ = what.split(": ", 1)
        lines = (ROOT / "dpm_lib" / file).read_text(encoding="utf8").splitlines()
        if not any(what.startswith(f"{file}: {line.strip()}: ") for line in lines):
            raise SystemExit(f"EQUIVALENT must name lines that stand, got {what}")


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--count", type=int, default=10**6)
    asked.add_argument("--minutes", type=float, default=10**6)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--rooms", default=",".join(TESTS))
    asked.add_argument("--workers", type=int, default=os.cpu_count())
    asked = asked.parse_args()
    check_tables(asked.rooms.split(","))
    files = sorted((ROOT / "dpm_lib").rglob("*.py"))
    for file in files:
        if room(file) is None and (places := len(sites(file))):
            why = UNTRIED.get(module(file), "no tests are named in TESTS")
            print(f"no room: {module(file)}, {places} places ({why})")
    pool = [site for file in files if room(file) in asked.rooms.split(",") for site in sites(file)]
    random.Random(asked.seed).shuffle(pool)
    print(f"{len(pool)} places, {min(asked.count, len(pool))} asked for", flush=True)
    warm_up()
    end, killed, late = time.monotonic() + 60 * asked.minutes, 0, []
    survivors, same = [], []
    with tempfile.TemporaryDirectory() as folder:
        free, running, waiting = list(copies(asked.workers, folder)), {}, pool[: asked.count]
        while running or (waiting and time.monotonic() < end):
            while free and waiting and time.monotonic() < end:
                path, place = waiting.pop(0)
                text, what = mutant(path, place)
                slot = free.pop()
                if not (child := os.fork()):
                    notice(slot, path, text)
                running[child] = slot, path, what
            child, status = os.wait()
            slot, path, what = running.pop(child)
            shutil.copy(path, slot / path.relative_to(ROOT))
            free.append(slot)
            if os.waitstatus_to_exitcode(status) == BROKEN:
                raise RuntimeError(f"{what}\n{(slot / 'log').read_text()}")
            if status:
                killed += 1
                late += [what] * (os.waitstatus_to_exitcode(status) == -signal.SIGKILL)
            elif what in EQUIVALENT:
                same.append(what)
            else:
                survivors.append(what)
                print(f"SURVIVED {what}", flush=True)
            if (killed + len(survivors) + len(same)) % 10 == 0:
                print(f"{killed} noticed, {len(survivors)} survived", flush=True)
    for what in same:
        print(f"the same: {what} ({EQUIVALENT[what]})")
    for what in late:
        print(f"noticed since it did not end in {PATIENCE} s: {what}")
    tried = killed + len(survivors)
    print(f"{killed} of {tried} noticed, {killed / max(1, tried):.1%}; {len(same)} mean the same")


def warm_up():
    """Load what every test loads, once for all; not the library, nor what knows the repository."""
    import jupytext
    import matplotlib.pyplot
    import scipy.stats
    import sympy
    import torch
    import torch._dynamo
    import typer.testing

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    del jupytext, matplotlib, scipy, sympy, typer


if __name__ == "__main__":
    main()
