#!/usr/bin/env bash
# croniter in a virtual environment below target/planner. Does nothing when it is there. On failure the last line says why.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=tests/planner to=target/planner
no() { echo "$1"; exit 1; }

cmp -s $here/requirements.txt $to/requirements.txt && echo "ready" && exit
command -v python3 >/dev/null || no "python3 is not there"
rm -rf $to && mkdir -p $to
python3 -m venv $to || no "python3 cannot make a virtual environment (python3-venv)"
$to/bin/pip install -q --disable-pip-version-check -r $here/requirements.txt || no "pip could not fetch croniter (no network?)"
cp $here/requirements.txt $to/requirements.txt
echo "ready"
