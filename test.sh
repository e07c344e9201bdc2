#!/usr/bin/env bash
# The one test command: sets up what the tests need, runs them all, fast ones first, and ends with a line of totals.
# It goes on after a failure, so that one call shows everything that is wrong. Logs lie in target/test-logs.
set -uo pipefail
cd "$(dirname "$0")"

export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 INSTA_UPDATE=no INSTA_WORKSPACE_ROOT="$PWD"
unset SQUALL_LOG SQUALL_WHO NO_COLOR
logs=target/test-logs
rm -rf "$logs" && mkdir -p "$logs"
began=$SECONDS passed=0 failed=0 ignored=0
broken=() not_run=() localemu=

# step NAME COMMAND...: runs it with its output in a log, and counts the tests in there.
step() {
  local name=$1 log="$logs/${1//[^a-zA-Z0-9]/-}.log" start=$SECONDS p f i
  shift
  "$@" >"$log" 2>&1 </dev/null
  local status=$?
  read -r p f i < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$log")
  passed=$((passed + p)) failed=$((failed + f)) ignored=$((ignored + i))
  if [ $status -eq 0 ]; then
    printf '  ok    %-58s %5d tests %5ds\n' "$name" "$p" $((SECONDS - start))
  else
    printf '  FAIL  %-58s %5d tests %5ds  %s\n' "$name" "$p" $((SECONDS - start)) "$log"
    broken+=("$name")
    grep -E '^(error|warning|test .* FAILED|failures:|thread .* panicked)' -A12 "$log" | head -80
    tail -25 "$log"
  fi
  grep -E '^NOTE: ' "$log" | sed 's/^NOTE: /        /'
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
  printf '  --    %-58s not run: %s\n' "$1" "$2"
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

command -v cargo >/dev/null || { [ -r "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; }
command -v cargo >/dev/null || { echo "cargo is not there: install Rust with rustup (https://rustup.rs) first"; exit 1; }
need cc gcc || { echo "a C compiler is not there, and could not be installed: SQLite is built from source"; exit 1; }

echo "squall: all tests ($(rustc --version), $(nproc 2>/dev/null || echo '?') cores)"
step "dependencies fetched" cargo fetch --locked
step "format" cargo fmt --all --check
step "rules of the house" cargo test --locked --test tidy
step "clippy, default features" cargo clippy --locked --all-targets -- -D warnings
step "clippy, no features" cargo clippy --locked --all-targets --no-default-features -- -D warnings
step "units and properties, default features" cargo test --locked --lib --bins
step "units and properties, no features" cargo test --locked --lib --bins --no-default-features
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
step "examples in the documentation" cargo test --locked --doc

# What runs the real binary or very many runs is built with optimisation and with all assertions.
for file in tests/*.rs tests/*/main.rs; do
  [ -e "$file" ] || continue
  name=${file#tests/} name=${name%/main.rs} name=${name%.rs}
  case $name in
    tidy) ;;
    kills)
      if need script bsdutils; then
        step "tests/$name" cargo test --locked --profile checked --test "$name" -- --nocapture
      else
        skip "tests/$name" "the program \`script\` is not there"
      fi ;;
    emulators)
      # Its tests mostly wait, so there are more of them at a time than cores.
      run=(cargo test --locked --profile checked --test "$name" -- --nocapture --test-threads=40)
      if tests/emulators/setup.sh localemu >"$logs/localemu-setup.log" 2>&1 </dev/null; then
        # These wait for metrics, for minutes: they go on beside the others.
        "${run[@]}" localemu:: >"$logs/localemu.log" 2>&1 </dev/null &
        localemu=$!
      else
        skip "tests/$name on LocalEmu" "$(tail -1 "$logs/localemu-setup.log")"
      fi
      if tests/emulators/setup.sh >"$logs/emulators-setup.log" 2>&1 </dev/null; then
        step "tests/$name on MiniStack and moto" "${run[@]}" --skip localemu::
      else
        skip "tests/$name on MiniStack and moto" "$(tail -1 "$logs/emulators-setup.log")"
      fi ;;
    translator)
      if tests/translator/setup.sh >"$logs/translator-setup.log" 2>&1 </dev/null; then
        step "tests/$name (AWS's own, for SAM)" cargo test --locked --profile checked --test "$name" -- --nocapture
      else
        skip "tests/$name" "$(tail -1 "$logs/translator-setup.log")"
      fi ;;
    *) step "tests/$name" cargo test --locked --profile checked --test "$name" -- --nocapture ;;
  esac
done
[ -z "$localemu" ] || step "tests/emulators on LocalEmu" ended "$localemu" "$logs/localemu.log"
step "benches compile" cargo bench --locked --profile checked --no-run

if command -v cargo-deny >/dev/null; then
  step "cargo deny" cargo deny check
else
  skip "cargo deny (advisories)" "cargo-deny is not installed; licences were checked by tests/tidy.rs"
fi

echo
echo "not run: ${#not_run[@]}"
for line in "${not_run[@]:-}"; do [ -n "$line" ] && echo "  $line"; done
[ ${#broken[@]} -gt 0 ] && { echo "failed: ${#broken[@]}"; printf '  %s\n' "${broken[@]}"; }
echo "totals: $passed passed, $failed failed, $ignored ignored, ${#broken[@]} steps failed, $((SECONDS - began)) s"
[ ${#broken[@]} -eq 0 ] && [ "$failed" -eq 0 ]
