# make test        set up .venv if needed, then run all tests
# make docs        the API reference -> reports/reference/index.html
# make reproduce   set up .venv if needed, then run the main job and write reports/reproduce/
#
# PYTHON  the interpreter (3.11 or later)             make test PYTHON=python3.12
# TORCH   what pip installs as torch, options allowed make reproduce TORCH="torch"
PYTHON ?= python3
VENV ?= .venv
TORCH ?= $(shell grep '^torch==' constraints.txt)
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
RUN ?= runs/reproduce
REPORT ?= reports/reproduce
REFERENCE ?= reports/reference
JOBS ?= 2
# what a few minutes can tell; the report shows the other experiments from committed rows
TRAINED ?= theorem-1 masks regimes random-labels injectivity certificates
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup test test-deep docs reproduce planted lint clean

help:
	@sed -n '1,/^PYTHON/p' Makefile | grep '^#'

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "== setting up $(VENV) ($(TORCH))"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "quadrat needs Python 3.11 or later, got " + sys.version.split()[0])'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@grep -v '^torch==' constraints.txt > $(VENV)/constraints.txt
	@$(PY) -c 'import torch' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check -c $(VENV)/constraints.txt $(TORCH)
	@$(PY) -m pip freeze | grep '^torch==' >> $(VENV)/constraints.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check -c $(VENV)/constraints.txt -e '.[test]'
	@touch $(STAMP)

lint: $(STAMP)
	@$(PY) -m ruff check .

test: $(STAMP) lint
	@echo "== tests"
	@$(PY) -m pytest -n $(JOBS) --dist worksteal

test-deep: $(STAMP)
	@$(PY) -m pytest -n $(JOBS) --dist worksteal --deep

docs: $(STAMP)
	@$(PY) -m docs.reference --out $(REFERENCE)

planted: $(STAMP)
	@echo "== planting errors; each must turn its tests red"
	@$(PY) -m tests.planted

reproduce: $(STAMP)
	@echo "== 1/4 the ledger of claims"
	@mkdir -p $(RUN); rc=0; $(PY) -m theory verify --json $(RUN)/ledger.json --resume || rc=$$?; \
	 if [ $$rc -gt 1 ]; then exit $$rc; fi; echo $$rc > $(RUN)/ledger.exit
	@echo "== 2/4 simulations: Rademacher complexities, the theorems, coverage of the bounds"
	@for name in rademacher relevance theorem-1 theorem-2 theorem-3 injectivity coverage; do \
	 $(PY) -m sims run $$name --preset quick --workers $(JOBS) --out $(RUN) || exit $$?; done
	@echo "== 3/4 networks on shapes"
	@$(PY) -m training sweep $(TRAINED:%=--experiment %) --preset quick --jobs $(JOBS) --out $(RUN)
	@echo "== 4/4 figures and report"
	@$(PY) -m paper_figures report --run $(RUN) --out $(REPORT)
	@exit $$(cat $(RUN)/ledger.exit)

clean:
	rm -rf $(VENV) runs reports build *.egg-info
