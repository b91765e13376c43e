# `make demo`, `make test`, `make up`: each sets up what it needs. Only paths relative to this folder, so that its own may hold spaces.

SHELL := /bin/sh
PY := .venv/bin/python
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev

.PHONY: demo test test-all up lint bench eval clean help

help:
	@echo "make demo   five days of the sample podcasts, end to end"
	@echo "make test   the test suite (make test-all adds the slow tests)"
	@echo "make up     Dagster's web UI and daemon on your own podcasts"
	@echo "make lint   formatting, types, import contracts"
	@echo "make bench  the measurements of bench/RESULTS.md"
	@echo "make eval   the insights of an engine, scored on the shows of the corpus (docs/evaluation.md)"
	@echo "make clean  remove the virtual environment and caches; data/ is kept"

demo: $(STAMP)
	@$(PY) -m demo

test: $(DEV_STAMP)
	@$(PY) -m pytest -q -m "not slow" -n 2 --dist loadfile

test-all: $(DEV_STAMP)
	@$(PY) -m pytest -q -n 2 --dist loadfile

up: $(STAMP)
	@$(PY) -m orchestration.up

lint: $(DEV_STAMP)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m basedpyright
	.venv/bin/lint-imports
	.venv/bin/sqlfmt --check dbt_project

bench: $(DEV_STAMP)
	@$(PY) -m bench

eval: $(DEV_STAMP)
	@$(PY) -m evals $(EVAL_OPTIONS)

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(STAMP): requirements.lock pyproject.toml bin/setup
	@sh bin/setup requirements.lock
	@touch "$@"

$(DEV_STAMP): $(STAMP) requirements-dev.lock
	@sh bin/setup requirements-dev.lock
	@touch "$@"
