# `make help` lists what there is. Everything is installed by the targets themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
COQUI := .venv-coqui
SWITCH ?= pocket
ONLY ?=
SEEDS ?= 200
# Tests side by side: many of them wait for calls.
JOBS ?= 4
# Benchmarks take FreeSWITCH where there is one, unless SWITCH=… says otherwise.
MEASURED := $(if $(filter file,$(origin SWITCH)),,--switch $(SWITCH))

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  \1|/' | column -t -s '|'

setup: $(VENV)/.ready ## Debian packages (through apt where allowed) and the virtual environment

$(VENV)/.ready: setup.cfg tools/prepare.sh
	@bash tools/prepare.sh $(VENV)
	@touch $@

demo: setup ## real SIP calls with sound to all sorts of callees; SWITCH=freeswitch for the real switch
	@$(BIN)/duecall demo --switch $(SWITCH)

test: setup ## all tests: on the pocket switch, and on FreeSWITCH where one is found
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder $(ONLY)

test-freeswitch: setup ## the tests on FreeSWITCH alone; fails where there is none
	@$(BIN)/python tools/need_freeswitch.py
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder -m freeswitch --switch freeswitch $(ONLY)

test-coqui: $(COQUI)/.ready ## the Coqui voice, loaded and called with; installs 2 GB into .venv-coqui
	@$(COQUI)/bin/python -m pytest tests/coqui $(ONLY)

$(COQUI)/.ready: setup.cfg tools/prepare.sh tools/prepare_coqui.sh
	@bash tools/prepare_coqui.sh $(COQUI)
	@touch $@

lint: setup ## style, types and the floors of the house
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: setup ## calls a second through the daemon, beside the raw limit of the same switch
	@$(BIN)/python benchmarks/dial_rate.py $(MEASURED)
	@$(BIN)/python benchmarks/decide.py
	@$(BIN)/python benchmarks/gate.py
	@$(BIN)/python benchmarks/speech.py

chaos: setup ## daemon, switch, link and database die at random in mid-campaign; ARGS=--help lists what can be set
	@$(BIN)/python -m tests.chaos $(MEASURED) $(ARGS)

sim: setup ## stories of daemons in a bad world, judged by laws and audit; SEEDS=2000 CONTACTS=400: a million attempts
	@$(BIN)/python -m duecall.sim --seeds $(SEEDS) $(if $(CONTACTS),--contacts $(CONTACTS)) --jobs 2

soak: setup ## 450 calls a minute with a 15-second message for 10 minutes
	@$(BIN)/python benchmarks/soak.py $(MEASURED)

clean: ## what was built; never campaigns, recordings or the database
	rm -rf $(VENV) $(COQUI) build daemon/*.egg-info *.egg-info .pytest_cache .mypy_cache .ruff_cache

.PHONY: help setup demo test test-freeswitch test-coqui lint bench chaos sim soak clean
