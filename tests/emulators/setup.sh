#!/usr/bin/env bash
# setup.sh: what the tests on MiniStack and moto need. setup.sh localemu: what those on LocalEmu need.
# All below target/emulators: a virtual environment for each emulator, and what Lambda's Node runtime brings along. Does
# nothing when it is all there. On failure the last line says why.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=tests/emulators to=target/emulators
no() { echo "$1"; exit 1; }

# environment NAME PYTHON: a virtual environment with the packages of NAME.txt.
environment() {
  cmp -s "$here/$1.txt" "$to/$1/requirements.txt" && return
  rm -rf "${to:?}/$1"
  "$2" -m venv "$to/$1" || no "$2 cannot make a virtual environment (python3-venv)"
  "$to/$1/bin/pip" install -q --disable-pip-version-check -r "$here/$1.txt" || no "pip could not fetch $1 (no network?)"
  cp "$here/$1.txt" "$to/$1/requirements.txt"
}

# LocalEmu needs a newer Python than many machines have by default.
new_python() {
  for python in python3 python3.{13..16} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
    command -v "$python" >/dev/null || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null && echo "$python" && return
  done
}

mkdir -p $to
if [ "${1:-}" = localemu ]; then
  [ "$(uname)" = Linux ] || no "it needs Linux: functions run in mount namespaces"
  unshare --mount true 2>/dev/null || no "it needs root: functions run in mount namespaces"
  python=$(new_python)
  [ -n "$python" ] || no "it needs Python 3.13 or newer, and there is none"
  environment localemu "$python"
  echo "ready"
  exit
fi

command -v python3 >/dev/null || no "python3 is not there"
command -v node >/dev/null || no "node is not there: functions in JavaScript run on it"
command -v npm >/dev/null || no "npm is not there"
environment ministack python3
environment moto python3
# Functions lie in a folder below, where Node finds these packages as it finds the SDK on Lambda.
if ! cmp -s $here/package.json $to/package.json; then
  rm -rf $to/node_modules $to/package.json
  cp $here/package.json $to/package.json.new
  (cd $to && mkdir -p npm && cp package.json.new npm/package.json && cd npm && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts) || no "npm could not fetch packages (no network?)"
  mv $to/npm/node_modules $to/node_modules && mv $to/package.json.new $to/package.json
fi
echo "ready"
