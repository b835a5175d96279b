# `make` lists the targets. Each sets up what it needs, once; the second time it costs seconds.

# The interpreter that makes the virtual environment: python3, unless that is older than 3.11.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV ?= .venv
PORT ?= 8000
DEBUG ?= 1
# Workers of the tests that start servers: each has several processes busy.
PROCESS_WORKERS ?= 3
# Workers of the browser's tests, which have a server and a browser each.
BROWSER_WORKERS ?= 2
# More for pytest, as in: make test-sqlite PYTEST_OPTIONS="-k crontab -x"
PYTEST_OPTIONS ?=

BIN := $(VENV)/bin
PYTEST = $(BIN)/python -m pytest $(PYTEST_OPTIONS)
PIP_INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check
RUNTIME := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev

# What a production site would set, for `check --deploy`.
PRODUCTION = DEBUG=0 ALLOWED_HOSTS=console.example.com DATABASE_URL=sqlite://:memory: APP_SCHEDULER_AUTOSTART=0 \
	SECRET_KEY=only-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF

# The languages of the console beside English; more, as in: make messages LANGUAGES="de es fr it"
LANGUAGES ?= $(sort de es fr $(notdir $(wildcard locale/*)))
MANAGE_MESSAGES = DEBUG=1 DATABASE_URL=sqlite://:memory: APP_SCHEDULER_AUTOSTART=0 $(BIN)/python manage.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test test-sqlite test-postgres test-processes test-browser lint fmt messages pictures bench chaos setup clean chromium

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | awk -F ':.*  ## ' '{printf "  make %-15s %s\n", $$1, $$2}'

run: $(RUNTIME)  ## Serve the site on 127.0.0.1:$PORT (8000), with a database and a superuser; RELOAD=1 reloads changed code
	@DEBUG=$(DEBUG) $(BIN)/python -m poker_backend.bootstrap
	@[ "$(DEBUG)" = 1 ] || DEBUG=$(DEBUG) $(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@DEBUG=$(DEBUG) exec $(BIN)/python manage.py runserver $(if $(RELOAD),,--noreload) 127.0.0.1:$(PORT)

test: $(DEVELOPMENT)  ## Run every test: on SQLite, on PostgreSQL, with real processes, in a real browser
	@$(MAKE) --no-print-directory --keep-going test-sqlite test-postgres test-processes test-browser

test-sqlite: $(DEVELOPMENT)  ## Run the unit and integration tests on SQLite
	TEST_DATABASE=sqlite $(PYTEST) -n auto tests/unit tests/integration

test-postgres: $(DEVELOPMENT)  ## Run the integration tests on a real PostgreSQL server
	TEST_DATABASE=postgres $(PYTEST) -n auto tests/integration

test-processes: $(DEVELOPMENT)  ## Run the tests that start, kill and race real server processes
	$(PYTEST) -n $(PROCESS_WORKERS) -m "not chaos" tests/processes

test-browser: $(DEVELOPMENT)  ## Run the tests in Chromium, which is installed if it can be
	@if [ "$$SKIP_BROWSER" = 1 ]; then echo "Browser tests left out: SKIP_BROWSER=1"; \
	elif $(MAKE) --no-print-directory --silent chromium; then set -x; $(PYTEST) -n $(BROWSER_WORKERS) --dist loadfile tests/browser; \
	else echo "Browser tests left out: there is no Chromium here, and it cannot be installed"; fi

lint: $(DEVELOPMENT)  ## Check style, types, migrations and the production settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	DEBUG=1 DATABASE_URL=sqlite://:memory: APP_SCHEDULER_AUTOSTART=0 $(BIN)/python manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

fmt: $(DEVELOPMENT)  ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: $(RUNTIME)  ## Extract the strings of the catalogues again and compile them; needs GNU gettext
	@command -v msgfmt >/dev/null && command -v xgettext >/dev/null || { echo "GNU gettext is needed: xgettext, msgmerge and msgfmt. On Debian and Ubuntu: sudo apt-get install gettext" >&2; exit 1; }
	$(MANAGE_MESSAGES) makemessages $(addprefix --locale ,$(LANGUAGES)) --no-wrap --no-location --no-obsolete --ignore '.venv*' --ignore tests
	$(MANAGE_MESSAGES) compilemessages $(addprefix --locale ,$(LANGUAGES)) --ignore '.venv*'

pictures: $(DEVELOPMENT)  ## Take the pictures of docs/ again, of a site with made-up data; needs Chromium
	$(BIN)/python -m tests.pictures

bench: $(DEVELOPMENT)  ## Measure the speed beside plain django-apscheduler: BENCH="drain idle", BENCH_QUICK=1, BENCH_MEMORY=1000000
	$(BIN)/python -m tests.benchmarks run $(if $(BENCH_QUICK),--scale quick --repeat 1) \
		$(if $(BENCH_MEMORY),--executions $(BENCH_MEMORY)) $(BENCH_OPTIONS) $(BENCH)

chaos: $(DEVELOPMENT)  ## Kill, stall and cut off leaders and workers for CHAOS_SECONDS (60) on both databases, and reconcile
	@rm -rf var/chaos
	$(PYTEST) -n 2 --timeout 0 -m chaos tests/processes; status=$$?; cat var/chaos/*.txt; exit $$status

setup: $(DEVELOPMENT)  ## Only install what the other targets need

clean:  ## Remove what the other targets made, except databases
	rm -rf $(VENV) staticfiles var/screenshots .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

# A virtual environment whose interpreter has gone counts as missing. Debian keeps what makes one in a package of its own.
$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed: install it, or name it, as in: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "PYTHON=$(PYTHON) is not Python 3.11 or newer" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) with $(PYTHON)"
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		version=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing python$$version-venv"; \
			{ apt-get update && apt-get install -y --no-install-recommends "python$$version-venv"; } >/dev/null; \
		else \
			echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python$$version-venv" >&2; exit 1; \
		fi; \
	fi
	@"$(PYTHON)" -m venv --clear $(VENV)

$(RUNTIME): requirements.txt $(BIN)/python
	@echo "Installing the site's requirements into $(VENV)"
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(DEVELOPMENT): requirements.txt requirements-celery.txt requirements-dev.txt $(BIN)/python
	@echo "Installing the development requirements into $(VENV)"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $(RUNTIME) $@

chromium:
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable; do \
		[ -n "$$name" ] && command -v "$$name" >/dev/null && exit 0; done; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 1; \
	echo "Installing Chromium for the browser tests"; \
	for try in 1 2 3; do \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium && exit 0; \
		sleep 5; done >/dev/null; exit 1
