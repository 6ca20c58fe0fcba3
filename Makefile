# make run    the simulated desk on your screen          make check    lint, types, import contracts
# make test   the test suite                             make soak     the long runs that are not in the suite
# make setup  .venv/bin/andon, and no more               make bench    speed, against something measured in the same run
#
# Each target sets up what it needs by itself: a virtual environment in .venv with the versions pinned by hash in
# requirements/. PYTHON=/path/to/python chooses the interpreter (3.11 or later) for a new .venv.

VENV := .venv
BIN := $(VENV)/bin
ANDON := $(BIN)/andon
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
UV ?= uv
# Compiled once and kept: the suite starts hundreds of processes, and each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: run setup test check bench pictures soak lock clean
.DELETE_ON_ERROR:

run: $(VENV)/.andon
	@$(ANDON) demo

setup: $(VENV)/.andon
	@echo "Andon is $(abspath $(ANDON))."

test: $(VENV)/.dev
	@$(BIN)/pytest -n 8 --dist loadgroup --ignore tests/benchmarks -m "not soak"

check: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.dev
	@$(BIN)/pytest -q -s -m bench tests/benchmarks

pictures: $(VENV)/.dev
	@$(BIN)/python -m tests.pictures

soak: $(VENV)/.dev
	@$(BIN)/pytest -m soak

lock:
	@command -v $(UV) >/dev/null || { echo "make lock needs uv; UV=/path/to/uv says where it is" >&2; exit 2; }
	$(LOCK) --upgrade --extra dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --constraint requirements/dev.txt pyproject.toml -o requirements/run.txt
	grep '^hatchling==' requirements/dev.txt | tr -d ' \\' | $(LOCK) --constraint requirements/dev.txt - -o requirements/build.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- setting up: a stamp file for each step that is done ---------------------------------------------------------------

$(VENV)/.python:
	@$(find_python); \
	if $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Using the virtual environment in $(VENV)."; \
	else \
	  echo "Creating a virtual environment in $(VENV) with $$python ..."; \
	  "$$python" -m venv --clear $(VENV); \
	fi
	@touch $@

$(VENV)/.run: requirements/run.txt requirements/build.txt | $(VENV)/.python
	@echo "Installing what Andon needs (pinned in requirements/run.txt; the first time takes a minute or two) ..."
	@$(PIP) install --require-hashes -r requirements/run.txt -r requirements/build.txt
	@touch $@

$(VENV)/.andon: pyproject.toml console/andon.sh $(VENV)/.run
	@echo "Installing Andon itself from this folder ..."
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.andon
	@echo "Installing what the checks and tests need (pinned in requirements/dev.txt) ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# Sets $python to the first interpreter that will do, or says what is missing.
define find_python
python=; \
for each in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11 python3 python; do \
  [ -n "$$each" ] && "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
  near="$$each"; \
  if "$$each" -c 'import ensurepip, venv' >/dev/null 2>&1; then python="$$each"; break; fi; \
done; \
if [ -n "$(PYTHON)" ] && [ "$$python" != "$(PYTHON)" ]; then \
  echo "PYTHON=$(PYTHON) is not a Python 3.11 or later with the modules venv and ensurepip." >&2; exit 2; \
fi; \
if [ -z "$$python" ] && [ -n "$$near" ]; then \
  echo "$$near lacks the modules venv and ensurepip. Debian and Ubuntu keep them in the package python3-venv." >&2; exit 2; \
fi; \
if [ -z "$$python" ]; then \
  echo "Andon needs Python 3.11 or later and found none. PYTHON=/path/to/python says where it is." >&2; exit 2; \
fi
endef
