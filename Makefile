# The two commands of the README, and those of a developer. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(abspath $(BIN))/robustness-proxies
READY := $(VENV)/.ready
DEMO := runs/demo

.PHONY: demo test thorough zoo fuzz lint docs dist matrix interrupt kill bench clean

# Train small networks on digits, attack them, score them untrained, and see how well the one
# ranks the other: the README's commands. Each step resumes where an interrupted one stopped.
demo: $(READY)
	@mkdir -p $(DEMO)
	cd $(DEMO) && $(RUN) train --preset tiny --epochs 4 --archs spread:24 --out weights
	cd $(DEMO) && $(RUN) attack --weights weights --attacks fgsm,pgd --count 100 \
		--epsilons 8,16,32 --format robustness-json --out truth
	cd $(DEMO) && $(RUN) compute --archs spread:24 --channels 8 --cells 1 \
		--proxies params,flops,jacobian_norm,hessian_input,synflow,nwot
	cd $(DEMO) && $(RUN) correlate --scores runs/digits.sqlite --truth truth --images digits \
		--targets all --out tau.csv
	cd $(DEMO) && $(RUN) report --scores runs/digits.sqlite --truth truth --images digits --out report
	@echo "Open $(DEMO)/report/index.html; the table is in $(DEMO)/tau.csv too, and all results are in"
	@echo "$(DEMO)/runs/digits.sqlite."

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile

# What the tests leave out for its cost: the other halves of families of cases.
thorough: $(READY)
	THOROUGH=1 $(BIN)/python -m pytest -n auto --dist loadfile

# Every proxy and attack on some fifty architectures; the tests run a few of them.
zoo: $(READY)
	$(BIN)/pip install --quiet --no-deps --requirement tests/zoo/transformers.txt
	ZOO=all $(BIN)/python -m pytest tests/zoo -n auto --dist loadfile

# Ten thousand malformed inputs over all readers and parsers; the tests run a few hundred.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# The documentation as a site, site/index.html; the built pages need no network.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Wheel and sdist in dist/, as a package index takes them.
dist: $(VENV)/.dist
	rm -rf dist build
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

# The wheel used on the oldest Python with the lowest versions, and on the newest with the newest;
# downloads gigabytes, and writes docs/reference/versions.md.
matrix: dist
	$(BIN)/python -m scripts.matrix dist/*.whl

# Interrupts every long command at 20 random moments by each signal; takes an hour.
interrupt: $(READY)
	$(BIN)/python -m scripts.interrupt

# Kills drivers and workers of every long command, by every engine, 50 times; takes half an hour.
kill: $(READY)
	$(BIN)/python -m scripts.kill

bench: $(READY)
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml tests/zoo/timm.txt
	$(PYTHON) -m venv $(VENV)
	# First and alone: later packages would pull another build of it.
	$(BIN)/pip install --quiet --no-compile torch==2.13.0
	$(BIN)/pip install --quiet --no-compile --editable '.[dev]'
	$(BIN)/pip install --quiet --no-compile --no-deps --requirement tests/zoo/timm.txt
	# On all cores, as pip does not; some files of torch's own tests are in a later Python's syntax.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > $(VENV)/compiled.log 2>&1 || true
	@touch $(READY)

$(VENV)/.docs: $(READY)
	$(BIN)/pip install --quiet --editable '.[docs]'
	@touch $@

$(VENV)/.dist: $(READY)
	$(BIN)/pip install --quiet build twine
	@touch $@

clean:
	rm -rf $(VENV) runs build dist site *.egg-info
