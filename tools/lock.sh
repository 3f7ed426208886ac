#!/bin/sh
# One universal lock (Python 3.11-3.13, every platform) with hashes and no index address.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet "$@"; }
compile --extra validation --extra ingest --extra distributed --extra tune --extra test --extra lint -o requirements.lock
compile --extra bench -c requirements.lock -o benchmarks/requirements.lock
compile --extra browser -c requirements.lock -o tests/browser/requirements.lock
