# make month   a month of signals on the embedded cloud        make test    everything CI checks
# make check   the everyday part of the tests                  make soak    long studies, fault runs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
UV     := UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(BIN)/uv
READY  := $(VENV)/.ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
ARGS   ?=
CHECKOV := $(VENV)/checkov/.ready-$(shell cksum < stackcheck/checkov.txt | cut -d' ' -f1)
SUDO   := $(shell [ $$(id -u) = 0 ] || command -v sudo)

.PHONY: month up setup packages engine checkov check test soak lint lock clean

month: setup
	@$(BIN)/trading month $(ARGS) || { code=$$?; [ $$code -eq 3 ] || exit $$code; }

up: setup
	@$(BIN)/trading up $(ARGS)

setup: $(READY)

$(READY):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] < (3, 11))" || { echo "Python 3.11 or newer is needed: install it or set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	$(UV) pip install --quiet -r requirements.lock
	$(UV) pip install --quiet --no-deps --editable .
	@rm -f $(VENV)/.ready-* && touch $@

# What the tests need beside Python: a browser to look at pages, the servers that bars are stored in.
packages:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	test -z "$$missing" || { $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; }

# Compiled once, here, the engine is found by every process of the tests.
engine: setup
	@$(BIN)/python -c "from trading.backtest.replay import compile_engine; compile_engine()"

# Scans the plan of the program; its pins clash with ours, so it lives apart.
checkov: $(CHECKOV)

$(CHECKOV): stackcheck/checkov.txt | setup
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/checkov
	$(UV) pip install --quiet --python $(VENV)/checkov/bin/python -r stackcheck/checkov.txt
	@touch $@

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint engine packages
	$(BIN)/pytest -m "not slow and not soak" -n 2 --dist worksteal

# Whole processes are started, killed and timed out here, on whatever machine: what fails is tried
# twice more, and what passed only then is listed as RERUN.
test: lint engine packages checkov
	$(BIN)/pytest -m "not soak" -n 2 --dist worksteal --reruns 2 --cov --cov-report=term

soak: engine packages checkov
	$(BIN)/pytest -m soak

lock: setup
	rm -f requirements.lock
	$(UV) pip compile pyproject.toml --all-extras --python-version 3.11 --no-header --no-annotate --quiet -o requirements.lock
	sed -i 's/^torch==.*/torch==2.13.0/' requirements.lock
	$(BIN)/python containers/lock.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
