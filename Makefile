# thunk-inspect. Everything that these targets need, they install themselves.
#
#     make inspect    show the reports of a sound thunk, a broken one and the real engine
#     make test       run the whole test suite
#     make install    Debian packages, .venv, fixtures, engines; a second run does nothing
#     make test-matrix     the same in older and newer debuggers, beside gef and pwndbg
#     make lint       ruff and mypy
#     make fuzz N=200000   that many mutants, proved and run in an emulator
#     make sweep      every read that can fail, in every command; more of what tests try
#     make soak N=2000     that many commands of each kind in one debugger: what piles up
#     make bench      what the plugin costs, beside the bare debuggers
#     make clean      remove what was built, but not .venv and downloads

# The debuggers embed Debian's Python: another one on PATH would not match it.
PYTHON := /usr/bin/python3
VENV := .venv
CACHE := .cache
STAMPS := $(CACHE)/stamps
LLDB_NEW := 23.1.0.post2
GDB_NEW := 18.1.0.post1
TRY := ready: `make inspect` shows what reports look like
LOAD := next: `$(VENV)/bin/thunk-inspect setup` says how gdb and lldb load the commands
WORKERS ?= $(shell nproc)

.PHONY: inspect test test-matrix install lint fuzz sweep soak bench clean
.DELETE_ON_ERROR:

inspect: install
	@$(VENV)/bin/python tools/show.py
	@echo '$(LOAD)'

test: install
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadgroup

test-matrix: install $(STAMPS)/gdb-new $(STAMPS)/lldb-old
	$(VENV)/bin/python tools/matrix.py -n $(WORKERS)

install: $(STAMPS)/packages $(STAMPS)/venv $(STAMPS)/lldb-new
	@$(MAKE) --no-print-directory -s -C fixtures
	@$(MAKE) --no-print-directory -s -C fixtures/engine linux windows \
	    PYTHON=$(abspath $(VENV)/bin/python) WHEEL_DIR=$(abspath $(CACHE)/wheel)
	@# lldb's Python reads compiled modules, but writes none.
	@$(PYTHON) -m compileall -q plugin/lldb
	$(if $(filter install,$(MAKECMDGOALS)),@printf '%s\n' '$(TRY)' '$(LOAD)')

$(STAMPS)/packages: tools/debian-packages.txt tools/install-packages
	@tools/install-packages
	@mkdir -p $(@D) && touch $@

$(STAMPS)/venv: setup.cfg pyproject.toml | $(STAMPS)/packages
	@echo "installing thunk-inspect into $(VENV)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	@touch $@

# An lldb with scripted frame providers, newer than Debian's, for the tests.
$(STAMPS)/lldb-new: | $(STAMPS)/packages
	@echo "installing a newer lldb into $(CACHE)/lldb-new"
	@$(PYTHON) -m venv --clear $(CACHE)/lldb-new
	@$(CACHE)/lldb-new/bin/python -m pip install --quiet lldb-for-pwndbg==$(LLDB_NEW)
	@touch $@

# What `make test-matrix` needs beside.
$(STAMPS)/gdb-new: | $(STAMPS)/packages
	@echo "installing a newer gdb into $(CACHE)/gdb-new"
	@$(PYTHON) -m venv --clear $(CACHE)/gdb-new
	@$(CACHE)/gdb-new/bin/python -m pip install --quiet gdb-for-pwndbg==$(GDB_NEW)
	@touch $@

$(STAMPS)/lldb-old: tools/install-old-lldb | $(STAMPS)/packages
	@echo "unpacking an older lldb into $(CACHE)/lldb-old"
	@tools/install-old-lldb $(CACHE)/lldb-old
	@touch $@

# mypy does not follow an editable installation whose folder has another name.
lint: install
	@mkdir -p $(CACHE)/typing && ln -sfn ../../plugin $(CACHE)/typing/thunk_inspect
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy -p thunk_inspect
	$(VENV)/bin/mypy tests tools benchmarks

N ?= 10000

fuzz: install
	$(VENV)/bin/python tools/fuzz.py $(N)

# What `make test` has no time for; every fault at every place; fifty times as many files.
sweep: install
	$(VENV)/bin/python -m pytest -n $(WORKERS) -m long
	THUNK_SWEEP=all $(VENV)/bin/python -m pytest -n $(WORKERS) \
	    tests/test_sweep.py tests/test_fuzz_files.py tests/test_content.py \
	    tests/test_names.py

# SOAK="--in gdb --kind trace" and the like.
soak: install
	$(VENV)/bin/python tools/soak.py $(SOAK) $(N)

# BENCH="--only find-gdb --quick" and the like.
bench: install
	@$(MAKE) --no-print-directory -s -C benchmarks/programs
	@$(VENV)/bin/python -m benchmarks $(BENCH)

clean:
	$(MAKE) -s -C fixtures clean
	$(MAKE) -s -C benchmarks/programs clean
	$(MAKE) -s -C fixtures/engine clean
	rm -rf $(CACHE)/wine $(CACHE)/typing build dist *.egg-info .pytest_cache
