#!/usr/bin/env bash
# What layer/build.sh needs beside Rust: a C compiler for both architectures, which is zig from PyPI, below layer/target. Does nothing
# when there is one. On failure the last line says why.
set -uo pipefail
cd "$(dirname "$0")"
no() { echo "$1"; exit 1; }

command -v rustup >/dev/null || no "rustup is not there"
command -v readelf >/dev/null || no "readelf is not there (binutils)"
rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl || no "rustup could not fetch the musl targets (no network?)"
command -v zig >/dev/null || [ -x target/zig/bin/python3 ] && { echo "ready"; exit; }
command -v python3 >/dev/null || no "neither zig nor python3 is there"
rm -rf target/zig.new && mkdir -p target
python3 -m venv target/zig.new || no "python3 cannot make a virtual environment (python3-venv)"
target/zig.new/bin/python3 -m pip install -q --disable-pip-version-check ziglang==0.17.1 || no "pip could not fetch ziglang (no network?)"
mv target/zig.new target/zig
echo "ready"
