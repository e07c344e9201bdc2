#!/usr/bin/env bash
# setup.sh: what the tests of the console in a browser need: Debian's chromium and its driver, and axe-core in target/browser.
# Does nothing when it is all there. On failure the last line says why.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=tests/browser to=target/browser
no() { echo "$1"; exit 1; }

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
fc-list 2>/dev/null | grep -q DejaVu || missing+=(fontconfig fonts-dejavu-core)
if [ ${#missing[@]} -gt 0 ]; then
  { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; } || no "not there, and installed by root only: ${missing[*]}"
  install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; }
  install || { apt-get update && install; } || no "apt-get could not install ${missing[*]} (no network?)"
fi
command -v npm >/dev/null || no "npm is not there: axe-core comes from it"
mkdir -p $to
if ! cmp -s $here/package.json $to/package.json; then
  rm -rf $to/node_modules $to/npm
  mkdir -p $to/npm && cp $here/package.json $to/npm/package.json
  (cd $to/npm && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts) || no "npm could not fetch axe-core (no network?)"
  mv $to/npm/node_modules $to/node_modules && cp $here/package.json $to/package.json
fi
echo "ready"
