# FedFundus: `make demo` and `make test` each set up a fresh machine first (venv, pinned install).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_SEED ?= 0

.PHONY: faults demo demo-seeds federation test test-all check bench lock sbom errors-page soak clean
.DELETE_ON_ERROR:

# --compile-bytecode: importing torch and timm uncompiled would cost every process ten seconds.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed; set PYTHON=, e.g. make PYTHON=python3.11 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable ".[dev]"
	@$(BIN)/python -m compileall -q shared_model client server simulations deploy
	@touch $@

demo: $(READY)
	@rm -rf runs/demo runs/demo-data
	$(BIN)/fedfundus-simulate synthesize runs/demo-data --patients 600 --test-patients 400 --seed $(DEMO_SEED)
	$(BIN)/fedfundus-simulate run --data runs/demo-data --preset tiny --partition center --seed $(DEMO_SEED) --out runs/demo

# The demo's figures with two other seeds of the training, fixed beforehand, on the same data.
demo-seeds: $(READY)
	@test -d runs/demo-data || { echo "error: run make demo first"; exit 1; }
	for seed in 1 2; do rm -rf runs/demo-seed-$$seed; \
	  $(BIN)/fedfundus-simulate run --data runs/demo-data --preset tiny --partition center --seed $$seed --out runs/demo-seed-$$seed || exit; done

# Provisioned, started, trained, exported, compared with a simulation, stopped: three sites on this machine.
federation: $(READY)
	$(BIN)/python -m deploy.rehearsal

# A file's tests stay in one process, since they share what they prepared. Of the slow ones three files run beside each
# other, however many cores there are: a full-size model takes 8 GB, and most of the others mostly wait.
PARALLEL := -n auto --dist loadfile

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)

test-all: $(READY)
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)
	$(BIN)/python -m pytest -m slow -n 3 --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

bench: $(READY)
	$(BIN)/fedfundus-simulate bench

# What a hospital installs: every runtime package of constraints.txt with its SHA-256, for Python 3.11 on Linux, without the
# address of any registry (pip install --require-hashes -r requirements.lock).
lock: $(READY)
	@{ echo "# make lock: what runs, for Python 3.11 on Linux (x86-64, glibc 2.28 or newer), with the SHA-256 of every file."; \
	  $(BIN)/uv pip compile --quiet pyproject.toml --constraint constraints.txt --generate-hashes --python-version 3.11 \
	    --python-platform x86_64-manylinux_2_28 --no-header --no-annotate --no-emit-index-url --no-emit-find-links; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

# What is in it, by whom and under which licence: CycloneDX, of the environment that constraints.txt makes, development tools included.
sbom: $(READY)
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o sbom.cdx.json $(BIN)/python

# docs/guides/errors.md, from the numbers in the code and the pages that explain them.
errors-page: $(READY)
	$(BIN)/python tests/documentation/errors_page.py

# Hours, by hand: the figures of docs/results.md, on data that `make demo` and the user provide.
soak: $(READY) demo demo-seeds
	$(BIN)/python -m pytest tests/fuzz -m slow --fuzz-cases 5000 -q
	$(BIN)/fedfundus-simulate weighting --data runs/demo-data --seeds 3 --out runs/weighting
	$(BIN)/fedfundus-simulate tables --data runs/demo-data --which 1,2,3,4,6 --seeds 3 --modes federated,pooled --out runs/tables
	$(BIN)/fedfundus-simulate transfer --data runs/demo-data --leave-out each --out runs/transfer
	$(BIN)/fedfundus-simulate poisoning --data runs/demo-data --out runs/poisoning
	$(BIN)/python -m pytest tests/client/privacy/dp -m slow --privacy-cases 1000 -q
	$(BIN)/python -m pytest tests/client/privacy/test_crashes.py -m slow --kills 100 -q
	$(BIN)/fedfundus-simulate exchange-study --data runs/demo-data --seeds 3 --out runs/exchange-study
	$(BIN)/fedfundus-simulate privacy-curve --data runs/demo-data --epsilons 1,3,8 --seeds 3 --out runs/privacy-curve
	$(BIN)/fedfundus-simulate audit --data runs/demo-data --seeds 3 --out runs/audit
	@test -d ../shared/data/idrid || { echo "skipped: the IDRiD photographs are not at ../shared/data/idrid"; exit 0; }; \
	  rm -rf runs/idrid; $(BIN)/fedfundus-simulate crossvalidate --data ../shared/data/idrid --folds 5 --sites 3 --report runs/idrid.html --out runs/idrid

# Everything that is killed, cut, filled up and lied to, over real processes, and the table of it in docs/faults.md.
faults: $(READY)
	rm -f runs/faults.jsonl
	$(BIN)/python -m pytest tests/faults -m slow
	$(BIN)/python tests/faults/fault_table.py

clean:
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
