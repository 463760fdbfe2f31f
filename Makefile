# make book | test | mutants | slips | bench | lint | site | pdf | browser | screens | clean.  PYTHON
# chooses the interpreter of the virtual environment.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
READY := .venv/.ready
SITE := $(CURDIR)/_build/html/index.html

export PATH := $(BIN):$(PATH)
export OMP_NUM_THREADS ?= 1

.PHONY: book test mutants slips bench lint site check-site pdf browser screens setup clean

book: setup
	jupyter-book build book
	@echo "$(SITE)"

# Side by side; the ledger, which the chapters fill, comes last.
test: setup
	pytest --nbval -n auto
	pytest --nbval tests/test_ledger.py

# Which damages of the library its tests do not notice: a sample, in ten minutes.
mutants: setup
	python .ci/mutants.py --minutes 10

# How many damages of each derivation, made by machine, its proof has refused.
slips: setup
	dpm slips

# Time against bare PyTorch and other libraries, in turns, and how it grows: results/benchmarks.
bench: setup
	set -e; for question in growth training sampling whole_bound noising binomial; do \
	  python benchmarks/$$question.py; done

lint: setup
	.ci/lint

# The strict build, of all pages: a warning is an error, and the result is checked.
site: setup
	rm -rf _build/html _build/.doctrees
	jupyter-book build book -W --keep-going -n
	$(MAKE) check-site

check-site: setup
	python .ci/site.py

# The built site in Chromium: errors, accessibility, phones, weight; a line of numbers for each page.
# Proofs and pages, which are only looked at, run side by side; what is timed or dragged runs alone.
browser: setup
	.ci/chromium
	pytest -q -n auto tests/browser/test_live.py -k every_proof
	pytest -q -n auto --dist loadgroup tests/browser/test_site.py
	pytest -q tests/browser --ignore tests/browser/test_site.py -k "not every_proof"

# Pictures of all pages, light and dark, three widths: _build/screens.
screens: setup
	.ci/chromium
	python -m tests.browser.screens

# The whole book as one file, printed by Chromium from the built site: _build/book.pdf.
pdf: book
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check pypdf==7.1.1
	python .ci/pdf.py

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache
