#!/usr/bin/env bash
# The one test command: sets up what the tests need, runs all of them, cheapest first, and ends with a line of totals.
#
#   ./test.sh            everything
#   ./test.sh --fast     the sandbox alone: nothing that needs the AWS SDK or emulators of AWS, and no lints
#   ./test.sh --long     everything, with ten times as many seeds, crash points, kills and property cases
#   ./test.sh --update   writes snapshots and generated files again, and runs no other test; look at `git diff` afterwards
#
# It continues after a failure, so that one call shows everything that is wrong. Logs are in target/test-logs.
set -uo pipefail
cd "$(dirname "$0")"

fast= update=
case "${1:-}" in
  "") ;;
  --fast) fast=yes ;;
  --long) export SQUALL_TEST_EFFORT=10 PROPTEST_CASES=2560 SQUALL_LAYER_INPUTS=1000000 SQUALL_LAYER_SCHEDULES=100000 ;;  # 256 cases are usual
  --update) update=yes ;;
  *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 INSTA_UPDATE=no INSTA_WORKSPACE_ROOT="$PWD"
unset SQUALL_LOG SQUALL_WHO NO_COLOR UPDATE
logs=target/test-logs
rm -rf "$logs" && mkdir -p "$logs"
began=$SECONDS passed=0 failed=0 ignored=0
broken=() not_run=() parts=() features=()
declare -A waiting=()

# Processor seconds, user and system, of all processes so far that have ended.
processor() {
  times >"$logs/times"
  awk 'NR == 2 { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' "$logs/times"
}

# part KIND NAME COMMAND...: runs a command with its output in a log, and counts the tests in there. KIND is what the time
# is spent on: setup, build, check or test.
part() {
  local kind=$1 name=$2 log="$logs/${2//[^a-zA-Z0-9]/-}.log" start=$SECONDS mark=ok p f i cpu status
  shift 2
  processor >"$logs/before"
  "$@" >"$log" 2>&1 </dev/null
  status=$?
  processor >"$logs/after"
  cpu=$(($(<"$logs/after") - $(<"$logs/before")))
  read -r p f i < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$log")
  passed=$((passed + p)) failed=$((failed + f)) ignored=$((ignored + i))
  [ $status -eq 0 ] || mark=FAIL
  parts+=("$(printf '%-5s  %-6s %-44s %6d %6d %6d' $mark "$kind" "$name" "$p" $((SECONDS - start)) "$cpu")")
  echo "  ${parts[-1]}"
  if [ $status -ne 0 ]; then
    broken+=("$name")
    echo "        the whole log: $log"
    grep -E '^(error|warning|test .* FAILED|failures:|thread .* panicked)' -A12 "$log" | head -80
    tail -25 "$log"
  fi
  grep -E '^NOTE: ' "$log" | sed 's/^NOTE: /        /'
  return $status
}

# ended PROCESS LOG: waits for a process in the background, and shows what it said.
ended() {
  wait "$1"
  local status=$?
  cat "$2"
  return $status
}

# skip NAME WHY
skip() {
  printf '  --     not run: %s: %s\n' "$1" "$2"
  not_run+=("$1: $2")
}

# need PROGRAM PACKAGE: installs a program of the system when it is not there.
need() {
  command -v "$1" >/dev/null && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get install -y --no-install-recommends "$2" || { apt-get update && apt-get install -y --no-install-recommends "$2"; }; } \
      >"$logs/install-$2.log" 2>&1 </dev/null
  fi
  command -v "$1" >/dev/null
}

# The time by part, and by kind of part. Parts in the background overlap with others, so wall times add up to more.
table() {
  local header
  header=$(printf '%-5s  %-6s %-44s %6s %6s %6s' "" kind part tests wall/s CPU/s)
  printf '\n  %s\n' "$header"
  printf '  %s\n' "${parts[@]}"
  printf '%s\n' "${parts[@]}" | awk '
    { wall[$2] += $(NF - 1); cpu[$2] += $NF }
    END { n = split("setup build check test", kinds); for (i = 1; i <= n; i++) if (kinds[i] in wall)
      printf "         %-6s %-44s %6s %6d %6d\n", kinds[i], "all together", "", wall[kinds[i]], cpu[kinds[i]] }'
}

# The last lines, and the exit status.
totals() {
  table
  echo
  echo "not run: ${#not_run[@]}"
  for line in "${not_run[@]:-}"; do [ -n "$line" ] && echo "  $line"; done
  [ ${#broken[@]} -gt 0 ] && { echo "failed: ${#broken[@]}"; printf '  %s\n' "${broken[@]}"; }
  echo "totals: $passed passed, $failed failed, $ignored ignored, ${#broken[@]} steps failed, $((SECONDS - began)) s"
  [ ${#broken[@]} -eq 0 ] && [ "$failed" -eq 0 ]
}

command -v cargo >/dev/null || { [ -r "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; }
command -v cargo >/dev/null || { echo "cargo is not there: install Rust with rustup (https://rustup.rs) first"; exit 1; }
need cc gcc || { echo "a C compiler is not there, and could not be installed: SQLite is built from source"; exit 1; }

# tests NAME FILTER...: tests of the program tests/all.
tests() {
  local name=$1
  shift
  part test "$name" cargo test --locked "${features[@]}" --test all -- --nocapture "$@"
}

# beside NAME COMMAND...: begins a part that mostly waits; the others go on beside it.
beside() {
  local name=$1
  shift
  "$@" >"$logs/beside-${name//[^a-zA-Z0-9]/-}.log" 2>&1 </dev/null &
  waiting["$name"]=$!
}

# joined NAME: waits for what `beside` began, and counts it.
joined() {
  part test "$1" ended "${waiting["$1"]}" "$logs/beside-${1//[^a-zA-Z0-9]/-}.log"
}

# What is no step of its own below.
apart=(--skip tidy:: --skip judge:: --skip engine:: --skip kills:: --skip translator:: --skip planner:: --skip browser::)

if [ -n "$update" ]; then
  export UPDATE=1 INSTA_UPDATE=always
  part build "test programs" cargo test --locked --no-run --lib --test all
  part test "snapshots beside the source" cargo test --locked --lib
  tests "findings, reference pages, schemas, sessions, README" "${apart[@]}"
  totals
  exit
fi

echo "squall: ${1:-all} tests ($(rustc --version), $(nproc 2>/dev/null || echo '?') cores)"
programs=(--lib --test all)
if [ -n "$fast" ]; then
  # Most of a build is the AWS SDK.
  features=(--no-default-features)
else
  programs+=(--test emulators)
  # Python and Node packages are fetched while the compiler works.
  tests/emulators/setup.sh >"$logs/emulators-setup.log" 2>&1 </dev/null &
  setup=$!
  tests/emulators/setup.sh localemu >"$logs/localemu-setup.log" 2>&1 </dev/null &
  localemu_setup=$!
fi
part setup "dependencies fetched" cargo fetch --locked
part check "format" cargo fmt --all --check
part build "test programs and the binary" cargo test --locked "${features[@]}" --no-run "${programs[@]}"
tests "rules of the house" tidy::

# Those on LocalEmu wait for metrics, for minutes: they run beside everything that follows. There are more of them at a time
# than cores.
emulators=(cargo test --locked --test emulators -- --nocapture --test-threads=40)
if [ -n "$fast" ]; then
  skip "tests/emulators on LocalEmu, MiniStack and moto" "--fast leaves it out"
  skip "what needs the account kind aws" "--fast builds without the feature"
  skip "clippy, documentation and its examples" "--fast leaves it out"
elif wait "$localemu_setup"; then
  beside "tests/emulators on LocalEmu" "${emulators[@]}" localemu::
else
  skip "tests/emulators on LocalEmu" "$(tail -1 "$logs/localemu-setup.log")"
fi

part test "units and properties" cargo test --locked "${features[@]}" --lib
if [ -z "$fast" ]; then
  part check "clippy, default features" cargo clippy --locked --all-targets -- -D warnings
  part check "clippy, no features" cargo clippy --locked --all-targets --no-default-features -- -D warnings
  part check "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
  part test "examples in the documentation" cargo test --locked --doc
fi

tests "files, sessions, reports, known answers" "${apart[@]}"
if tests/translator/setup.sh >"$logs/translator-setup.log" 2>&1 </dev/null; then
  tests "templates against AWS's SAM translator" translator::
else
  skip "templates against AWS's SAM translator" "$(tail -1 "$logs/translator-setup.log")"
fi
if tests/planner/setup.sh >"$logs/planner-setup.log" 2>&1 </dev/null; then
  tests "a year of schedules against croniter" planner::
else
  tests "a year of schedules against the stored list" planner:: --skip the_stored_list
  skip "the stored list of schedules against croniter" "$(tail -1 "$logs/planner-setup.log")"
fi
if [ -n "$fast" ]; then
  skip "the console in a browser" "--fast builds without the console"
elif tests/browser/setup.sh >"$logs/browser-setup.log" 2>&1 </dev/null; then
  tests "the console in a browser" browser::
else
  skip "the console in a browser" "$(tail -1 "$logs/browser-setup.log")"
fi
# The layer is a crate of its own, with its own lock and target directory.
if [ -n "$fast" ]; then
  skip "layer" "--fast leaves it out"
else
  part test "layer" env "SQUALL_LAYER_INPUTS=${SQUALL_LAYER_INPUTS:-100000}" cargo test --locked --manifest-path layer/Cargo.toml
  part check "layer: clippy" cargo clippy --locked --manifest-path layer/Cargo.toml --all-targets -- -D warnings
  part check "layer: format" cargo fmt --manifest-path layer/Cargo.toml --check
  if layer/setup.sh >"$logs/layer-setup.log" 2>&1 </dev/null; then
    part build "layer: static binaries" layer/build.sh && part check "layer: zips" cargo run --locked -- layer build
  else
    skip "the layer's static binaries" "$(tail -1 "$logs/layer-setup.log")"
  fi
fi
tests "judge" judge::
tests "engine and crash grid" engine::
if need script bsdutils; then
  tests "the binary killed and stopped" kills::
else
  skip "a closed terminal" "the program \`script\` is not there"
  tests "the binary killed and stopped" kills:: --skip a_closed_terminal
fi

# The functions of a busy emulator run into their time-outs, so this is a part of its own.
if [ -z "$fast" ]; then
  if wait "$setup"; then
    part test "tests/emulators on MiniStack and moto" "${emulators[@]}" --skip localemu::
  else
    skip "tests/emulators on MiniStack and moto" "$(tail -1 "$logs/emulators-setup.log")"
  fi
fi
[ -z "${waiting["tests/emulators on LocalEmu"]:-}" ] || joined "tests/emulators on LocalEmu"

if command -v cargo-deny >/dev/null; then
  part check "cargo deny" cargo deny check
else
  skip "cargo deny (advisories)" "cargo-deny is not installed; licences were checked by tests/all/tidy.rs"
fi
totals
