r"""A reader of the book's formulas: LaTeX of one expression becomes an object of the language.

It knows nothing of the printer.  It reads as a mathematician does who has the table of symbols:

* Factors side by side, with or without a thin space, are a product.  Products bind before plus
  and minus.  A minus stands in front of an expression or between two terms, nowhere else.
* A sum, a product over steps and an integral take the whole product that follows, up to the next
  plus or minus or the end of the bracket.
* A logarithm takes the one factor that follows, with its power.
* A power belongs to the one factor that it is attached to.  A factor carries one superscript;
  x^{(t)} is a state, its superscript an index.
* q, p, pi, h and sigma directly before a bracket are functions of what the bracket holds, and so
  is r where ``names`` has no r.  A dot between two factors is their inner product.  Any other
  letter is a number, a rate with its step as subscript, or a state: ``names`` says which.
* dx after an integral sign is a measure.  I, the unit matrix, counts as 1.
* White space and the size of brackets mean nothing.

Grammar, with {…} for repetition, […] for what may be missing, and a form as in ``FORMS``::

    expression   ["-"] product { ("+" | "-") product }
    product      inner { inner }
    inner        factor [ "\cdot" factor ]
    factor       atom [ "^{" expression "}" ]
    atom         number | name | state | form
    vector       expression, up to the next "\Vert"
    measure      "d" state { "d" state }
    conditional  states [ "\mid" states ]
    states       state { "," state }
    state        name | "x^{(" expression [ "\cdots" expression ] ")}"
    name         letter [ "_{" … "}" ]
"""

import re
from itertools import takewhile

from sympy import Add, Integer, Mul, Pow, Symbol, Tuple

from dpm_lib import symbolic as sym
from dpm_lib.symbolic import Variable

TABLE = {
    "T": sym.T, "t": sym.t, "s": sym.s, "n": sym.n, "d": sym.d, r"\rho": sym.rho,
    "m_{2}": sym.m_2, r"\mu_{0}": sym.mu_0, "e": sym.e, r"\pi": sym.pi_number, "I": Integer(1),
    r"\beta": sym.beta, r"\alpha": sym.alpha, r"\bar\beta": sym.beta_bar,
    r"\bar\alpha": sym.alpha_bar, "v": sym.v,
}  # fmt: skip
IGNORED = r"\\(?:left|right|big|Big)(?![A-Za-z])|\s"
ACCENT = r"(?:\\bar|\\tilde)?"
TOKEN = rf"\\,\\Vert\\,|\\[,;]|{ACCENT}(?:\\[A-Za-z]+|[A-Za-z])'*|\d+|."
ENDS = {"", "+", "-", "=", ",", ";", ")", "]", "}", r"\mid", r"\cdots", r"\cdot", r"\,\Vert\,"}


def _density(law):
    return lambda states: sym.Density(Symbol(law), *states)


def _entropy(law):
    return lambda states: sym.Entropy(sym.Density(Symbol(law), *states))


FORMS = {
    "( expression )": lambda inside: inside,
    "[ expression ]": lambda inside: inside,
    r"\frac { \partial } { \partial name } [ expression ]":
        lambda rate, body: sym.Slope(body, rate),
    r"\frac { expression } { expression }": lambda top, bottom: top / bottom,
    r"\sqrt { expression }": sym.sqrt,
    r"\log factor": sym.log,
    r"\sum _ { name = expression } ^ { expression } product":
        lambda index, first, last, body: sym.Sum(body, (index, first, last)),
    r"\prod _ { name = expression } ^ { expression } product":
        lambda index, first, last, body: sym.Product(body, (index, first, last)),
    r"\int measure product": lambda states, body: sym.Int(body, states),
    "q ( conditional )": _density("q"),
    "p ( conditional )": _density("p"),
    r"\pi ( conditional )": _density("pi"),
    r"\tilde p ( conditional )": lambda states: sym.Tilted(*states[0], *states[1]),
    r"\tilde Z _ { expression }": lambda step: sym.Z[step],
    "r ( state )": sym.Factor,
    "H _ q ( conditional )": _entropy("q"),
    "H _ p ( conditional )": _entropy("p"),
    r"T _ \pi ( state \mid state ; expression )": sym.Kernel,
    r"\mathcal N ( state ; expression , expression )": sym.Normal,
    r"\mathcal B ( state ; expression )": sym.Bern,
    "E _ { expression } [ expression ]": sym.Expect,
    r"D _ { K L } ( expression \,\Vert\, expression )": sym.KL,
    r"\Vert vector \Vert ^ 2": sym.Square,
    r"\sigma ( expression )": sym.Logistic,
    "h ( expression )": sym.h,
}  # fmt: skip
RULES = {"expression", "product", "factor", "measure", "conditional", "state", "name", "vector"}


def read(text, names=None):
    """The expression that a formula stands for; ``names`` adds to the table of symbols."""
    reader = _Reader(text, TABLE | (names or {}))
    expression = reader.expression()
    reader.take("")
    return expression


class _Reader:
    def __init__(self, text, names):
        self.text, self.names, self.at, self.between_bars = text, names, 0, False
        self.tokens = [token for _, token in re.findall(f"({IGNORED})|({TOKEN})", text) if token]

    def next(self, ahead=0):
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ""

    def skip(self, *tokens):
        """Whether these tokens come next; if so they are passed."""
        found = all(self.next(k) == token for k, token in enumerate(tokens))
        self.at += len(tokens) * found
        return found

    def take(self, token):
        if not self.skip(token):
            self.refuse(token or "the end")

    def refuse(self, expected):
        rest = "".join(self.tokens[self.at :]) or "the end"
        raise ValueError(f"{expected} expected, not {rest}, in {self.text}")

    def spaces(self):
        while self.skip(r"\,") or self.skip(r"\;"):
            pass

    def expression(self):
        self.spaces()
        terms = [Mul(-1 if self.skip("-") else 1, self.product())]
        while self.next() in ("+", "-"):
            sign = 1 if self.skip("+") else -1
            self.at += sign < 0
            terms.append(Mul(sign, self.product()))
        return Add(*terms)

    def product(self):
        factors = []
        while not factors or not self.ends():
            factors.append(self.factor())
            if self.skip(r"\cdot"):
                factors[-1] = sym.Dot(factors[-1], self.factor())
            self.spaces()
        return Mul(*factors)

    def ends(self):
        return self.next() in ENDS or (self.between_bars and self.next() == r"\Vert")

    def vector(self):
        self.between_bars = True
        found = self.expression()
        self.between_bars = False
        return found

    def factor(self):
        bare, base = self.next() not in ("(", "["), self.atom()
        if self.next() != "^":
            return base
        if bare and isinstance(base, sym.State | sym.Span | sym.Square):
            self.refuse("no second superscript")
        return Pow(base, *self.form(["^", "{", "expression", "}"]))

    def atom(self):
        for form, build in FORMS.items():
            lead = list(takewhile(lambda word: word not in RULES, form.split()))
            if not (lead == ["r", "("] and "r" in self.names) and self.skip(*lead):
                return build(*self.form(form.split()[len(lead) :]))
        if self.next().isdigit():
            self.at += 1
            return Integer(self.next(-1))
        return self.state() if self.is_state() else self.name()

    def form(self, words):
        """What the rules of a form have read, its signs passed."""
        found = []
        for word in words:
            if word in RULES:
                found.append(getattr(self, word)())
            else:
                self.take(word)
        return found

    def measure(self):
        states = []
        while not states or (self.next() == "d" and self.is_state(1)):
            self.take("d")
            states.append(self.state())
            self.spaces()
        return Tuple(*states)

    def conditional(self):
        groups = [self.states()]
        return [*groups, self.states() if self.skip(r"\mid") else Tuple()]

    def states(self):
        found = [self.state()]
        while self.skip(","):
            found.append(self.state())
        return Tuple(*found)

    def is_state(self, ahead=0):
        letter = self.next(ahead)
        indexed = [self.next(ahead + k) for k in (1, 2, 3)] == ["^", "{", "("]
        return (letter in ("x", "X") and indexed) or isinstance(self.names.get(letter), Variable)

    def state(self):
        if not self.is_state():
            self.refuse("a state")
        if self.next() not in ("x", "X"):
            return self.name()
        self.at += 4
        ends = [self.expression()]
        if self.skip(r"\cdots"):
            ends.append(self.expression())
        self.form([")", "}"])
        return sym.State(*ends) if len(ends) == 1 else sym.Span(*ends)

    def name(self):
        letter = self.next()
        if self.next(1) == "_":
            group, _, _ = "".join(self.tokens[self.at :]).partition("}")
            if f"{group}}}" in self.names:
                self.at = self.tokens.index("}", self.at) + 1
                return self.names[f"{group}}}"]
        if letter not in self.names:
            self.refuse("a letter of the table of symbols")
        self.at += 1
        meaning = self.names[letter]
        if not isinstance(meaning, type(sym.beta)):
            return meaning
        (step,) = self.form(["_", "{", "expression", "}"])
        return meaning[step]
