PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CLUSTER ?= embedded
export CLUSTER

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast e2e worlds corpus mutants lint format generate check-generated control-plane bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/.installed ## the virtual environment with locked dependencies

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "==> installing locked dependencies into $(VENV) (about a minute)"
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on PATH; set PYTHON=/path/to/python3.11 or newer"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m compileall -q operator
	@touch $@

demo: venv ## a broken platform on a real API server, and the operator healing it (KEEP=1 leaves it up)
	@$(BIN)/python -m deploy.demo $(if $(KEEP),--keep)

test: venv lint ## everything: lint, unit tests, worlds, real control plane
	$(BIN)/python -m pytest

test-fast: venv ## what runs without a control plane (about a minute)
	$(BIN)/python -m pytest -m "not cluster" -n 2

e2e: venv ## only the tests on a control plane; CLUSTER=embedded (default), kind, or context:NAME
	$(BIN)/python -m pytest -m cluster

worlds: venv ## every world of every invariant
	$(BIN)/python -m pytest -q tests/invariants -n 2

corpus: venv ## scan the published manifests in ../shared/corpus, as a table
	@$(BIN)/python tests/corpus.py

mutants: venv ## mutate every invariant and print the mutants that its worlds do not kill (ONLY=Name for one)
	@$(BIN)/python tests/mutants.py $(ONLY)

lint: venv ## format, lint, types, layers, generated files
	@$(BIN)/ruff format --check --quiet . || { echo "run make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@test ! -e operator/__init__.py || { echo "operator/__init__.py would shadow the standard library"; exit 1; }
	@$(MAKE) --no-print-directory check-generated

format: venv ## format and apply safe lint fixes
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

generate: venv ## the CRD, the RBAC of deploy/, and the invariant pages
	@$(BIN)/python -m platform_health.api.generate
	@$(BIN)/python -m docs.pages

check-generated: venv
	@$(BIN)/python -m platform_health.api.generate --check
	@$(BIN)/python -m docs.pages --check

control-plane: venv ## a control plane of your own in the foreground; prints its kubeconfig
	@$(BIN)/python -m e2e.controlplane up

bench: venv ## the figures of docs/performance.md, measured here
	@$(BIN)/python -m bench

lock: venv ## resolve the dependencies anew
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet pyproject.toml --group dev --generate-hashes --python-version 3.11 --no-header -o requirements.lock

clean: ## remove the virtual environment and caches (binaries stay in the user's cache)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
