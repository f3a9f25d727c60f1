# `make run` opens the app on the bundled sample; CI runs `make check` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PRODUCERS := .venv-producers
PORT ?= 8501
WORKSPACES := data/workspaces
SAMPLE := $(WORKSPACES)/sample

# One test process per core. Each takes one file after another, in the order of tests/conftest.py.
IN_PARALLEL := -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run sample test test-fast check format clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: sample  ## install, score the sample, start the app on 127.0.0.1:8501
	$(BIN)/clip-curation app $(WORKSPACES) --port $(PORT) --no-browser

sample: $(VENV)/.installed  ## score data/sample into data/workspaces/sample
	$(BIN)/clip-curation score data/sample --workspace $(SAMPLE) \
	    --target animals=data/targets/animals --target food=data/targets/food

test: $(VENV)/.installed-dev $(PRODUCERS)/.installed  ## every test, browser tests included
	CHROMIUM="$$(tests/browser/find-chromium.sh $(BIN)/playwright)" && export CHROMIUM && \
	    $(BIN)/python -m pytest $(IN_PARALLEL)

test-fast: $(VENV)/.installed-dev  ## every test but those of tests/browser and tests/producers
	$(BIN)/python -m pytest $(IN_PARALLEL) -m "not browser and not producers"

check: $(VENV)/.installed-dev  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-dev  ## let ruff format and fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## delete the environments and the scored sample
	rm -rf $(VENV) $(PRODUCERS) $(SAMPLE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -r requirements-dev.txt
	@touch $(VENV)/.installed $@

# clip-retrieval is installed without dependencies: only its writer is used, and its models, index,
# and server would bring another torch.
$(PRODUCERS)/.installed: requirements-producers.txt | $(VENV)/bin/python
	rm -rf $(PRODUCERS)
	$(BIN)/python -m venv $(PRODUCERS)
	$(PRODUCERS)/bin/python -m pip install --disable-pip-version-check --quiet --progress-bar on -r requirements-producers.txt
	$(PRODUCERS)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps 'clip-retrieval>=2.45,<3'
	@touch $@
