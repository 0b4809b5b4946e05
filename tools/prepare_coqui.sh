#!/usr/bin/env bash
# A virtual environment with everything the tests need and the extra `coqui` on top: about 2 GB.
# Usage: prepare_coqui.sh VENV
set -euo pipefail
venv=$1
here=$(dirname "$0")
cpu_wheels=https://download.pytorch.org/whl/cpu

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
[ "$free_mb" -ge 4000 ] || fail "4 GB of free disk are needed here (2 GB stay), there are $free_mb MB"

bash "$here/prepare.sh" "$venv"
say "Coqui: installing torch and coqui-tts, about 2 GB on disk; a few minutes"

# PyPI's torch for Linux brings CUDA along, some GB that a machine without a GPU has no use for.
# The same version from torch's own index sorts above it, by its "+cpu".
torch=$("$venv/bin/python" - <<'PY'
import configparser
config = configparser.ConfigParser()
config.read("setup.cfg", encoding="utf-8")
lines = config["options.extras_require"]["coqui"].split("\n")
print(next(line for line in lines if line.split()[:1] == ["torch"]).strip())
PY
)
index=()
if "$venv/bin/python" -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=10)' "$cpu_wheels" 2>/dev/null; then
    index=(--extra-index-url "$cpu_wheels")
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${index[@]}" "$torch"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 -e ".[coqui]"

case $("$venv/bin/python" -c 'import torch; print(torch.__version__)') in
    *+cpu) ;;
    *) say "Note: $cpu_wheels cannot be reached, so this is PyPI's torch, which may hold CUDA" ;;
esac
say "Installed: $(du -sh "$venv" | cut -f1) in $venv"
