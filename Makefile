# The two commands of the README, and those of a developer. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := runs/demo

.PHONY: demo test zoo lint bench clean

# Train small networks on digits, score them untrained and trained, attack them, and see how
# well the one ranks the other. Each step resumes where an interrupted one stopped.
demo: $(READY)
	@mkdir -p $(DEMO)
	$(BIN)/python -m testbed.train --preset tiny --archs sample:24 --out $(DEMO)/weights --show 0
	$(BIN)/python -m proxies.compute --init random --archs sample:24 --seeds 0-2 \
		--channels 8 --cells 1 --store $(DEMO)/demo.sqlite --show 0
	$(BIN)/python -m proxies.compute --init trained --weights $(DEMO)/weights \
		--proxies jacobian_norm,hessian_input --store $(DEMO)/demo.sqlite --show 0
	$(BIN)/python -m evaluation.robustness --init trained --weights $(DEMO)/weights --count 100 \
		--epsilons 8,16,32 --set square.queries=200 --store $(DEMO)/demo.sqlite \
		--export robustness-json --out $(DEMO)/truth
	$(BIN)/python -m evaluation.correlate --scores $(DEMO)/demo.sqlite --truth $(DEMO)/truth \
		--dataset digits --targets all --out $(DEMO)/tau.csv
	$(BIN)/python -m evaluation.report --store $(DEMO)/demo.sqlite --truth $(DEMO)/truth \
		--dataset digits --out $(DEMO)/report
	@echo "Open $(DEMO)/report/index.html; the table is in $(DEMO)/tau.csv too, and all results are in"
	@echo "$(DEMO)/demo.sqlite."

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile

# Every proxy and attack on some fifty architectures; the tests run a few of them.
zoo: $(READY)
	$(BIN)/pip install --quiet --no-deps --requirement tests/zoo/transformers.txt
	ZOO=all $(BIN)/python -m pytest tests/zoo -n auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(READY)
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml tests/zoo/timm.txt
	$(PYTHON) -m venv $(VENV)
	# First and alone: later packages would pull another build of it.
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps --requirement tests/zoo/timm.txt
	@touch $(READY)

clean:
	rm -rf $(VENV) runs build *.egg-info
