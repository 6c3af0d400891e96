# Everything a developer runs.  `make help` lists it.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
PORT ?= 8443
STATE ?= .demo
SOURCES := sso_proxy tests docs packaging setup.py twisted/plugins
CHECKING := --no-print-directory --keep-going
SERVER := tests/support/op/node_modules/.package-lock.json

# Tests start hundreds of processes, each of which would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

ifndef TOGETHER
.NOTPARALLEL:
endif
.DEFAULT_GOAL := help
.PHONY: help demo test tools benchtools imagetools lint types layers unit docs texts docstrings pictures collected format compiled bench chaos search soak memory image clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.runs ## see it work: an API with tokens, an application with logins (ONCE=1: end after the checks)
	@$(BIN)/python -m sso_proxy.testing.demo --state $(STATE) --port $(PORT) $(if $(ONCE),--once) $(ARGS)

test: tools $(VENV)/.tests $(SERVER) ## install what the tests need and run everything
	@status=0; \
	$(MAKE) $(CHECKING) --jobs=2 --output-sync=target TOGETHER=1 \
		docstrings collected lint types layers texts || status=2; \
	$(MAKE) $(CHECKING) unit || status=2; \
	exit $$status

tools:
	@PYTHON=$(PYTHON) tests/prepare.sh

imagetools:
	@PYTHON=$(PYTHON) tests/prepare.sh image

benchtools:
	@PYTHON=$(PYTHON) tests/prepare.sh bench

lint: $(VENV)/.tests ## ruff: rules and formatting
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.tests ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.tests ## imports point down
	$(BIN)/lint-imports

unit: $(VENV)/.tests $(SERVER) ## the tests, under coverage
	@BIN=$(BIN) tests/run.sh $(ARGS)

docs: $(VENV)/.tests ## build docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -E -b html docs docs/_build/html
	$(BIN)/pydoctor --config docs/pydoctor.ini --html-output docs/_build/html/api

texts: $(VENV)/.tests ## what `make docs` warns of, without the pages of the code
	$(BIN)/python -m sphinx -q -W --keep-going -E -b html docs docs/_build/checked

docstrings: $(VENV)/.tests ## what `make docs` warns of in the code
	PYTHONPATH=docs $(BIN)/pydoctor --config docs/pydoctor.ini \
		--html-writer checked_api.Checked --html-output docs/_build/docstrings

pictures: $(VENV)/.tests ## make the pictures in docs/howto anew, with Chromium
	$(BIN)/python -m tests.support.pictures

# Each process that runs tests collects all of them; this one compiles them for the others.
collected: $(VENV)/.tests ## the tests can be imported
	@said=$$($(BIN)/python -m pytest --collect-only -qq 2>&1) || { \
		echo "$$said" | tail -n 50; exit 1; }

format: $(VENV)/.tests ## let ruff mend what it can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

compiled: tools $(VENV)/.tests ## the package with compiled modules, in build/compiled
	$(BIN)/python -m tests.support.compiled

bench: benchtools compiled ## the table: CPU per request beside nginx and Apache
	$(BIN)/python -m tests.bench $(ARGS)

soak: benchtools $(VENV)/.tests ## ten minutes of load with reconnects, restarts and reloads
	$(BIN)/python -m tests.bench.soak $(ARGS)

chaos: $(VENV)/.tests ## two minutes in which everything around the proxy fails in turn
	$(BIN)/python -m tests.bench.chaos $(ARGS)

search: $(VENV)/.tests ## tests with made-up values, with many more of them, at random (ARGS: which)
	EXAMPLES=search $(BIN)/python -m pytest -q -n 2 -m "not alone" --hypothesis-show-statistics $(or $(ARGS),tests/specs tests/authz tests/config)

memory: benchtools $(VENV)/.tests ## memory of idle connections and of large bodies
	$(BIN)/python -m tests.bench.memory $(ARGS)

image: imagetools $(VENV)/.tests ## the container image: built by podman, run and asked (as root)
	$(BIN)/python -m tests.image $(ARGS)

clean: ## remove everything made here
	rm -rf $(VENV) .demo build dist *.egg-info docs/_build docs/reference/generated .coverage* \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis \
		tests/support/op/node_modules tests/support/cerbos/node_modules \
		tests/support/gsoap/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made once, and again when the metadata change.
$(BIN)/python:
	@$(if $(PYTHON),,echo "make: no python3 found; install Python 3.11 or newer" >&2; exit 1)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) has no venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: pyproject.toml setup.py | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.tests: pyproject.toml setup.py | $(BIN)/python
	$(PIP) --no-compile --editable '.[test,docs]'
	@touch $@ $(VENV)/.runs

# The authorization server that tests get tokens from, and Node.js for it.
$(SERVER): tests/support/op/package-lock.json | $(VENV)/.tests
	$(BIN)/python -m tests.support.node
	@touch $@
