# make demo: set everything up and run the main job.  make test: set everything up and run the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: demo test lint screenshot clean

demo: $(VENV)/.installed
	$(BIN)/napari-tsimcne demo

test: $(VENV)/.installed-dev
	bash .ci/display
	$(BIN)/pytest tests --ignore tests/gui $(WORKERS)
	$(BIN)/pytest tests/gui $(WORKERS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshot: $(VENV)/.installed-dev
	bash .ci/display
	PATH="$(CURDIR)/$(BIN):$$PATH" bash .ci/with-display python docs/screenshot.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$@ -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[all]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

clean:
	rm -rf $(VENV)
