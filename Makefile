# `make demo` and `make test` need Python 3.11 or later, make, and a package index.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-fast check lint types docs minimal dist clean

demo: .venv/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh benchmarks/demo.sh

test: .venv/developing
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: .venv/developing
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

check: lint types docs test

lint: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: .venv/developing
	$(BIN)/mypy

docs: .venv/developing
	$(BIN)/python -m zensical build --clean --strict

# The oldest versions of the dependencies that pyproject.toml allows; downloads 3 GB.
minimal:
	$(PYTHON) -m venv .venv-minimal
	.venv-minimal/bin/python -m pip install --quiet uv
	.venv-minimal/bin/uv pip install --quiet --python .venv-minimal/bin/python \
		--resolution lowest-direct --editable .
	.venv-minimal/bin/uv pip install --quiet --python .venv-minimal/bin/python \
		hatchling hypothesis pytest pytest-xdist tensorboard
	.venv-minimal/bin/python -m pytest -n 2 -o filterwarnings=default \
		tests/contracts tests/maths tests/runs tests/score_tables tests/scoring tests/training

# The files of a release: a wheel and a source distribution.
dist: .venv/developing
	$(BIN)/python -m pip install --quiet build twine
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/developing: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/installed

clean:
	rm -rf .venv .venv-minimal .mypy_cache .pytest_cache .ruff_cache .hypothesis .cache dist site
