# `make demo` and `make test` need Python 3.11 or later, make, and a package index.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-fast check lint types docs clean

demo: .venv/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh benchmarks/demo.sh

test: .venv/developing
	$(BIN)/python -m pytest -n 2

test-fast: .venv/developing
	$(BIN)/python -m pytest -n 2 -m "not slow"

check: lint types docs test

lint: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: .venv/developing
	$(BIN)/mypy

docs: .venv/developing
	$(BIN)/python -m zensical build --clean --strict

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
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .cache dist site
