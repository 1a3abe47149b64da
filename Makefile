# The two commands: `make tour` (what Triptych does) and `make test` (that it does it right).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: tour test test-slow bench lint docs format clean

tour: $(VENV)/installed
	$(BIN)/triptych tour

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(VENV)/installed-test
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/installed
	for script in benchmarks/*.py; do PYTHONPATH=. $(BIN)/python $$script || exit 1; done

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-docs docs/generated/reliability.md
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "open docs/_build/index.html"

docs/generated/reliability.md: $(wildcard src/triptych/*.py src/triptych/*/*.py tests/faults/*.py) | $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 -m "not slow" tests/faults

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Triptych needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable '.[all]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP_INSTALL) --editable '.[all,test,lint,halos-io]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed-test
	$(PIP_INSTALL) --editable '.[all,test,lint,halos-io,docs]'
	touch $@
