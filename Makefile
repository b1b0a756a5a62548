PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: demo test test-slow coverage prove lint docs mutants results results-status clean

demo: $(READY) ## The whole path on spoken digits, in runs/demo; goes on where it was left
	$(VENV)/bin/gatewright demo -o runs/demo

test: $(READY) ## Run the tests of every module, without those that have the mark slow
	$(VENV)/bin/pytest -n 2 --dist worksteal

test-slow: $(READY) ## Run those: whole simulations, netlists, placements and studies
	$(VENV)/bin/pytest -n 2 --dist worksteal -m slow

coverage: $(VENV)/.covering ## Run all tests and say which lines no test runs; takes twice as long
	$(VENV)/bin/pytest -n 2 --dist worksteal -m '' --cov --cov-report=term --cov-report=html:runs/coverage

$(VENV)/.covering: $(READY)
	$(VENV)/bin/pip install --disable-pip-version-check -q --progress-bar on -c constraints.txt -e '.[coverage]'
	touch $@

prove: $(READY) ## Prove what is said of the RTL for all inputs, and refute it with one broken line each
	$(VENV)/bin/gatewright prove

lint: $(READY) ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(READY) ## Build the documents as a site, in site/
	$(VENV)/bin/mkdocs build --strict

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -q --progress-bar on -c constraints.txt -e '.[test]'
	touch $@

clean: ## Remove the environment and the demo's run
	rm -rf $(VENV) runs/demo site

mutants: $(READY) ## Change the sources in 200 places of each group, see which are noticed; N=, SEED=, GROUP=rtl or software
	PYTHONPATH=tests $(VENV)/bin/python -m mutation $(if $(N),--n $(N)) $(if $(SEED),--seed $(SEED)) $(if $(GROUP),--group $(GROUP))

MEASURE := $(VENV)/bin/python -m gatewright.benchmarks

results: $(VENV)/.measuring ## Measure docs/results; ONLY=hw,place or ONLY=stale for parts, TEXT=kjv.txt, IMAGES=folder and SILERO=folder for what needs them, JOBS=2 for so many side by side
	$(MEASURE) measure $(if $(ONLY),--only '$(ONLY)') $(if $(TEXT),--text '$(TEXT)') $(if $(IMAGES),--images '$(IMAGES)') $(if $(SILERO),--silero '$(SILERO)') $(if $(JOBS),--jobs '$(JOBS)')

results-status: $(READY) ## Say which of docs/results are not those of the code as it is now
	$(MEASURE) status

$(VENV)/.measuring: $(READY)
	$(VENV)/bin/pip install --disable-pip-version-check -q --progress-bar on -c constraints.txt -e '.[results]'
	touch $@
