"""What the build of the book adds to Jupyter Book (``sphinx.local_extensions`` in _config.yml).

* ``house``: where things are, which pages there are, where executed chapters are kept.
* ``equations``: the directive ``{equation}``, a proved formula with its passport.
* ``cells``: code below what it shows, folded.
* ``symbols``: the letters of a formula, each of which must be declared.
* ``graph``: which equation rests on which, as a picture.
* ``map``: the derivation of the bound as boxes that link to its equations.
* ``html``, ``ledger``: passports and the ledger, from ``dpm_lib.evidence.ledger.entries()``.
* ``live``: boxes in which proofs run in the page.
* ``alone``: figures to touch, each as a page of its own.
* ``hints``: the rows of the table of symbols, for the script that shows them on symbols.
* ``names``: links from names in the cells of a page to what the library says of them.
* ``origin``: links to the sources; the last line of a page, how it was made.
* ``pages``: ``{ledger}``, ``{symbols}`` and the API reference.
* ``notebooks``: each chapter as a notebook to take away.
* ``typography``: punctuation that stays with its formula, numbers that do not break.
* ``mathjax``: MathJax from the site itself.
* ``weight``: the theme without the parts that no page uses.
"""

from typing import Any


def setup(app: Any) -> dict[str, bool]:
    from book_ext import (
        alone,
        cells,
        equations,
        hints,
        house,
        live,
        map,
        mathjax,
        names,
        notebooks,
        origin,
        pages,
        typography,
        weight,
    )

    parts = (
        house, mathjax, equations, cells, typography, map, notebooks, pages, live, alone, hints,
        names, origin, weight,
    )  # fmt: skip
    for part in parts:
        part.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
