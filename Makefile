# Everything that a person or the CI does with this checkout. `make` alone lists the targets.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH ?= transport rules ingress listener sink latency start
BENCH_ARGS ?=
MUTATION_ARGS ?=
LOCK_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage check format bench mutation types page pictures recording lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: $(VENV)/.installed ## make .venv with the command .venv/bin/tidegate
	@echo "ready: $(BIN)/tidegate"

demo: $(VENV)/.installed ## run the whole pipeline on embedded servers and prove it (DEMO_ARGS="--duration 10 --output json"; LISTENER=1: without a broker)
	@$(BIN)/tidegate demo $(if $(LISTENER),--listener) $(DEMO_ARGS)

# Tests start hundreds of processes; without this, each of them compiles our sources where Python may not write as it runs.
test: $(VENV)/.installed-dev ## run all tests (TEST_ARGS="-k name")
	@$(BIN)/python -m compileall -q pipeline ingress agents
	@$(BIN)/python -m pytest $(TEST_ARGS)

coverage: $(VENV)/.installed-dev ## measure the lines that unit tests and language cases reach; fails below the floor
	@$(BIN)/python -m pytest tests/unit tests/conformance --cov $(TEST_ARGS)

check: $(VENV)/.installed-dev ## lint, formatting, types, the floors of the architecture, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml

format: $(VENV)/.installed-dev ## write the code as `make check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## measure side by side: transport, rules, ingress, listener, sink, latency, start (BENCH=transport BENCH_ARGS="--output json")
	@set -e; for each in $(BENCH); do $(BIN)/python -m benchmarks.$$each $(BENCH_ARGS); done

mutation: $(VENV)/.installed-dev ## change the pure modules a little and see a test fail (MUTATION_ARGS="--seconds 1200 --seed abc")
	@$(BIN)/python -m tests.mutation $(MUTATION_ARGS)

types: $(VENV)/.installed ## make the dashboard's types from the OpenAPI document of the API
	@mkdir -p build && $(BIN)/python -m pipeline.web.app > build/openapi.json
	@.ci/npm run --silent types < build/openapi.json

page: ## build the dashboard from dashboard/ into the package that serves it
	@.ci/npm ci
	@.ci/npm run build

pictures: $(VENV)/.installed-dev ## make the pictures of the dashboard for README and manual (needs Chromium)
	@$(BIN)/python -m tests.browser.pictures

recording: $(VENV)/.installed-dev ## record the demo in a terminal, as a picture for README and manual
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.newcomer.recording

lock: build/tools/bin/uv ## pin what the image installs, with hashes (LOCK_ARGS="--upgrade" for the newest)
	@build/tools/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" $(LOCK_ARGS) \
	  --extra api --extra exhook --extra otel --extra schemas pyproject.toml --output-file deploy/requirements.txt

build/tools/bin/uv:
	@test -x build/tools/bin/pip || $(PYTHON) -m venv build/tools
	@build/tools/bin/pip install --quiet --disable-pip-version-check uv

clean: ## remove .venv and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# A stamp is newer than pyproject.toml when its extra is installed, so the second time costs nothing.
#
# pip of $(PYTHON) installs into .venv, which needs none of its own: making one takes longer than anything here but the large
# libraries. pip would compile every file of every library, and most are never imported; those that are, are compiled by importing
# them once, also where the environment forbids Python to do so as it runs.
PIP = if $(PYTHON) -c 'import pip; assert int(pip.__version__.split(".")[0]) > 22' 2>/dev/null; \
  then pip="$(PYTHON) -m pip --python $(BIN)/python"; else $(BIN)/python -m ensurepip >/dev/null; pip="$(BIN)/python -m pip"; fi; \
  $$pip install --quiet --disable-pip-version-check
# uv takes a fifth of pip's time to find and unpack what is needed, and goes again. If it cannot be had, or finds no package because
# only pip knows where they are, pip does it all. $(call INSTALL,extra,options of uv,options of pip)
UV_PIP = UV_NATIVE_TLS=1 $(BIN)/uv pip
INSTALL = { { $(PIP) --no-compile uv && $(UV_PIP) install --quiet --python $(BIN)/python --editable '.[$(1)]' $(2) \
  $${PIP_INDEX_URL:+--default-index "$$PIP_INDEX_URL"}; } 2>/dev/null || { $(PIP) $(3) --editable '.[$(1)]'; }; } && \
  { [ ! -x $(BIN)/uv ] || $(UV_PIP) uninstall --quiet --python $(BIN)/python uv; }
USED = agents.worker, ingress.service, pipeline.demo.main, pipeline.formats.parquet, moto.server, moto.s3.responses

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing tidegate with its embedded servers into $(VENV) (about a quarter of a minute)"
	@$(call INSTALL,demo,,--no-compile)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import $(USED)'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing tidegate with its test tools into $(VENV) (about half a minute)"
	@$(call INSTALL,dev,--compile-bytecode)
	@touch $@ $(VENV)/.installed

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "tidegate needs Python 3.11 or later, and there is no $(PYTHON)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; \
	  sys.exit(0 if sys.version_info >= (3, 11) else "tidegate needs Python 3.11 or later; $(PYTHON) is " + v + \
	  ". Name another one: make install PYTHON=python3.12")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --without-pip $(VENV)
