# Needs nothing but make and Python 3.11 or later. The first target run makes .venv from the lock file.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
# Named by content, for a checkout does not keep times: the environment is made anew only when what it is made of changed.
READY := .venv/ready-$(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)
POLICIES := examples/*.rollout stdlib/std

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 21

$(READY):
	@test -n "$(PYTHON)" || { echo "rollway needs Python 3.11 or later, and found none; set PYTHON=/path/to/python" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@rm -f .venv/ready-* && touch $@

.PHONY: setup
setup: $(READY) ## make the environment in .venv

.PHONY: demo
demo: $(READY) ## a good and a bad revision under load, on this machine, in a minute
	$(BIN)/python -m rollway demo

.PHONY: demo-cluster
demo-cluster: $(READY) ## the same in a cluster on this machine (the first time it is built, for ten minutes)
	@$(BIN)/python -m tests.e2e.demo

.PHONY: prometheus
prometheus: ## find the Prometheus that tests run against and its promtool, or fetch them
	@./tests/prometheus/fetch && ./tests/prometheus/fetch --promtool

.PHONY: backtest-history
backtest-history: $(READY) ## make the past that backtests are tested on: real servers, load, a Prometheus (17 minutes)
	@$(BIN)/python -m tests.backtest.history

.PHONY: backtest-guide
backtest-guide: $(READY) ## write the outputs and charts of the guide to backtests anew
	@$(BIN)/python -m tests.backtest.guide

.PHONY: controlplane
controlplane: $(READY) ## find the Kubernetes control plane that tests run against, or build it (ten minutes, once)
	@$(BIN)/python -m tests.controlplane.fetch

.PHONY: chromium
chromium: $(READY) ## find the Chromium that tests run against, or fetch it
	@$(BIN)/python -m tests.chromium.fetch

.PHONY: servers
servers: $(READY) ## find the servers that tests run against, or fetch and build them (ten minutes, once)
	@$(BIN)/python -m tests.servers.fetch

.PHONY: testers
testers: $(READY) ## find the load tools and the Helm that tests run, or fetch and build them (a minute, once)
	@$(BIN)/python -m tests.testers.fetch

.PHONY: test
test: $(READY) ## all tests
	@if found=$$(./tests/prometheus/fetch && ./tests/prometheus/fetch --promtool >/dev/null); then "$$found" --version 2>&1 | sed -n '1s/^/tests run against /p'; \
	else echo "tests that need a Prometheus fail in CI, and are left out elsewhere"; fi
	@if found=$$($(BIN)/python -m tests.controlplane.fetch); then \
	echo "tests run against $$("$$found/kube-apiserver" --version) in $$found"; \
	else echo "tests that need a control plane fail in CI, and are left out elsewhere"; fi
	@if found=$$($(BIN)/python -m tests.chromium.fetch); then "$$found" --version | sed 's/^/tests run against /'; \
	else echo "tests that need a Chromium fail in CI, and are left out elsewhere"; fi
	@$(BIN)/python -m tests.servers.fetch | sed 's/^/tests run against /' \
	|| echo "tests that need another server fail in CI, and are left out elsewhere"
	$(BIN)/pytest -q -n 3 --junitxml=.make/tests.xml

.PHONY: providers
providers: $(READY) ## what the last run of the tests has shown of each traffic provider
	@$(BIN)/python -m tests.interpreter.traffic.ledger .make/tests.xml

.PHONY: check
check: $(READY) check-code check-policies check-generated ## everything that can be said without running it

.PHONY: check-code
check-code: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --verbose --no-cache

.PHONY: check-policies
check-policies: $(READY)
	$(BIN)/rollway lint $(POLICIES)
	$(BIN)/rollway fmt --check $(POLICIES)

.PHONY: check-generated
check-generated: $(READY)
	$(BIN)/python -m grammar.build --check
	$(BIN)/python -m interpreter.cluster.crds --check
	$(BIN)/python -m deploy.generate --check
	@$(BIN)/rollway schema | diff -u crds/program.schema.json - \
	  || { echo "crds/program.schema.json is not what the code says: run make generate" >&2; exit 1; }

.PHONY: generate
generate: $(READY) ## write what is generated from the code
	$(BIN)/python -m grammar.build
	$(BIN)/python -m interpreter.cluster.crds
	$(BIN)/python -m deploy.generate
	$(BIN)/rollway schema > crds/program.schema.json

.PHONY: fmt
fmt: $(READY) ## lay out code and policies
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/rollway fmt $(POLICIES)

.PHONY: examples
examples: $(READY) ## take every example through all that can be done with it
	./examples/try $(BIN)/rollway

.PHONY: bench
bench: $(READY) ## measure what must be fast, and print the figures
	$(BIN)/python -m bench

.PHONY: simulation
simulation: $(READY) ## what the checks promise, in many thousand simulated rollouts
	$(BIN)/python -m tests.simulation

.PHONY: docs
docs: $(READY) ## build the pages into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: lock
lock: ## resolve pyproject.toml anew into requirements/
	./requirements/lock

.PHONY: clean
clean: ## remove all that was built
	rm -rf site dist build .make .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
