# The two commands of the README, and those of a developer. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := runs/demo

.PHONY: demo test lint bench clean

demo: $(READY)
	@mkdir -p runs
	$(BIN)/python -m proxies.compute --init random --archs sample:24 --seeds 0-2 \
		--store $(DEMO).sqlite --export $(DEMO).csv --show 24
	@if [ -f "$(TESTBED_DATA)/robustness-data/meta.json" ]; then \
		$(BIN)/python -m evaluation.correlate --scores $(DEMO).sqlite \
			--truth "$(TESTBED_DATA)/robustness-data" --out $(DEMO)-tau.csv; \
	else \
		echo "No published truth to rank: set TESTBED_DATA to the folder that holds robustness-data/"; \
	fi
	@echo "The scores are in $(DEMO).csv."

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(READY)
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	# First and alone: later packages would pull another build of it.
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) runs build *.egg-info
