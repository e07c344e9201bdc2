#!/usr/bin/env bash
# Builds the layer's binary for each architecture: static, and the same byte for byte from the same source and compilers.
# `squall layer build` makes the zips of them.
#
#   layer/build.sh [x86_64|arm64]...     both, unless named; into layer/target/TARGET/release
#
# Needs rustup, readelf, and zig as the C compiler for the TLS library's assembly, which layer/setup.sh fetches if it is not there.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh || exit 1

# zig as the C compiler for a processor.
compiler() {
  local script="$PWD/target/cc-$1" zig="zig"
  command -v zig >/dev/null || zig="$PWD/target/zig/bin/python3 -m ziglang"
  printf '#!/bin/sh\nfor word; do\n  shift\n  case "$word" in --target=*) ;; *) set -- "$@" "$word" ;; esac\ndone\nexec %s cc -target %s-linux-musl "$@"\n' "$zig" "$1" >"$script"
  chmod +x "$script"
  echo "$script"
}

build() {
  local cpu=$1
  [ "$cpu" = arm64 ] && cpu=aarch64
  local target="$cpu-unknown-linux-musl"
  local upper=${target^^}
  local binary="target/$target/release/squall-layer"
  env "CC_${target//-/_}=$(compiler "$cpu")" "CARGO_TARGET_${upper//-/_}_LINKER=rust-lld" CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=${PWD%/*}=/squall --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    cargo build --locked --release --target "$target"
  # A library of the system, or a version of one, would tie it to that system.
  if readelf -dV "$binary" | grep -E 'NEEDED|GLIBC'; then
    echo "the binary is not static" >&2
    return 1
  fi
  sha256sum "$binary"
}

mkdir -p target
[ $# -gt 0 ] || set -- x86_64 arm64
for architecture; do
  build "$architecture"
done
