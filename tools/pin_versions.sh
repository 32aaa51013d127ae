#!/usr/bin/env bash
# Prints constraints.txt: one set of versions that installs on Python 3.10, 3.11 and 3.12. Needs `uv`.
#   tools/pin_versions.sh > constraints.txt.new
set -euo pipefail
cd "$(dirname "$0")/.."

pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
# Chosen by hand: the last MediaPipe whose wheel carries its models and the NumPy it needs, one torch, and one PyAV for all three.
printf '%s\n' mediapipe==0.10.21 numpy==1.26.4 torch==2.13.0 av==17.1.0 > "$pins"

cat <<'HEADER'
# One set of versions for Python 3.10, 3.11 and 3.12. Made by tools/pin_versions.sh; use it as
#   pip install -c constraints.txt .
# The CUDA libraries that a torch wheel brings are pinned by that wheel and stand not here.
HEADER
uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 --constraint "$pins" \
  --no-header --no-annotate --no-emit-package setuptools --quiet \
  | grep -v -E '^(nvidia|cuda|triton)' | grep -v -E "^(colorama|ml-dtypes==0.4.1)" \
  | sed -E "s/ or python_full_version >= '3.13'//; s/ and python_full_version < '3.13'//; s/ ; python_full_version < '3.13'//"
