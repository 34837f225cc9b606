# Everything a developer or a newcomer does with Causeway. `make` alone lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON := .venv/bin/python
CAUSEWAY := .venv/bin/causeway
RUNTIME := .venv/.runtime-installed
DEVELOPMENT := .venv/.development-installed
# Tests wait more than they compute: twice the cores of a small machine.
WORKERS ?= 4
REPORTS := .reports

.PHONY: help setup setup-dev servers demo up down status test crash mutants bench faults soak fuzz containers k8s-check lint format docs clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(RUNTIME) servers ## Install what running needs: Python packages, PostgreSQL, RabbitMQ

demo: setup ## Start everything and watch mail become events (ONCE=1: end after it; MAIL=path: your own mail)
	@exec $(CAUSEWAY) demo $(if $(ONCE),--once) $(if $(MAIL),--mail "$(MAIL)")

up: setup ## Start everything in the background
	@$(CAUSEWAY) up

down: ## Stop everything that `make up` started
	@if [ -x $(CAUSEWAY) ]; then $(CAUSEWAY) down; fi

status: setup ## Say how every part is
	@$(CAUSEWAY) status

test: setup-dev ## Run the tests with coverage (T=tests/unit: only those, without coverage)
ifdef T
	@$(PYTHON) -m pytest $(T)
else
	@rm -f .coverage .coverage.*
	@$(PYTHON) -m coverage run -m pytest -q -n $(WORKERS) --dist loadfile --ignore tests/kubernetes
	@$(PYTHON) -m coverage combine -q
	@$(PYTHON) -m coverage report
endif

crash: setup-dev ## Kill every process between any two of its effects, and report (long)
	@rm -rf $(REPORTS)/crash
	@CAUSEWAY_CRASH_POINTS=all CAUSEWAY_REPORTS=$(REPORTS)/crash \
	    $(PYTHON) -m pytest tests/faults/test_crashes.py -q -n $(WORKERS) --dist load
	@$(PYTHON) -m tests.faults.report $(REPORTS)/crash docs/explanation/crash-report.md

mutants: setup-dev ## Sabotage copies of the product: the tests must notice (ONLY="name ..." or SAMPLE=3 SEED=7)
	@$(PYTHON) -m tests.mutants $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE) --seed $(or $(SEED),0))

bench: setup-dev ## Measure what the product claims beside its floors (NAMES="intake relay": only those; ROUNDS=7)
	@$(PYTHON) -m bench $(NAMES) $(if $(ROUNDS),--rounds $(ROUNDS))

faults: setup-dev ## Break servers, broker, network and neighbours in every way there is a test for (long)
	@rm -rf $(REPORTS)/faults
	@CAUSEWAY_FAULTS=all CAUSEWAY_REPORTS=$(REPORTS)/faults \
	    $(PYTHON) -m pytest tests/faults --ignore tests/faults/test_crashes.py -q -n 2 --dist loadfile
	@for report in $(REPORTS)/faults/recovery-*.json; do cat $$report; echo; done

soak: setup-dev ## Try random stories on the whole product for MINUTES=10 (CAUSEWAY_SEED=n: those of a seed)
	@CAUSEWAY_SOAK_MINUTES=$(or $(MINUTES),10) $(PYTHON) -m pytest tests/soak -q --tb=short --show-capture=no

fuzz: setup-dev ## Try random input, round after round (MINUTES=10; T=tests/fuzz/test_mime.py: only that)
	@until=$$(($$(date +%s) + 60 * $(or $(MINUTES),10))); \
	while CAUSEWAY_FUZZ=long $(PYTHON) -m pytest -q -o timeout=3600 $(or $(T),tests/fuzz); do \
		[ "$$(date +%s)" -lt "$$until" ] || exit 0; \
	done; exit 1

containers: setup-dev ## Build the image, run docker-compose.yml, break it, roll it (as root; KEEP=1 keeps images)
	@$(PYTHON) -m tests.containers $(if $(KEEP),--keep)

k8s-check: setup-dev ## Check the Kubernetes manifests; as root on Debian also run their pods (KEPT=1: make no base image)
	@$(PYTHON) -m tests.kubernetes $(if $(KEPT),--kept-base)

lint: $(DEVELOPMENT) ## Check style, formatting, types and the walls between packages
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: $(DEVELOPMENT) ## Format the code
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

docs: $(DEVELOPMENT) ## Write the generated references anew
	@$(PYTHON) -m cli.reference

clean: ## Stop everything and delete data, secrets and the environment
	@if [ -x $(CAUSEWAY) ]; then $(CAUSEWAY) down --purge; fi
	@rm -rf .venv .causeway .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache $(REPORTS) .import_linter_cache

setup-dev: $(DEVELOPMENT) servers

servers:
	@sh scripts/setup.sh servers

$(RUNTIME): requirements.lock scripts/setup.sh
	@sh scripts/setup.sh python requirements.lock
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@sh scripts/setup.sh python requirements-dev.lock
	@touch $@
