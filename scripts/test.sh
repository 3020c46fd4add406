#!/bin/sh
# npm test: sets up what is missing, then checks and tests.
#   scripts/test.sh [unit|host|vm|peers|all]
#     unit   no kernel needed: everything that is pure
#     host   live on this kernel: tracepoint backend, loopback and network namespaces
#     vm     real Debian kernels under QEMU
#     peers  the real receivers of what skbspan sends (Jaeger, Kafka, Spark)
#     all    (default) types, lint, format and generated files, then all of the above
# The last line says `N passed, N failed, N skipped`. A kind of test in which nothing ran counts as failed.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

kind=${1:-all}
case $kind in
  unit | host | vm | peers | all) ;;
  *) fail "unknown kind of test '$kind'." 'Usage: scripts/test.sh [unit|host|vm|peers|all]' ;;
esac

sh scripts/setup.sh test
PATH=$PWD/node_modules/.bin:$PATH
mkdir -p .cache
work=$(mktemp -d)
jaeger=
cleanup() {
  if [ -n "$jaeger" ]; then kill -- "-$jaeger" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

: >"$work/table"
: >"$work/failures"
all_passed=0
all_failed=0
all_skipped=0

# record NAME PASSED FAILED SKIPPED SECONDS - adds a line to the table at the end.
record() {
  printf '  %-14s%8s%8s%9s%7ss\n' "$@" >>"$work/table"
  all_passed=$((all_passed + $2))
  all_failed=$((all_failed + $3))
  all_skipped=$((all_skipped + $4))
}

# check NAME - runs an npm script that looks at the sources; counts as one test.
check() {
  began=$(date +%s)
  step CHECK "$1"
  if quietly npm run --silent "$1"; then
    record "$1" 1 0 0 $(($(date +%s) - began))
  else
    printf '  npm run %s\n' "$1" >>"$work/failures"
    record "$1" 0 1 0 $(($(date +%s) - began))
  fi
}

# run NAME TIMEOUT_SECONDS CONCURRENCY LIMIT GLOB... - runs one kind of test; all together may take LIMIT times as long as one.
run() {
  name=$1 timeout=$2 concurrency=$3 limit=$4
  shift 4
  began=$(date +%s)
  step TEST "$name"
  : >"$work/counts"
  status=0
  # node:test asks a file to end, which one that stands still does not hear.
  timeout --foreground --kill-after=20 $((timeout * limit)) node --test --test-timeout=$((timeout * 1000)) --test-concurrency="$concurrency" \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=./scripts/test-counts.ts --test-reporter-destination="$work/counts" "$@" || status=$?
  read -r passed failed skipped <"$work/counts" || passed=0 failed=0 skipped=0
  sed 1d "$work/counts" >>"$work/failures"
  if [ $((passed + failed)) = 0 ]; then
    printf '  %s: no test ran\n' "$name" | tee -a "$work/failures"
    failed=1
  elif [ "$status" != 0 ] && [ "$failed" = 0 ]; then
    printf '  %s: the test runner failed with status %s\n' "$name" "$status" | tee -a "$work/failures"
    failed=1
  fi
  record "$name" "$passed" "$failed" "$skipped" $(($(date +%s) - began))
}

test_unit() {
  run unit 120 2 3 'test/{event,kernel,ffi,filter,collector,pipeline,exporters,sources,cli,config}/**/*.test.ts'
}

# One file after the other: each watches all of this kernel's packets.
test_host() {
  run host 120 1 5 'test/host/**/*.test.ts'
}

test_vm() {
  run vm 3900 2 1 'test/vm/**/*.test.ts'
}

# Takes minutes the first time; nothing else needs it, so it runs beside the tests.
build_jaeger() {
  [ -z "$jaeger" ] || return 0
  # A session of its own, so that cleanup ends its compilers too.
  setsid nice sh -c 'sh scripts/peers/get-kafka.sh && sh scripts/peers/get-spark.sh && sh scripts/peers/build-jaeger.sh' \
    >.cache/build-jaeger.log 2>&1 &
  jaeger=$!
}

test_peers() {
  build_jaeger
  began=$(date +%s)
  step WAIT 'for the build of Jaeger (.cache/build-jaeger.log)'
  if wait "$jaeger"; then
    jaeger=
    run peers 300 1 5 'test/peers/**/*.test.ts'
  else
    jaeger=
    cat .cache/build-jaeger.log
    record peers 0 1 0 $(($(date +%s) - began))
  fi
}

if [ "$kind" = all ]; then
  for script in typecheck lint format:check generate:check; do
    check "$script"
  done
  test_unit
  # After the host tests: these measure what a busy machine loses.
  test_host
  build_jaeger
  test_vm
  test_peers
else
  "test_$kind"
fi

printf '\n  %-14s%8s%8s%9s%8s\n' '' passed failed skipped time
cat "$work/table"
if [ -s "$work/failures" ]; then
  printf '\nwhat failed:\n'
  cat "$work/failures"
fi
printf '\n%s passed, %s failed, %s skipped\n' "$all_passed" "$all_failed" "$all_skipped"
[ "$all_failed" = 0 ]
