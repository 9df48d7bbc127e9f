# Every task of the project. `make` alone lists them. What is needed: make, and Python 3.11 or newer with venv.

VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh
ARGS ?=

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
NO_PYTHON = Cutline needs Python 3.11 or newer with its venv module (on Debian: apt install python3 python3-venv); or name one: make PYTHON=/path/to/python3

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# The lock of development holds all that running needs: where it is installed, `make run` asks for nothing else.
RUN_STAMP = $(if $(wildcard $(VENV)/dev.stamp),$(VENV)/dev.stamp,$(VENV)/run.stamp)

.DEFAULT_GOAL := help
.PHONY: bench-costs simulate-scale help run up up-secure down install install-dev test test-long lint fmt types arch proto-check proto lock bench-submit bench-e2e bench-quality bench-stages bench-drain bench-pickup bench-scaling bench-faults bench-watch bench-watch-faults bench-rolling clients clean schemas images images-check sbom

##@ Use
run: $(RUN_STAMP) ## Make stickers of the sample artworks, through every service, into out/
	@$(BIN)/python -m cutline.embedded run $(ARGS)

up: $(RUN_STAMP) ## Start everything on this machine and keep it running until Ctrl-C
	@$(BIN)/python -m cutline.embedded up $(ARGS)

up-secure: $(RUN_STAMP) ## The same with TLS everywhere, a cluster of NATS and least privilege; ARGS=--mutual asks clients for certificates
	@$(BIN)/python -m cutline.embedded up --secure $(ARGS)

down: $(RUN_STAMP) ## Stop what `make up` or `make up-secure` started in another shell
	@$(BIN)/python -m cutline.embedded down $(ARGS)

install: $(RUN_STAMP) ## Make .venv with what running needs

install-dev: $(VENV)/dev.stamp ## Add what development needs to .venv

##@ Check
test: $(VENV)/dev.stamp ## Run every check and every test; ARGS="-k cut_line" picks tests
	@$(MAKE) --no-print-directory --jobs 2 lint types arch proto-check k8s-check schemas
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(VENV)/dev.stamp ## The properties of cut lines on 2,000 random artworks each, on two cores; takes about an hour
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 2 --dist load tests/property $(ARGS)

lint: $(VENV)/dev.stamp ## Find faults and format differences
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .

types: $(VENV)/dev.stamp ## Check the types
	@$(BIN)/mypy --no-error-summary

arch: $(VENV)/dev.stamp ## Check who may import whom
	@$(BIN)/lint-imports --no-logo

proto-check: $(VENV)/dev.stamp ## Check the contract: style, compatibility, generated code
	@cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against baseline.binpb && ../$(BIN)/python generate.py --check

K8S_TOOLS := deploy/checks/.venv/tools.stamp
k8s-check: $(VENV)/dev.stamp $(K8S_TOOLS) ## Check manifests and migrations: rendering, schemas, our policies, checkov, squawk; ARGS=--all
	@$(BIN)/python -m deploy.checks check $(if $(findstring --all,$(ARGS)),--all)

schemas: $(VENV)/schemas.stamp ## Install the schemas of Compose files and bills of materials, which tests read

images-check: $(VENV)/dev.stamp ## Build images from a local base, run them locked up, ask their probes; needs root, buildah and debootstrap
	@BUILD_IMAGES=1 $(BIN)/python -m pytest tests/deploy/images/test_built_images.py $(ARGS)

##@ Deploy
images: ## Build the images of all services with docker, podman or buildah; ARGS="status" builds one
	@deploy/docker/build.sh $(ARGS)

sbom: $(VENV)/dev.stamp ## Write what each image is made of into build/, as CycloneDX
	@$(BIN)/python deploy/docker/sbom.py build

##@ Change
k8s-render: $(VENV)/dev.stamp ## Write deploy/k8s/rendered anew; needs kubectl
	@$(BIN)/python deploy/k8s/generate.py && $(BIN)/python -m deploy.checks render

fmt: $(VENV)/dev.stamp ## Format the code and mend what can be mended
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format --quiet .

proto: $(VENV)/dev.stamp ## Generate the code of the contract
	@$(BIN)/python proto/generate.py

clients: $(VENV)/dev.stamp ## Generate and build the clients in other languages, those whose toolchain is at hand
	@$(BIN)/python clients/build.py

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(ARGS) pyproject.toml
PINNED = --constraint requirements/dev.txt
lock: $(VENV)/dev.stamp ## Compile the locks anew; ARGS=--upgrade takes newer versions
	@$(LOCK) --extra dev --output-file requirements/dev.txt
	@$(LOCK) $(PINNED) --extra embedded --extra checkout --output-file requirements/run.txt
	@$(LOCK) $(PINNED) --extra ingest --output-file requirements/ingest.txt
	@$(LOCK) $(PINNED) --extra services --extra imaging --extra model --output-file requirements/imaging.txt
	@$(LOCK) $(PINNED) --extra services --extra mockup --output-file requirements/mockup.txt
	@$(LOCK) $(PINNED) --extra status --output-file requirements/status.txt
	@$(LOCK:pyproject.toml=deploy/checks/tools.in) --output-file deploy/checks/tools.txt
	@$(LOCK:pyproject.toml=deploy/docker/builder.in) $(PINNED) --output-file deploy/docker/builder.txt
	@$(LOCK:pyproject.toml=deploy/schemas/schemas.in) --no-deps --output-file deploy/schemas/schemas.txt

##@ Measure
bench-submit: $(RUN_STAMP) ## Submits per second and their latency
	@$(BIN)/python bench/submit.py $(ARGS)

bench-e2e: $(RUN_STAMP) ## From submit to ready, beside the same work without any service
	@$(BIN)/python bench/e2e.py $(ARGS)

bench-drain: $(RUN_STAMP) ## Jobs per second that one worker and two drain, all bookkeeping on
	@$(BIN)/python -m bench.delivery.drain $(ARGS)

bench-pickup: $(RUN_STAMP) ## From the commit of a submit to the start of its work at an idle worker
	@$(BIN)/python -m bench.delivery.pickup $(ARGS)

bench-scaling: $(RUN_STAMP) ## What a second worker brings where the work is CPU
	@$(BIN)/python -m bench.delivery.scaling $(ARGS)

bench-quality: $(RUN_STAMP) ## Cutouts and cut lines against art of exact alpha; ARGS="--quick" takes four artworks
	@$(BIN)/python -m bench.quality $(ARGS)

bench-stages: $(VENV)/dev.stamp ## Every step of a sticker beside decoding and encoding alone; ARGS="--quick" takes 4 MP
	@$(BIN)/python -m bench.stages $(ARGS)

bench-faults: $(RUN_STAMP) ## Break everything in turn under load, then a cluster of NATS; recovery times and the books; ARGS=--quick
	@$(BIN)/python -m bench.faults $(ARGS); first=$$?; $(BIN)/python -m bench.faults.cluster $(ARGS) && exit $$first

bench-watch-faults: $(RUN_STAMP) ## Restart everything under 500 watchers; what each was not told, or told twice; ARGS=--quick
	@$(BIN)/python -m bench.watch_faults $(ARGS)

bench-rolling: $(RUN_STAMP) ## Restart every service in turn under 20 designs a second, secured; nothing lost, nobody cut off; ARGS=--quick
	@$(BIN)/python -m bench.rolling $(ARGS)

bench-watch: $(RUN_STAMP) ## Watching at scale: latency, fan-out, reads, memory, churn, slow readers; 45 minutes, ARGS=--quick one
	@$(BIN)/python -m bench.watch $(ARGS)

bench-costs: $(VENV)/dev.stamp ## What one design costs each part: processor time, bytes, messages, rows; 6 minutes
	@$(BIN)/python -m bench.costs $(ARGS)

simulate-scale: $(VENV)/dev.stamp ## A launch day under several autoscaling thresholds, simulated; ARGS=--quick
	@$(BIN)/python -m bench.scale $(ARGS) && $(BIN)/python -m bench.scale.paper

##@ Other
clean: ## Remove what was made: .venv, data, results, caches
	@rm -rf $(VENV) .cutline out build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		deploy/checks/.venv deploy/checks/node_modules clients/typescript/node_modules clients/typescript/src/gen clients/typescript/dist clients/go/gen clients/go/bin

help: ## List the tasks
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/venv.stamp:
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) && touch $@

$(VENV)/%.stamp: requirements/%.txt pyproject.toml | $(VENV)/venv.stamp
	@$(PIP) install --require-hashes -r $< && $(PIP) install --quiet --no-deps --no-build-isolation --editable . && touch $@

# Packages of which only files are read: not among what is imported, and without what they depend on.
$(VENV)/schemas.stamp: deploy/schemas/schemas.txt | $(VENV)/venv.stamp
	@$(PIP) install --quiet --no-deps --require-hashes --upgrade --target $(VENV)/schemas -r $< && touch $@

# Of its own, for checkov pins old releases of libraries that the services use.
$(K8S_TOOLS): deploy/checks/tools.txt | $(VENV)/venv.stamp
	@test -x deploy/checks/.venv/bin/python || $(PYTHON) -m venv deploy/checks/.venv
	@deploy/checks/.venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes -r $< && touch $@
