# Everything installs itself into .venv of this clone; nothing goes into the system's Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROCESSORS := $(or $(shell $(PYTHON) scripts/processors.py 2>/dev/null),2)
# Two for each processor: unit tests wait for processes, clocks and screens half of their time.
WORKERS := $(shell expr 2 \* $(PROCESSORS))

.DEFAULT_GOAL := help
.PHONY: help run test check lint types contracts consul protos recordings pictures bench system faults clean

help:
	@echo "make run         start the demo facility and open the console on it (headless where there is no terminal)"
	@echo "make test        all checks and tests, as CI runs them"
	@echo "make check       lint, types, import contracts, protobufs and unit tests, without the system tests"
	@echo "make pictures  paint the screens anew from the recordings: docs/pictures and the goldens of the tests"
	@echo "make faults      kill, stop and cut off everything in every phase, and print what happened"
	@echo "make bench       the benchmarks (ratios to a baseline in the same run)"
	@echo "make protos      regenerate the protobuf code"
	@echo "make recordings  make the shipped recordings anew, on a facility of their own (two minutes)"
	@echo "make clean       remove the virtual environment, the demo's state and what was downloaded for tests"

run: $(VENV)/.run
	@exec $(BIN)/aliecs demo

test: check system

check: lint types contracts consul
	$(call tests,-n $(WORKERS) --dist worksteal,not system)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports --no-cache

# A real Consul agent for the tests. Without it they are skipped, and say so; with ALIECS_REQUIRE_CONSUL=1 they fail.
consul:
	@test -n "$$ALIECS_CONSUL" || command -v consul >/dev/null || scripts/get_consul.sh .cache/consul || \
	  { echo "no Consul: its tests are skipped"; test -z "$$ALIECS_REQUIRE_CONSUL"; }

system: $(VENV)/.dev consul
	$(call tests,-n $(shell expr 1 + $(PROCESSORS)) --dist loadscope,system)

# What fails beside others runs again alone: if it passes there, a race has shown itself, which the output names and which is
# to be mended, but the change under test is not to blame.
define tests
$(BIN)/pytest -q --cache-clear $(1) -m "$(2)" || \
  { test $$? = 1 && echo && echo "again, one after the other: what failed" && $(BIN)/pytest -v --lf --lfnf=none -m "$(2)"; }
endef

# Every fault in every phase, the long ones too (five minutes); prints the tables of docs/faults.md.
faults: $(VENV)/.dev
	@$(BIN)/python scripts/faults.py

pictures: $(VENV)/.dev
	rm -rf docs/pictures tests/goldens/screens
	UPDATE_SNAPSHOTS=1 $(BIN)/pytest -q -n $(PROCESSORS) tests/console/tui/test_goldens.py

# BENCH=bench_scale.py: one file of them.
bench: $(VENV)/.dev
	$(BIN)/python -P -m pytest -q -s tests/benchmarks/$(BENCH) --override-ini=python_files='bench_*.py' -p no:cacheprovider

protos: $(VENV)/.dev
	$(BIN)/python scripts/protos.py

recordings: $(VENV)/.dev
	$(BIN)/python scripts/recordings.py

# ---- set-up ----------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "aliecs needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) with the developers' tools (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) .aliecs .cache
