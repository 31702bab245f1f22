#!/bin/sh
# Installs the Python peers of the benchmarks into .cfs/peers/venv, where bench/peers/python.ts looks.
# Nothing else in this repository needs Python. About 1.5 GB.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
venv="$root/.cfs/peers/venv"
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --upgrade torch transformers trl datasets accelerate
"$venv/bin/python" -c 'import torch, transformers, trl; print(torch.__version__, transformers.__version__, trl.__version__)'
