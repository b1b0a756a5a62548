PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: demo test lint results clean

demo: $(READY) ## The whole path on spoken digits, in runs/demo; goes on where it was left
	$(VENV)/bin/gatewright demo -o runs/demo

test: $(READY) ## Run the test suite
	$(VENV)/bin/pytest -n 2

lint: $(READY) ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -q --progress-bar on -c constraints.txt -e '.[test]'
	touch $@

clean: ## Remove the environment and the demo's run
	rm -rf $(VENV) runs/demo

SILERO ?=

results: demo ## Measure what docs/results.md and the README state; TEXT=kjv.txt and SILERO=folder add what needs them
	mkdir -p docs/results docs/images
	for name in golden sim train qat compress factors patterns import hw hw-large hw-wide place up5k resources methods proxies discretisation thresholds; do $(VENV)/bin/gatewright bench $$name --rows docs/results/$$name.json || exit 1; done
	$(VENV)/bin/gatewright bench cycles --n 500 --rows docs/results/cycles.json
	$(if $(TEXT),for name in text spaces; do $(VENV)/bin/gatewright bench $$name --text $(TEXT) --rows docs/results/$$name.json || exit 1; done)
	$(if $(SILERO),$(VENV)/bin/gatewright bench roads --silero $(SILERO) --rows docs/results/roads.json)
	$(if $(SILERO),cd $(SILERO) && PYTHONPATH=$(CURDIR)/examples/silero_vad $(CURDIR)/$(VENV)/bin/gatewright bench studies --silero . --rows $(CURDIR)/docs/results/studies.json)
	$(VENV)/bin/gatewright search runs/demo/models/float.pt --data digits -o runs/study --granularity matrix --trials 200 --tune-epochs 1 --points 32 --uniform --overwrite
	$(VENV)/bin/gatewright search runs/demo/models/float.pt --data digits -o runs/small --choose lanes=4,8,16,32 --choose cell_lanes=1,2 --device ecp5-25k --trials 80 --tune-epochs 1 --points 4 --overwrite
	cp runs/study/front.json docs/results/search-front.json
	cp runs/small/front.json docs/results/hardware-front.json
	cp $(foreach name,methods spaces proxies discretisation thresholds,docs/results/$(name).json) runs/study/
	$(VENV)/bin/gatewright report runs/study
	mkdir -p reports/gallery && cp runs/study/report.html reports/gallery/search.html
	cp runs/demo/summary.json docs/results/demo.json
	cp runs/demo/rows/synth.json docs/results/synth.json
	cp runs/demo/figures/cycles.png runs/demo/figures/scores.png docs/images/
	$(VENV)/bin/python docs/tables
