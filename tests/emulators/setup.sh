#!/usr/bin/env bash
# Sets up what tests/emulators needs, below target/emulators: MiniStack in a virtual environment, and what Lambda's Node
# runtime brings along. Does nothing when it is all there. On failure the last line says why.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=tests/emulators to=target/emulators
no() { echo "$1"; exit 1; }

mkdir -p $to
command -v python3 >/dev/null || no "python3 is not there"
command -v node >/dev/null || no "node is not there: functions in JavaScript run on it"
command -v npm >/dev/null || no "npm is not there"

if ! cmp -s $here/requirements.txt $to/ministack/requirements.txt; then
  rm -rf $to/ministack
  python3 -m venv $to/ministack || no "python3 cannot make a virtual environment (python3-venv)"
  $to/ministack/bin/pip install -q --disable-pip-version-check -r $here/requirements.txt || no "pip could not fetch MiniStack (no network?)"
  cp $here/requirements.txt $to/ministack/
fi
# Functions lie in a folder below, where Node finds these packages as it finds the SDK on Lambda.
if ! cmp -s $here/package.json $to/package.json; then
  rm -rf $to/node_modules $to/package.json
  cp $here/package.json $to/package.json.new
  (cd $to && mkdir -p npm && cp package.json.new npm/package.json && cd npm && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts) || no "npm could not fetch packages (no network?)"
  mv $to/npm/node_modules $to/node_modules && mv $to/package.json.new $to/package.json
fi
echo "ready"
