#!/usr/bin/env bash
# Builds the layer: a static binary for each architecture, in a zip that is the same byte for byte from the same source.
#
#   layer/build.sh [x86_64|arm64]...     both, unless named; the zips are in layer/target/layer
#
# Needs rustup's musl targets, zip, readelf, and a C compiler for the TLS library's assembly: zig, or the package `ziglang` of Python.
set -euo pipefail
cd "$(dirname "$0")"

# zig as the C compiler for an architecture of a triple.
compiler() {
  local script="$PWD/target/layer/cc-$1"
  local zig="zig"
  command -v zig >/dev/null || zig="${PYTHON:-python3} -m ziglang"
  printf '#!/bin/sh\nfor word; do\n  shift\n  case "$word" in --target=*) ;; *) set -- "$@" "$word" ;; esac\ndone\nexec %s cc -target %s-linux-musl "$@"\n' "$zig" "$1" >"$script"
  chmod +x "$script"
  echo "$script"
}

build() {
  local architecture=$1 cpu=$1
  [ "$architecture" = arm64 ] && cpu=aarch64
  local target="$cpu-unknown-linux-musl" folder="target/layer/$architecture"
  local upper=${target^^}
  rustup target list --installed | grep -qx "$target" || rustup target add "$target"
  env "CC_${target//-/_}=$(compiler "$cpu")" "CARGO_TARGET_${upper//-/_}_LINKER=rust-lld" \
    CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$PWD=/squall-layer --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    cargo build --locked --release --target "$target"
  # A library of the system, or a version of one, would tie it to that system.
  if readelf -dV "target/$target/release/squall-layer" | grep -E 'NEEDED|GLIBC'; then
    echo "the binary is not static" >&2
    return 1
  fi
  rm -rf "$folder" && mkdir -p "$folder/squall-layer.d"
  cp "target/$target/release/squall-layer" "$folder/squall-layer.d/"
  cp opt/squall-layer "$folder/"
  chmod 755 "$folder/squall-layer" "$folder/squall-layer.d/squall-layer"
  # Times, owners and order of the files would differ otherwise.
  TZ=UTC find "$folder" -exec touch -d 1980-01-01T00:00:00Z {} +
  rm -f "target/layer/squall-layer-$architecture.zip"
  (cd "$folder" && TZ=UTC zip -q -9 -X "../squall-layer-$architecture.zip" squall-layer squall-layer.d/squall-layer)
  sha256sum "target/layer/squall-layer-$architecture.zip"
}

for program in zip readelf; do
  command -v "$program" >/dev/null || { echo "$program is not there" >&2; exit 1; }
done
mkdir -p target/layer
[ $# -gt 0 ] || set -- x86_64 arm64
for architecture; do
  build "$architecture"
done
