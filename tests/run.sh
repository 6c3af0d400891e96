#!/bin/bash
# Runs the tests under coverage, child processes included, and ends with pytest's last lines.
# All of them run in half as many more processes as there are CPUs (or in as many as
# PROCESSES says), for they wait half of the time, each file in one of them; and then,
# one after the other, those that need the machine for themselves.  What is chosen by
# arguments runs in one process.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
bin=${BIN:-.venv/bin}
processes=${PROCESSES:-$((($(nproc) * 3 + 1) / 2))}
log=$(mktemp)
trap 'rm -f "$log" "$log.now"' EXIT

run() {
    "$bin"/coverage run -m pytest "$@" </dev/null 2>&1 | tee "$log.now" || status=$?
    tail -n 1 "$log.now" >>"$log"
}

"$bin"/coverage erase
status=0
if [ $# = 0 ] && [ "$processes" != 1 ]; then
    run -m "not alone" -n "$processes" --maxprocesses 4 --dist loadfile \
        --no-loadscope-reorder
    mapfile -t files < <(grep -rl --include='test_*.py' 'pytest\.mark\.alone' tests)
    run -m alone "${files[@]}"
else
    run "$@"
fi
if [ "$status" = 0 ] && [ $# = 0 ]; then
    "$bin"/coverage combine --quiet
    "$bin"/coverage report || status=$?
fi
cat "$log"
exit "$status"
