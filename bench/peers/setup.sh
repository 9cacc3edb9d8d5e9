#!/usr/bin/env bash
# Makes the virtual environment that bench/run.ts uses for the peers. Usage: bash bench/peers/setup.sh
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install -q -r requirements.txt
