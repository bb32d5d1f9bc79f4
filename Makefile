# Every target does its own set-up in .venv/ and needs only Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= $(if $(URL),out/site,out/demo)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.lock

.PHONY: help crawl test lint test-long bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.run: pyproject.toml constraints.lock
	@echo "Setting up $(VENV) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[prometheus,rich]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.lock
	@echo "Setting up $(VENV) with what the tests need …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.run

crawl: $(VENV)/.run ## crawl the demo web, or URL=https://…, and write the disclosure into $(OUT)/
	@$(BIN)/python deploy/demo/crawl.py --out "$(OUT)" $(if $(URL),--url "$(URL)")

test: lint ## lint, types and every test that runs in minutes
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --quiet

lint: $(VENV)/.test ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test-long: $(VENV)/.test ## the long tests: all real robots.txt files, fifty kills in mid-crawl, …
	@$(BIN)/python -m pytest -m long --quiet

bench: $(VENV)/.test ## figures: crawl ratio against stock Scrapy, pace, log, rules
	@$(BIN)/python tests/benchmarks/bench_crawl.py
	@$(BIN)/python tests/benchmarks/bench_pace.py
	@$(BIN)/python tests/benchmarks/bench_log.py
	@$(BIN)/python tests/benchmarks/bench_export.py
	@$(BIN)/python tests/benchmarks/bench_log.py --engine postgresql --writers 8
	@$(BIN)/python tests/benchmarks/bench_response_rules.py
	@$(BIN)/python tests/benchmarks/bench_paywall.py

clean: ## remove what was built and set up
	@rm -rf $(VENV) $(OUT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
