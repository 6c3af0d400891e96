#!/bin/bash
# Runs the tests under coverage, child processes included, and ends with pytest's last line.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
bin=${BIN:-.venv/bin}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$bin"/coverage erase
status=0
"$bin"/coverage run -m pytest "$@" </dev/null 2>&1 | tee "$log" || status=$?
if [ "$status" = 0 ] && [ $# = 0 ]; then
    "$bin"/coverage combine --quiet
    "$bin"/coverage report || status=$?
fi
tail -n 1 "$log"
exit "$status"
