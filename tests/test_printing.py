"""The printed formula: a reader reads it back as the object that was printed."""

import ast
import contextlib
import functools
import re
from dataclasses import replace
from types import SimpleNamespace

import jupytext
import pytest
import sympy as sp
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reader import TABLE, read
from sympy import Abs, Add, I, Integer, Mul, Pow, Rational, nan, zoo

from book_ext import house
from dpm_lib.symbolic import (
    KL,
    Bern,
    BinomialChain,
    Dot,
    Entropy,
    Expect,
    Factor,
    FiniteChain,
    GaussianChain,
    Int,
    Kernel,
    Logistic,
    Normal,
    Product,
    Square,
    Sum,
    T,
    Tilted,
    Variable,
    Z,
    alpha_bar,
    beta,
    by,
    d,
    exp,
    free_states,
    h,
    latex,
    log,
    m_2,
    mu_0,
    n,
    p,
    pi,
    pi_number,
    q,
    rho,
    s,
    sqrt,
    t,
    x,
)  # fmt: skip
from dpm_lib.symbolic.printing import aligned

STEPS = p(x[t - 1] | x[t]) / q(x[t] | x[t - 1])
CHAIN = Product(q(x[t] | x[t - 1]), (t, 1, T))
MASS = Int(q(x[0]), x[0])
RATES, LEFT = (Sum(rate[t], (t, 1, T)) for rate in (beta, alpha_bar))
PAGES = [
    page
    for page in house.pages()
    if "{code-cell}" in house.source(page) and "dpm_lib.symbolic" in house.source(page)
]
WORLDS = [
    FiniteChain(T=2),
    BinomialChain(T=2),
    GaussianChain(T=2),
    BinomialChain(T=2, factor="any"),
]
Y = Variable("y")


# reading back


def names_of(expr):
    """What the letters of an expression mean that the table of symbols does not hold."""
    letters = [*expr.atoms(sp.Symbol), *(a for a in expr.atoms(Variable) if type(a) is Variable)]
    return {latex(letter): letter for letter in letters if latex(letter) not in TABLE}


def same(one, other):
    """Whether two expressions are one object, or have one value in a world that knows them."""
    if one == other:
        return True
    for world in WORLDS:
        fixed = [side.subs({T: world.T, t: world.T}) for side in (one, other)]
        try:
            states = set().union(*map(free_states, fixed))
            values = [
                [world.value(side, env) for side in fixed] for env in world.assignments(states)
            ]
        except ValueError:
            continue  # this world has no value for them
        return all(left == right for left, right in values)
    return False


def doubled(text):
    """Whether a superscript follows a superscript, which LaTeX refuses."""
    found = False
    while "{" in text:
        text = re.sub(r"\{[^{}]*\}", "0", text)
        found |= bool(re.search(r"\^\w\^", text))
    return found


PASSED_OVER = (
    NameError, AttributeError, LookupError, TypeError, ValueError, AssertionError,
)  # fmt: skip


@functools.cache
def lines_of(page):
    """The lines of the derivations of a page, and how many derivations its cells spell out.

    Statements run in the page's order, without the proofs; those that need more than SymPy and
    the language lack a name, or what such a statement would have made, and are passed over.
    """
    found, spelt, namespace = [], 0, {"display": print, "Math": str}

    def derivation(start, *steps, **_):
        found.append([start, *(step.expression for step in steps)])
        found[-1] += [step.gap for step in steps if step.gap is not None]
        return SimpleNamespace(result=lambda *words: replace(by.algebra, name=words[0]))

    noted = {"Derivation": derivation, "Induction": lambda *sides: found.append([*sides[:2]])}
    for cell in jupytext.read(house.BOOK / f"{page}.md", fmt="md:myst").cells:
        for statement in ast.parse(cell.source).body if cell.cell_type == "code" else []:
            calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
            spelt += sum(isinstance(f, ast.Name) and f.id in noted for f in calls)
            imports = isinstance(statement, ast.Import | ast.ImportFrom)
            if imports and getattr(statement, "module", "") not in ("sympy", "dpm_lib.symbolic"):
                continue
            with contextlib.suppress(*PASSED_OVER):
                exec(ast.unparse(statement), namespace)
            namespace |= noted
    return [[sp.sympify(line) for line in lines] for lines in found], spelt


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_the_book_reads_back(page):
    """Each printed line of each derivation is read as the object that was proved."""
    derivations, spelt = lines_of(page)
    assert len(derivations) >= spelt > 0
    for line in (line for lines in derivations for line in lines):
        text = latex(line)
        assert same(read(text, names_of(line)), line), text
        assert not doubled(text), text


@pytest.mark.parametrize("page", PAGES)
def test_the_block_of_a_derivation_holds_its_lines(page):
    """Without its signs of layout and its reasons, a block is its lines one after another."""
    for start, *lines in lines_of(page)[0]:
        block = aligned(start, [("=", line, "a reason of some length") for line in lines])
        for sign in (r"\begin{aligned}", r"\end{aligned}", r"\\", "&", r"\quad", r"\qquad"):
            block = block.replace(sign, "")
        block = block.replace(r"\small\text{(a reason of some length)}", "")
        whole = "=".join(map(latex, [start, *lines]))
        assert "".join(block.split()) == "".join(whole.split())


LEAVES = [
    q(x[0]), p(x[1] | x[0]), pi(x[2]), Kernel(x[1], x[0], beta[1]), Normal(x[1], mu_0, 1),
    Bern(x[1], rho), Entropy(q(x[1] | x[0])), KL(q(x[0]), p(x[0])), h(rho), Square(x[0]),
    Dot(x[0], x[1] - mu_0), Logistic(mu_0), Factor(x[1]), Tilted(x[0]), Tilted(x[0], x[1]), Z[1],
    beta[1], alpha_bar[2], rho, d, x[0], Y, pi_number, Integer(-1), Integer(3), Rational(2, 3),
]  # fmt: skip
POWERS = [Integer(-2), Integer(-1), Rational(-1, 2), Rational(1, 2), Integer(2), n]


def grown(part):
    """Expressions one storey higher."""
    parts = st.lists(part, min_size=2, max_size=3)
    return st.one_of(
        parts.map(lambda a: Add(*a)),
        parts.map(lambda a: Mul(*a)),
        st.builds(Pow, part, st.sampled_from(POWERS)),
        part.map(log),
        part.map(exp),
        part.map(h),
        part.map(lambda a: -a),
        part.map(lambda a: Int(a, x[0])),
        part.map(lambda a: Int(a, x[1], Y)),
        part.map(lambda a: Sum(a * beta[t], (t, 1, T))),
        part.map(lambda a: Sum(Sum(a, (t, 1, s)), (s, 2, T))),
        part.map(lambda a: Product(a, (t, 1, T))),
        part.map(lambda a: Expect(q(x[0]), a)),
        part.map(lambda a: Kernel(x[1], x[0], a)),
        part.map(lambda a: KL(Bern(x[0], a), p(x[0]))),
        st.builds(lambda a, b: Normal(x[0], a, b), part, part),
    )


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(st.sampled_from(LEAVES), grown, max_leaves=8))
def test_every_expression_of_the_language_reads_back(expr):
    """Whatever is built from the language is read back as the same object."""
    assume(not expr.has(I, zoo, nan, Abs))
    text = latex(expr)
    assert read(text, {"y": Y}) == expr
    assert not doubled(text)


# printing


def test_a_double_superscript_is_noticed():
    """The search finds what LaTeX refuses and lets indices, primes and powers pass."""
    assert doubled(r"x^{(0)}^{2}")
    assert doubled(r"\sqrt{\Vert x\Vert^2^{n}}")
    assert not doubled(r"\left(x^{(0)}\right)^{2}+y'^{2}+2^{n^{2}}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1 / q(x[0]), -q(x[0])),
        ((1 - beta[1]) ** -2, Mul(-2, 1 - beta[1], evaluate=False)),
        (MASS**2, Int(q(x[0]) ** 2, x[0])),
        (MASS * RATES, Int(q(x[0]) * RATES, x[0])),
        (RATES**2, Sum(beta[t] ** 2, (t, 1, T))),
        (CHAIN * log(p(x[T])), Product(CHAIN.function * log(p(x[T])), (t, 1, T))),
        (RATES + 1, Sum(beta[t] + 1, (t, 1, T))),
        (Sum(Sum(beta[t], (t, 1, s)), (s, 1, T)), Sum(beta[t], (t, 1, s))),
        (log(q(x[0])) ** 2, log(q(x[0]) ** 2)),
        (pi_number * (1 - rho), pi(x[0]) * (1 - rho)),
        (x[0] ** 2, x[2]),
    ],
)
def test_different_objects_print_differently(one, other):
    """Pairs that differ by a bracket, a sign or a power."""
    assert latex(one) != latex(other)
    for expr in (one, other):
        assert same(read(latex(expr)), expr)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (q(x[t - 1] | (x[t], x[0])), r"q(x^{(t-1)}\mid x^{(t)},x^{(0)})"),
        (sqrt(alpha_bar[t]) * x[0], r"\sqrt{\bar\alpha_{t}}\,x^{(0)}"),
        (Product(STEPS, (t, 1, T)), r"\prod_{t=1}^{T}\frac{p(x^{(t-1)}\mid x^{(t)})}"
         r"{q(x^{(t)}\mid x^{(t-1)})}"),
        (-Entropy(p(x[T])), r"-H_p(X^{(T)})"),
        (d / 2 * (1 - m_2), r"\frac{d}{2}\left(1-m_{2}\right)"),
        (Expect(q(x[0]), log(p(x[1]))), r"E_{q(x^{(0)})}\Big[\log p(x^{(1)})\Big]"),
        (sqrt(alpha_bar[1]) * mu_0, r"\mu_{0}\,\sqrt{\bar\alpha_{1}}"),
        (1 / q(x[0]), r"\frac{1}{q(x^{(0)})}"),
        ((1 - beta[1]) ** -2, r"\frac{1}{\left(1-\beta_{1}\right)^{2}}"),
        (MASS**2, r"\left(\int dx^{(0)}\;q(x^{(0)})\right)^{2}"),
        (x[t] ** 2, r"\left(x^{(t)}\right)^{2}"),
        (pi_number * (1 - rho), r"\pi\,\left(1-\rho\right)"),
        (Int(-q(x[0]), x[0]), r"\int dx^{(0)}\;\left(-q(x^{(0)})\right)"),
        (CHAIN * log(p(x[T])), r"\left(\prod_{t=1}^{T}q(x^{(t)}\mid x^{(t-1)})\right)"
         r"\,\log p(x^{(T)})"),
        (Mul(2, Mul(-1, RATES, evaluate=False), rho, evaluate=False),
         r"-2\,\rho\,\sum_{t=1}^{T}\beta_{t}"),
        (Mul(-1, 1, evaluate=False), "-1"),
        (Integer(-1) ** n, r"\left(-1\right)^{n}"),
        (RATES * LEFT, r"\left(\sum_{t=1}^{T}\bar\alpha_{t}\right)\,\sum_{t=1}^{T}\beta_{t}"),
        (RATES * q(x[0]) * 2, r"2\,q(x^{(0)})\,\sum_{t=1}^{T}\beta_{t}"),
        (Sum(Sum(beta[t], (t, 1, s)), (s, 1, T)), r"\sum_{s=1}^{T}\sum_{t=1}^{s}\beta_{t}"),
    ],
)  # fmt: skip
def test_expressions_are_printed_as_the_field_writes_them(expr, text):
    """The LaTeX of typical expressions."""
    assert latex(expr) == text


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("other", [Entropy(p(x[T])), -Entropy(p(x[T])), log(pi(x[0])), beta[1]])
def test_a_sum_reads_its_sums_over_steps_first(other, sign):
    """Before entropies, logarithms and rates, with either sign."""
    assert latex(other + sign * RATES).startswith(latex(sign * RATES))


def test_long_lines_are_broken_and_long_reasons_stand_below():
    """A sum that fits stays whole; a longer one breaks at a sign, its reason under it."""
    short, long = log(q(x[0])), sum(log(q(x[k] | x[k - 1])) for k in range(1, 6))
    block = aligned(short, [("=", p(x[0]), "why")])
    assert block.count(r"\\") == 0
    assert r"p(x^{(0)}) \quad \small\text{(why)}" in block
    block = aligned(short, [("=", p(x[0]), "why" * 20)])
    assert r"p(x^{(0)}) \\ &\qquad \small" in block
    _, first, second, reason = aligned(long, [("=", long, "why" * 20)]).split(r" \\ ")[1:]
    assert first.startswith("&= ")
    assert second.startswith(r"&\qquad +\log q")
    assert reason.startswith(r"&\qquad \small")


# the reader


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        (r"\int dx^{(0)}\;q(x^{(0)})\,\beta_{1}+1", Int(q(x[0]) * beta[1], x[0]) + 1),
        (r"\prod_{t=1}^{T}\beta_{t}\,\rho", Product(beta[t] * rho, (t, 1, T))),
        (r"\sum_{t=1}^{T}\beta_{t}-\rho", RATES - rho),
        (r"\log\rho\,d", log(rho) * d),
        (r"\log\rho^{2}", log(rho**2)),
        (r"\pi\,(1-\rho)", pi_number * (1 - rho)),
        (r"\rho(1-\rho)", rho * (1 - rho)),
        (r"d\,x^{(0)}", d * x[0]),
        (r"\mathcal N(x^{(1)};0,\beta_{1} I)", Normal(x[1], 0, beta[1])),
    ],
)
def test_the_reader_follows_the_conventions(text, expr):
    """The conventions of its docstring, one by one."""
    assert read(text) == expr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"x^{(0)}^{2}", "no second superscript"),
        (r"\Vert x^{(0)}\Vert^2^{2}", "no second superscript"),
        (r"\sum_{t=1}^{T}-\beta_{t}", "table of symbols"),
        (r"\pi\left(1-\rho\right)", "a state"),
        (r"\zeta\,\rho", "table of symbols"),
        (r"q(x^{(0)}", ")"),
        (r"\rho)", "the end"),
        (r"\beta", "_"),
    ],
)
def test_the_reader_refuses_what_has_no_single_meaning(text, expected):
    """A second superscript, a minus inside a product, a prior of a number, broken brackets."""
    with pytest.raises(ValueError, match=re.escape(f"{expected} expected")):
        read(text)
