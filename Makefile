# One verb for each thing there is to do. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo app test test-slow test-security test-properties test-faults lint bench bench-memory bench-labels bench-retraining bench-strategies bench-page screenshots messy hostile clean

help:            ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "make %-16s %s\n", $$1, $$2}'

setup: $(READY)  ## make the environment in .venv (7 GB, about 3 minutes)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed, found $$($(PYTHON) -V): name another by make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making the environment in $(VENV): 7 GB, about 3 minutes"
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)

demo: $(READY)   ## fine-tune a BERT-type model on 10,000 tweets, score it, ask it something (4 minutes)
	@echo "Fine-tuning MiniLM on human-labelled tweets; the run is kept in runs/"
	@dir=runs/demo-$$(date +%Y%m%d-%H%M%S); \
	$(RUN)/python recipes/bert_sentiment.py --config recipes/presets/demo.yaml --output_dir $$dir && \
	$(RUN)/python -m studio predict $$dir "What a wonderful morning, thank you all!" "I waited two hours and nobody came."

app: $(READY)    ## open the studio in your browser, at http://127.0.0.1:7860
	$(RUN)/python app.py

test: $(READY)   ## run the tests, with a tour of the page in Chromium if that is there (15 minutes)
	$(RUN)/python -m pytest -n 2 --dist loadgroup

test-slow: $(READY)  ## try every screen in Chromium, and some of the rest at more length (20 minutes, needs chromium)
	$(RUN)/python -m pytest -n 2 --dist loadgroup -m slow

test-security: $(READY)  ## try whatever threatens the page, at length, and write docs/security.md (5 minutes, needs chromium)
	STUDIO_FIGURES=docs/security.md $(RUN)/python -m pytest -m '' tests/ui/test_security.py

test-properties: $(READY)  ## divide 1,000 random data sets and look for whatever crosses (6 minutes)
	$(RUN)/python -m pytest -n 2 --hypothesis-profile=many tests/data/test_splits.py -k whatever_the_data

lint: $(READY)   ## check format and style
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .

bench: $(READY)  ## measure training speed, as ratios within one run, and write docs/benchmarks.md (10 minutes)
	$(RUN)/python -m tests.bench.training docs/benchmarks.md

bench-memory: $(READY)  ## measure memory for each added row and write docs/memory.md (3 minutes)
	$(RUN)/python -m tests.bench.memory docs/memory.md

bench-labels: $(READY)  ## turn labels round, count how many the check finds, write docs/data-check.md: make bench-labels DATA=FILE
	@test -n "$(DATA)" || { echo "Name a table of labelled texts: make bench-labels DATA=FILE"; exit 1; }
	$(RUN)/python -m tests.bench.label_errors "$(DATA)" docs/data-check.md

bench-retraining: $(READY)  ## train with wrong labels and without those the check finds, write docs/data-check.md: make bench-retraining DATA=FILE TEST=FILE (20 minutes)
	@test -n "$(DATA)" -a -n "$(TEST)" || { echo "Name two tables of labelled texts: make bench-retraining DATA=FILE TEST=FILE"; exit 1; }
	$(RUN)/python -m tests.bench.retraining "$(DATA)" "$(TEST)" docs/data-check.md

bench-strategies: $(READY)  ## hold --strategy auto beside simpler ways, write docs/strategies.md: make bench-strategies SETS="NAME=TRAIN,TEST[,FLAG=VALUE] ..." (hours)
	$(RUN)/python -m tests.bench.strategies docs/strategies.md runs/bench-strategies $(SETS)

bench-page: $(READY)  ## time the page in Chromium and write docs/page.md (2 minutes)
	$(RUN)/python -m tests.bench.page docs/page.md

screenshots: $(READY)  ## take the README's pictures of the page over the runs in runs/ (1 minute)
	$(RUN)/python -m tests.bench.screenshots runs docs

messy: $(READY)  ## read the bad files of a folder with a MANIFEST.csv and write docs/messy.md: make messy DATA=FOLDER
	@test -n "$(DATA)" || { echo "Name the folder of bad files: make messy DATA=FOLDER"; exit 1; }
	$(RUN)/python -m tests.bench.messy "$(DATA)" docs/messy.md

hostile: $(READY)  ## open hostile files and write what they reach to docs/hostile-input.md (1 minute)
	$(RUN)/python -m tests.bench.hostile docs/hostile-input.md

test-faults: $(READY)  ## kill, damage and fill up runs on purpose and write docs/reliability.md (20 minutes, needs cc)
	$(RUN)/python -m tests.faults docs/reliability.md

clean:           ## remove the environment and caches; runs/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
