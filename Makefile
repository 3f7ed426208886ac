# make help lists the targets. Everything runs from .venv, which the first target makes.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-deep test-browser lint lab ui bench clean lock
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1

# many tests wait for processes of their own: one tester more than processors, at most eight
TESTERS := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n + 1 : 8)))

help:            ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

install:         ## .venv from requirements.lock (a look when it is there already)
	@tools/bootstrap.sh

demo: install  ## data to promoted model on real data, then a summary and reports/index.html
	@research demo

test: install  ## the tests (the few that compile the core again are in test-deep)
	@research warmup
	@python -m pytest -q -n $(TESTERS) --dist worksteal -m "not deep and not overnight"

test-deep: install  ## every kernel on another CPU, many processes on an empty store, no network
	@research warmup
	@python -m pytest -q -n 2 --dist worksteal -m deep

test-fast: install  ## the tests that take seconds
	@research warmup
	@python -m pytest -q -n $(TESTERS) --dist worksteal -m "not slow and not deep and not overnight"

test-browser: install  ## JupyterLab and MLflow in headless Chromium (Debian, Ubuntu: apt-get install chromium)
	@test -f .venv/.browser && cmp -s .venv/.browser tests/browser/requirements.lock || { python -m pip install -q --disable-pip-version-check --require-hashes -r tests/browser/requirements.lock && cp tests/browser/requirements.lock .venv/.browser; }
	@python -m pytest -q -m browser tests/browser

lint: install  ## ruff, import contracts, mypy, notebooks without outputs
	@ruff check src tests benchmarks tools && ruff format --check src tests benchmarks tools && lint-imports --no-cache && mypy && python tools/check_notebooks.py

lab: install  ## JupyterLab on notebooks/
	@research lab

ui: install  ## MLflow UI on the local store
	@research ui

bench: install  ## ours and the peers', side by side (ONLY=implied_vol for one workload)
	@test -f .venv/.bench && cmp -s .venv/.bench benchmarks/requirements.lock || { python -m pip install -q --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock && cp benchmarks/requirements.lock .venv/.bench; }
	@python benchmarks/run.py $(ONLY)

clean:           ## caches and reports; never mlruns/, data/ or .venv
	@test ! -x .venv/bin/python || .venv/bin/python -m research.experiments.warm stop >/dev/null 2>&1 || true
	@rm -rf build dist reports/*.html reports/notebooks .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +

lock: install  ## resolve requirements.lock anew (needs uv and the network)
	@tools/lock.sh
