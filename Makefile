# `make dev` runs it, `make test` proves it, `make check` adds lint, types and import rules. CI runs exactly these.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help dev test engine-test check bench figures audit clean
help:          ## show this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(VENV)/.run: pyproject.toml sdk/pyproject.toml
	@echo "setting up $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq -e '.[embedded]' -e ./sdk
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the development tools (once)"
	@$(BIN)/python -m pip install -qq -e '.[embedded,fast,agent,s3,dev]' -e './sdk'
	@touch $@

dev: $(VENV)/.run   ## run a gateway with three demo servers on http://127.0.0.1:8787
	@exec $(BIN)/dispatcher dev $(ARGS)

# Two processes, but one for a part that ARGS names: it would end before the second one has started.
test: $(VENV)/.dev   ## the whole suite, on real Redis
	@$(BIN)/python -m pytest -n $(if $(findstring tests/,$(ARGS)),0,2) $(ARGS)

# Run as root it starts the engine itself, where dockerd and busybox are installed and no engine answers.
engine-test: $(VENV)/.dev   ## the tests that need an engine of containers
	@.ci/with-engine $(BIN)/python -m pytest tests/containers $(ARGS)

check: $(VENV)/.dev   ## lint, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev   ## measurements (CPU per request, ratios); never part of the tests
	@$(BIN)/python -m pytest tests/bench -m bench -s $(ARGS)

figures: $(VENV)/.dev   ## what three gateways on one Redis do: shares, order, kills, drain; some minutes
	@$(BIN)/python -m pytest tests/e2e -m e2e -s -q $(ARGS)
	@$(BIN)/python -m pytest tests/store/test_model.py tests/store/test_gang_model.py -m bench -q

audit: $(VENV)/.dev   ## known vulnerabilities in the dependencies
	@$(BIN)/pip-audit --skip-editable

clean:         ## remove the environment and the development state
	rm -rf $(VENV) .dispatcher
