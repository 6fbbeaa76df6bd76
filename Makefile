# The two commands of README.md: `make demo` and `make test`. On Windows, `make` from Git or conda.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
  BIN := .venv/Scripts
else
  BIN := .venv/bin
endif
READY := .venv/.samflow-ready

.PHONY: demo test lint notebooks screenshots setup clean

demo: $(READY)
	$(BIN)/samflow demo --out runs/demo

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# executes each notebook and keeps its outputs, the same bytes each time
notebooks: $(READY)
	$(BIN)/python -m pytest --nbmake --overwrite -p no:cacheprovider notebooks
	$(BIN)/nbstripout --keep-output --keep-count notebooks/*.ipynb
	$(BIN)/python tests/freeze_notebooks.py notebooks/*.ipynb

# the pictures of the widgets in README.md; needs Chromium
screenshots: $(READY)
	$(BIN)/python -m tests.screenshots

setup: $(READY)

# installed again whenever the dependencies change
$(READY): pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'samflow needs Python 3.11 or later, got ' + sys.version.split()[0])"
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python .venv -e ".[notebook,sam2,cluster,test,lint]"
	$(PYTHON) -c "open('$(READY)', 'w').close()"

clean:
	rm -rf .venv runs notebooks/data
