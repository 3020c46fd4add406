#!/bin/sh
# npm run bench: sets up what is missing, then runs each benchmark by itself. Each prints its own table and one line of JSON.
#   scripts/bench.sh [NAME...]     names of files in bench/ without .ts; default: all
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

sh scripts/setup.sh test
PATH=$PWD/node_modules/.bin:$PATH
[ $# -gt 0 ] || set -- decode-track host-flood pcapng vm probe-cost filters kafka otlp
for name in "$@"; do
  [ -f "bench/$name.ts" ] || fail "there is no benchmark '$name'." "There are: $(cd bench && echo *.ts)"
done
status=0
for name in "$@"; do
  step BENCH "$name"
  node "bench/$name.ts" || status=1
done
exit "$status"
