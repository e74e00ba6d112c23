# make month   a month of signals on the embedded cloud        make test    everything CI checks
# make check   the everyday part of the tests                  make soak    long studies, fault runs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
UV     := UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(BIN)/uv
READY  := $(VENV)/.ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
ARGS   ?=

.PHONY: month up setup browser check test soak lint lock clean

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

browser:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint
	$(BIN)/pytest -m "not slow and not soak" -n 2

test: lint browser
	$(BIN)/pytest -m "not soak" -n 2 --cov --cov-report=term

soak: setup
	$(BIN)/pytest -m soak

lock: setup
	rm -f requirements.lock
	$(UV) pip compile pyproject.toml --all-extras --python-version 3.11 --no-header --no-annotate --quiet -o requirements.lock
	sed -i 's/^torch==.*/torch==2.13.0/' requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
