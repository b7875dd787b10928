# FedFundus: `make demo` and `make test` each set up a fresh machine first (venv, pinned install).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_SEED ?= 0

.PHONY: demo demo-seeds test test-all check bench soak clean
.DELETE_ON_ERROR:

# --compile-bytecode: importing torch and timm uncompiled would cost every process ten seconds.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed; set PYTHON=, e.g. make PYTHON=python3.11 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)
	@rm -rf runs/demo runs/demo-data
	$(BIN)/fedfundus-simulate synthesize runs/demo-data --patients 600 --test-patients 400 --seed $(DEMO_SEED)
	$(BIN)/fedfundus-simulate run --data runs/demo-data --preset tiny --partition center --seed $(DEMO_SEED) --out runs/demo

# The demo's figures with two other seeds of the training, fixed beforehand, on the same data.
demo-seeds: $(READY)
	for seed in 1 2; do rm -rf runs/demo-seed-$$seed; \
	  $(BIN)/fedfundus-simulate run --data runs/demo-data --preset tiny --partition center --seed $$seed --out runs/demo-seed-$$seed || exit; done

test: $(READY)
	$(BIN)/python -m pytest -m "not slow and not soak"

test-all: $(READY)
	$(BIN)/python -m pytest -m "not soak"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

bench: $(READY)
	$(BIN)/fedfundus-simulate bench

soak: $(READY)
	$(BIN)/python -m pytest -m soak

clean:
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
