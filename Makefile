PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint types clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 8

demo: $(VENV)/installed ## install, then search for a first schedule
	$(BIN)/law-rl search experiments/quickstart.py

test: lint types ## install with development tools, then lint, check types and run the tests
	$(BIN)/pytest -n 2 --dist loadfile -m 'not ray'
	$(BIN)/pytest -m ray

lint: $(VENV)/installed-dev ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## check types
	$(BIN)/mypy

clean: ## remove the virtual environment, caches and builds
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch goes first and alone: pip then takes a CPU build where one is at hand, and the next step finds it in place.
INSTALL = $(PYTHON) -m venv $(VENV) && $(PIP) torch && $(PIP) -e

$(VENV)/installed: pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	touch $(VENV)/installed $@
